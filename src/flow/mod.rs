//! Time: epochs, rounds, the loop that adds vectors, and the barrier that makes a checkpoint.
//!
//! ```text
//!  source ──parcel──► featurise ──harvest──► model ──emission──► sink ──vote──► commit ──► reveal
//!  (worker)  to the   (worker)    to all     ▲   │   (worker)         to worker 0       to all
//!            owner                           └─+1┘              ╎                ╎         ╎
//!                                    contributions, to all   writer           keeper    writer
//! ```
//!
//! An **epoch** is one chunk of the input: every worker sends every other exactly one parcel per epoch, so an epoch is complete
//! when all have arrived, whatever the timing. Timestamps are `epoch·2²⁰ + round`: the model holds its capability for the epoch
//! while it goes through **rounds**, in each of which all workers' vectors travel the loop edge, are added in worker order and
//! come back one timestamp later as the total. An update is some rounds of the epoch that filled its chunk; the model version
//! of an epoch is therefore complete before the next epoch's rows are assigned, on every worker, without a lock.
//!
//! A **checkpoint** is a flag on worker 0's parcel. It travels with the epoch: each featuriser adds its state after the epoch,
//! the model its own, each sink makes what it has written durable, and worker 0 writes all of it as one file. Only then do the
//! sinks show what it covers.
//!
//! Files and topics are written by threads beside the workers, which never wait for a disk: each worker's rows by its writer, in
//! epoch order, checkpoints by the keeper beside worker 0. At most [`AHEAD`] epochs are between source and sink, as many wait for
//! the writer, and none is read beyond [`AHEAD`] after a checkpoint that is not durable yet.
//!
//! One process: messages are shared by reference and never serialised.

mod commit;
mod companion;
mod error;
mod featurise;
mod halt;
mod message;
mod model;
mod rows;
mod sink;
mod source;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

pub use commit::Record;
pub use error::FlowError;
pub use halt::Control;
pub use message::EpochReport;
pub use rows::assignments;
pub use sink::Sinks;
pub use source::Schedule;
use timely::dataflow::operators::Probe;
use timely::dataflow::operators::vec::Broadcast;
use timely::dataflow::{ProbeHandle, Scope};

use crate::connector::Source;
use crate::data::Featurize;
use crate::replica::Replica;

/// Position in the stream: `epoch·2²⁰ + round`.
type Timestamp = u64;
/// Bits of a timestamp that count rounds.
const ROUND_BITS: u32 = 20;
/// Epochs between the source and the sink, and between the sink and its writer.
pub const AHEAD: u64 = 4;

/// What one worker brings to the flow.
pub struct Worker {
    /// Its view of the input.
    pub source: Box<dyn Source>,
    /// Its featuriser.
    pub featurize: Box<dyn Featurize>,
    /// Its copy of the model.
    pub replica: Box<dyn Replica>,
    /// Its outputs.
    pub sinks: Sinks,
    /// When epochs begin and end.
    pub schedule: Schedule,
    /// Told about every epoch.
    pub meter: Arc<dyn Fn(&EpochReport) + Send + Sync>,
    /// Where worker 0 keeps checkpoints.
    pub record: Box<dyn Record>,
}

/// Runs the flow with as many threads as `workers` yields, until the input has ended, a stop was asked for, or it broke.
///
/// # Errors
/// The first fault of any worker.
pub fn run(
    peers: usize,
    control: &Arc<Control>,
    workers: impl Fn(usize) -> Result<Worker, FlowError> + Send + Sync + 'static,
) -> Result<(), FlowError> {
    let shared = Arc::clone(control);
    let config = if peers == 1 { timely::Config::thread() } else { timely::Config::process(peers) };
    let guards = timely::execute(config, move |worker| {
        let control = Arc::clone(&shared);
        // A panic in one thread would leave the others waiting for it for ever.
        let guard = halt::PanicGuard(Arc::clone(&control));
        match workers(worker.index()) {
            Ok(parts) => {
                worker.dataflow::<Timestamp, _, _>(|scope| build(scope, parts, &control));
                while !control.halted() && worker.step_or_park(Some(std::time::Duration::from_millis(50))) {}
                if control.halted() {
                    for dataflow in worker.installed_dataflows() {
                        worker.drop_dataflow(dataflow);
                    }
                }
            }
            Err(error) => {
                control.halt(error);
            }
        }
        drop(guard);
    })
    .map_err(FlowError::Start)?;
    let panicked = guards.join().into_iter().any(|outcome| outcome.is_err());
    match control.take_error() {
        Some(error) => Err(error),
        None if panicked => Err(FlowError::Panicked),
        None => Ok(()),
    }
}

/// The whole picture.
fn build(scope: Scope<'_, Timestamp>, parts: Worker, control: &Arc<Control>) {
    let Worker { source, featurize, replica, sinks, schedule, meter, record } = parts;
    let peers = scope.peers();
    let first = schedule.first_epoch;
    let retired = ProbeHandle::new();
    let featurize = Rc::new(RefCell::new(featurize));
    let parcels = source::source(scope, source, Rc::clone(&featurize), schedule, retired.clone(), control);
    let harvests = featurise::featurise(parcels, featurize, peers, first, control).broadcast();
    let emissions = model::model(scope, harvests, replica, peers, &schedule, control);
    let (writer, votes) = sink::sink(emissions, sinks, meter, control);
    let covered = commit::commit(votes, record, control).probe_with(&retired).broadcast();
    commit::reveal(covered, writer);
}
