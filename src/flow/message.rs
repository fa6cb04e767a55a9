//! What travels along the edges.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::checkpoint::Local;
use crate::data::{DeadLetter, Minibatch, PairBatch, Records, RowPair};
use crate::replica::{Output, Status};

/// A message that is shared between the threads of one process. timely asks for a serialised form of everything that may
/// cross workers, and uses it only between processes, of which there is one.
#[derive(Clone, Debug)]
pub(super) struct Shared<T>(pub(super) Arc<T>);

impl<T> Shared<T> {
    pub(super) fn new(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("messages stay within one process"))
    }
}

impl<'de, T> Deserialize<'de> for Shared<T> {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("messages stay within one process"))
    }
}

/// What an epoch means beyond its rows. Worker 0's flags hold for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    /// A checkpoint is made after this epoch.
    pub(super) checkpoint: bool,
    /// One reading of the whole input ends here.
    pub(super) pass_ends: bool,
    /// The input ends here: on a parcel, that of its worker; on a harvest, that of all.
    pub(super) input_ends: bool,
    /// Nothing follows, though the input may go on.
    pub(super) last: bool,
    /// Rows of this epoch are emitted (the last pass).
    pub(super) emit: bool,
    /// Rows were seen in an earlier pass.
    pub(super) seen: bool,
}

/// One worker's rows of an epoch, as far as they belong to one other worker.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    pub(super) epoch: u64,
    pub(super) from: usize,
    pub(super) records: Vec<Records>,
    /// What could not be made a record of; only on the parcel to the reader itself.
    pub(super) rejected: Vec<DeadLetter>,
    /// What came about pairs of rows; likewise.
    pub(super) pairs: PairBatch,
    pub(super) flags: Flags,
    pub(super) read_seconds: f64,
}

/// One worker's rows of an epoch, ready for the model.
#[derive(Clone, Debug)]
pub(super) struct Harvest {
    pub(super) epoch: u64,
    pub(super) from: usize,
    pub(super) minibatch: Minibatch,
    /// What was said about pairs of rows.
    pub(super) pairs: Vec<RowPair>,
    pub(super) flags: Flags,
    /// The featuriser after this epoch, if a checkpoint is made.
    pub(super) snapshot: Option<Vec<u8>>,
    pub(super) read_seconds: f64,
    pub(super) featurize_seconds: f64,
}

/// One worker's vector of a round.
#[derive(Clone, Debug)]
pub(super) struct Contribution {
    pub(super) epoch: u64,
    pub(super) round: u64,
    pub(super) from: usize,
    pub(super) values: Vec<f32>,
}

/// What an epoch gave on one worker.
#[derive(Debug)]
pub(super) struct Emission {
    pub(super) epoch: u64,
    pub(super) output: Output,
    /// This worker's own harvest of the epoch.
    pub(super) harvest: Arc<Harvest>,
    pub(super) flags: Flags,
    /// The model after this epoch, on worker 0, if a checkpoint is made; shared, because it is long.
    pub(super) snapshot: Option<Arc<Vec<u8>>>,
    pub(super) status: Status,
    pub(super) model_seconds: f64,
}

/// One worker's part of a checkpoint, durable.
#[derive(Clone, Debug)]
pub(super) struct Vote {
    pub(super) epoch: u64,
    pub(super) from: usize,
    pub(super) local: Local,
    pub(super) replica: Option<Arc<Vec<u8>>>,
    pub(super) finished: bool,
    pub(super) status: Status,
}

/// A checkpoint is durable: sinks may show what it covers.
#[derive(Clone, Debug)]
pub(super) struct Covered {
    pub(super) locals: Vec<Local>,
}

/// What one worker did in one epoch, for progress and metrics.
#[derive(Clone, Debug, Default)]
pub struct EpochReport {
    /// The worker.
    pub worker: usize,
    /// The epoch.
    pub epoch: u64,
    /// Input rows that this worker featurised.
    pub input_rows: u64,
    /// Rows that this worker assigned and emits.
    pub assigned_rows: u64,
    /// Readings that are in no window.
    pub unwindowed_rows: u64,
    /// Unusable input rows by reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Drift alarms by signal, on worker 0.
    pub alarms: BTreeMap<&'static str, u64>,
    /// Seconds this worker spent reading its part of the input.
    pub read_seconds: f64,
    /// Seconds it spent making rows.
    pub featurize_seconds: f64,
    /// Seconds from its first look at the rows to their last update, exchanges included.
    pub model_seconds: f64,
    /// Seconds it spent writing.
    pub write_seconds: f64,
    /// The model's numbers, on worker 0.
    pub status: Option<Status>,
}
