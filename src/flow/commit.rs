//! Turns the votes of all workers into one checkpoint, then lets the sinks show what it covers.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::Operator;

use super::message::{Covered, Shared, Vote};
use super::sink::Sinks;
use super::{Control, FlowError, Timestamp};
use crate::checkpoint::Local;
use crate::replica::Status;

/// Keeps checkpoints. Called on worker 0 only.
pub trait Record {
    /// Makes the state after `epoch` durable. On return a crash resumes from here.
    ///
    /// # Errors
    /// If it cannot be written; the message names the file.
    fn keep(
        &mut self,
        epoch: u64,
        replica: Vec<u8>,
        locals: &[Local],
        finished: bool,
        status: &Status,
    ) -> Result<(), FlowError>;
}

/// Writes a checkpoint when all workers have voted for it.
pub(super) fn commit<'s>(
    votes: StreamVec<'s, Timestamp, Shared<Vote>>,
    mut record: Box<dyn Record>,
    peers: usize,
    control: &Arc<Control>,
) -> StreamVec<'s, Timestamp, Shared<Covered>> {
    let control = Arc::clone(control);
    votes.unary_frontier::<CapacityContainerBuilder<Vec<Shared<Covered>>>, _, _, _>(
        Exchange::new(|_: &Shared<Vote>| 0),
        "Commit",
        |_, _| {
            let mut ballots = std::collections::BTreeMap::<u64, (_, Vec<Vote>)>::new();
            move |(input, _), output| {
                input.for_each_stamp(|capability, data| {
                    let Some(capability) = capability.retain_least(0) else { return };
                    for vote in data.flat_map(|d| d.drain(..)) {
                        let vote = Arc::unwrap_or_clone(vote.0);
                        let ballot = ballots.entry(vote.epoch).or_insert_with(|| (capability.clone(), Vec::new()));
                        ballot.1.push(vote);
                    }
                });
                while let Some(entry) = ballots.first_entry() {
                    if entry.get().1.len() < peers || control.halted() {
                        break;
                    }
                    let (epoch, (capability, mut votes)) = entry.remove_entry();
                    votes.sort_by_key(|vote| vote.from);
                    let locals: Vec<Local> = votes.iter_mut().map(|vote| std::mem::take(&mut vote.local)).collect();
                    let first = votes.swap_remove(0);
                    let replica = first.replica.map_or_else(Vec::new, Arc::unwrap_or_clone);
                    match record.keep(epoch, replica, &locals, first.finished, &first.status) {
                        Ok(()) => output.session(&capability).give(Shared::new(Covered { locals })),
                        Err(error) => control.halt(error),
                    }
                }
                if control.halted() {
                    ballots.clear();
                }
            }
        },
    )
}

/// Shows what a durable checkpoint covers.
pub(super) fn reveal(
    covered: StreamVec<'_, Timestamp, Shared<Covered>>,
    sinks: Rc<RefCell<Sinks>>,
    control: &Arc<Control>,
) {
    let control = Arc::clone(control);
    let worker = covered.scope().index();
    covered.sink(Pipeline, "Reveal", move |(input, _)| {
        input.for_each_stamp(|_, data| {
            for covered in data.flat_map(|d| d.drain(..)) {
                if let Some(local) = covered.0.locals.get(worker)
                    && let Err(error) = sinks.borrow_mut().commit(&local.sinks)
                {
                    control.halt(error);
                }
            }
        });
    });
}
