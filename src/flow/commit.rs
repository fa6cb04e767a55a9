//! Turns the votes of all workers into one checkpoint, then lets the sinks show what it covers.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::Operator;

use super::companion::Companion;
use super::message::{Covered, Shared, Vote};
use super::sink::{Job, Writer};
use super::{Control, FlowError, Timestamp};
use crate::checkpoint::Local;
use crate::replica::Status;

/// Keeps checkpoints, in a thread beside worker 0; those of other workers are not asked to.
pub trait Record: Send {
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

/// Everything that a checkpoint is made of.
struct Ballot {
    epoch: u64,
    /// One for each worker, in their order.
    votes: Vec<Vote>,
}

impl Ballot {
    fn keep(mut self, record: &mut dyn Record) -> Result<(u64, Covered), FlowError> {
        let locals: Vec<Local> = self.votes.iter_mut().map(|vote| std::mem::take(&mut vote.local)).collect();
        let first = self.votes.swap_remove(0);
        let replica = first.replica.map_or_else(Vec::new, Arc::unwrap_or_clone);
        record.keep(self.epoch, replica, &locals, first.finished, &first.status)?;
        Ok((self.epoch, Covered { locals }))
    }
}

/// Has a checkpoint written when all workers have voted for it. The stream is behind a checkpoint until it is durable.
pub(super) fn commit<'s>(
    votes: StreamVec<'s, Timestamp, Shared<Vote>>,
    mut record: Box<dyn Record>,
    control: &Arc<Control>,
) -> StreamVec<'s, Timestamp, Shared<Covered>> {
    let (scope, halts) = (votes.scope(), Arc::clone(control));
    let (worker, peers) = (scope.index(), scope.peers());
    votes.unary::<CapacityContainerBuilder<Vec<Shared<Covered>>>, _, _, _>(
        Exchange::new(|_: &Shared<Vote>| 0),
        "Commit",
        |_, operator| {
            let wake = scope.worker().sync_activator_for(operator.address.to_vec());
            let keep = move |ballot: Ballot| ballot.keep(record.as_mut()).map(Some);
            let keeper = (worker == 0).then(|| Companion::new("checkpoint".to_owned(), control, wake, keep));
            let mut ballots = BTreeMap::<u64, (_, Vec<Vote>)>::new();
            move |input, output| {
                let Some(keeper) = &keeper else { return };
                input.for_each_stamp(|capability, data| {
                    let Some(capability) = capability.retain_least(0) else { return };
                    for vote in data.flat_map(|d| d.drain(..)) {
                        let epoch = vote.0.epoch;
                        let (_, votes) = ballots.entry(epoch).or_insert_with(|| (capability.clone(), Vec::new()));
                        votes.push(Arc::unwrap_or_clone(vote.0));
                        if votes.len() == peers {
                            let mut votes = std::mem::take(votes);
                            votes.sort_by_key(|vote| vote.from);
                            keeper.give(Ballot { epoch, votes });
                        }
                    }
                });
                for (epoch, covered) in keeper.answers() {
                    if let Some((capability, _)) = ballots.remove(&epoch) {
                        output.session(&capability).give(Shared::new(covered));
                    }
                }
                if halts.halted() {
                    ballots.clear();
                }
            }
        },
    )
}

/// Has each worker show what a durable checkpoint covers.
pub(super) fn reveal(covered: StreamVec<'_, Timestamp, Shared<Covered>>, writer: Rc<Writer>) {
    covered.sink(Pipeline, "Reveal", move |(input, _)| {
        input.for_each_stamp(|_, data| {
            data.flat_map(|d| d.drain(..)).for_each(|covered| writer.give(Job::Show(covered)))
        });
    });
}
