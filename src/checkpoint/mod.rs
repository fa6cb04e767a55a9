//! What a run must remember to go on after a crash, and whether what is found on disk may be used.
//!
//! A [`Checkpoint`] is one file: the next epoch to read, the replicated model once, and per worker the featuriser's state
//! and one token per sink. Because the three are in one file, input, model and output never disagree. It is written under
//! another name, synced, renamed, and only then are older ones removed, so that at every moment the newest file of the
//! right name is whole; checksums over every byte find what the disk did to it later.
//!
//! Which checkpoint a run continues from is decided by [`resolve`], a pure function of what [`verify`] found and of the
//! settings ([`Digest`]) that a checkpoint cannot carry across. After a [`Decision::FallBack`] the damaged files must be
//! [set aside](Store::set_aside) before the run goes on: they belong to a future that will not happen.
//!
//! Where a broker's transaction commits the input's offsets, it decides instead, by [`restart`].
//!
//! [`RunLock`] keeps a second program out of the run directory.

mod committed;
mod decision;
mod digest;
mod error;
mod format;
mod lock;
mod parameters;
mod store;

pub use committed::{Committed, Restart, restart};
pub use decision::{Decision, Found, Refusal, Verdict, resolve};
pub use digest::{Difference, Digest};
pub use error::CheckpointError;
pub use format::{FORMAT, Header, Part, Section};
pub use lock::RunLock;
pub use parameters::CheckpointParameters;
pub use store::{Listed, Store, clear, inspect, list, load, look, save, verify, verify_file};

use crate::data::Position;

/// Everything a run continues from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    /// Counts the checkpoints of a run; the largest is the newest.
    pub id: u64,
    /// The next epoch to read.
    pub epoch: u64,
    /// The pass over a bounded source, from 0.
    pub pass: u64,
    /// The settings it was made with.
    pub digest: Digest,
    /// Version of the model in `replica`.
    pub model_version: i64,
    /// Input rows consumed by all workers.
    pub rows: u64,
    /// Number of workers.
    pub workers: u32,
    /// Whether the bounded input was read to its end and all output is complete.
    pub finished: bool,
    /// When it was made, in seconds since 1970.
    pub created_unix_s: u64,
    /// How far an input without an end has been read; `None` for files.
    pub position: Option<Position>,
    /// How far a topic of pairs has been read; `None` without one.
    pub pairs: Option<Position>,
    /// The replicated state, the same on every worker.
    pub replica: Vec<u8>,
    /// Each worker's own state, by worker.
    pub locals: Vec<Local>,
}

/// One worker's own part of a checkpoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Local {
    /// Snapshot of its featuriser.
    pub featurizer: Vec<u8>,
    /// One token per sink, in the order of the sinks.
    pub sinks: Vec<Vec<u8>>,
}
