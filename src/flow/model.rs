//! Runs the replica: rows of an epoch in, vectors round the loop, assignments out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::vec::Broadcast;
use timely::dataflow::operators::{Capability, ConnectLoop, Feedback};
use timely::dataflow::{Scope, StreamVec};

use super::featurise::Assembly;
use super::message::{Contribution, Emission, Harvest, Shared};
use super::{Control, FlowError, Schedule, Timestamp};
use crate::data::RowPair;
use crate::replica::{Arrival, Replica, Step};
use crate::stats::sum;

/// An epoch in progress.
struct Open {
    epoch: u64,
    round: u64,
    emissions: Capability<Timestamp>,
    contributions: Capability<Timestamp>,
    own: Arc<Harvest>,
    /// The stream has ended with this epoch and the replica has not been told yet.
    end_pending: bool,
    started: Instant,
}

/// The rows of all workers in the order of the input.
fn arrivals(harvests: &[Shared<Harvest>]) -> Vec<Arrival> {
    let mut all = Vec::with_capacity(harvests.iter().map(|harvest| harvest.0.minibatch.rows.len()).sum());
    for Shared(harvest) in harvests {
        let extras = harvest.minibatch.extras.clone().map(Arc::new);
        let extras = |place| extras.clone().map(|batch| (batch, place));
        let rows = harvest.minibatch.rows.iter().enumerate();
        all.extend(rows.map(|(place, row)| Arrival { row: Arc::clone(row), extras: extras(place) }));
    }
    all.sort_by_key(|arrival| arrival.row.sequence);
    all
}

/// The vectors of a round, by worker.
#[derive(Default)]
struct Rounds(BTreeMap<(u64, u64), BTreeMap<usize, Shared<Contribution>>>);

impl Rounds {
    fn put(&mut self, part: Shared<Contribution>) {
        self.0.entry((part.0.epoch, part.0.round)).or_default().insert(part.0.from, part);
    }

    /// The total of a round once all workers' vectors are there, added in worker order.
    fn total(&mut self, epoch: u64, round: u64, peers: usize) -> Option<Vec<f32>> {
        if self.0.get(&(epoch, round))?.len() < peers {
            return None;
        }
        let mut parts = self.0.remove(&(epoch, round))?;
        if peers == 1 {
            return parts.pop_first().map(|(_, only)| Arc::unwrap_or_clone(only.0).values);
        }
        Some(sum(&parts.values().map(|part| part.0.values.as_slice()).collect::<Vec<_>>()))
    }
}

/// Owns the replica.
pub(super) fn model<'s>(
    scope: Scope<'s, Timestamp>,
    harvests: StreamVec<'s, Timestamp, Shared<Harvest>>,
    mut replica: Box<dyn Replica>,
    peers: usize,
    schedule: &Schedule,
    control: &Arc<Control>,
) -> StreamVec<'s, Timestamp, Shared<Emission>> {
    let worker = scope.index();
    let control = Arc::clone(control);
    let (first_epoch, first_emitted) = (schedule.first_epoch, schedule.first_emitted());
    let (handle, totals) = scope.feedback::<Vec<Shared<Contribution>>>(1);
    let mut builder = OperatorBuilder::new("Model".to_owned(), scope);
    let mut harvests = builder.new_input(harvests, Pipeline);
    // Rounds run on the epoch's own capabilities; what comes round the loop permits nothing by itself.
    let mut totals = builder.new_input_connection(totals, Pipeline, []);
    let (emissions_out, emissions) = builder.new_output::<Vec<Shared<Emission>>>();
    let (contributions_out, contributions) = builder.new_output::<Vec<Shared<Contribution>>>();
    let mut emissions_out = OutputBuilder::<_, CapacityContainerBuilder<_>>::from(emissions_out);
    let mut contributions_out = OutputBuilder::<_, CapacityContainerBuilder<_>>::from(contributions_out);
    builder.build(move |_| {
        let mut assembly = Assembly::new(peers, first_epoch);
        let mut capabilities = BTreeMap::new();
        let mut rounds = Rounds::default();
        let mut open: Option<Open> = None;
        move |_| {
            let mut emissions_out = emissions_out.activate();
            let mut contributions_out = contributions_out.activate();
            harvests.for_each_stamp(|capability, data| {
                if let (Some(first), Some(second)) = (capability.retain_least(0), capability.retain_least(1)) {
                    for harvest in data.flat_map(|d| d.drain(..)) {
                        let (epoch, from) = (harvest.0.epoch, harvest.0.from);
                        capabilities.entry(epoch).or_insert_with(|| (first.clone(), second.clone()));
                        assembly.put(epoch, from, false, harvest);
                    }
                }
            });
            totals.for_each_stamp(|_, data| {
                for part in data.flat_map(|d| d.drain(..)) {
                    rounds.put(part);
                }
            });
            if control.halted() {
                open = None;
                capabilities.clear();
                return;
            }
            loop {
                let mut total = None;
                match &open {
                    None => {
                        let Some((epoch, parts)) = assembly.take() else { return };
                        let Some((emissions, contributions)) = capabilities.remove(&epoch) else { return };
                        let Some(own) = parts.iter().find(|part| part.0.from == worker) else { return };
                        let own = Arc::clone(&own.0);
                        let (round, started) = (0, Instant::now());
                        let pairs: Vec<RowPair> = parts.iter().flat_map(|part| &part.0.pairs).cloned().collect();
                        if !pairs.is_empty() {
                            replica.pair(pairs);
                        }
                        replica.begin(arrivals(&parts));
                        let end_pending = own.flags.input_ends;
                        open = Some(Open { epoch, round, emissions, contributions, own, end_pending, started });
                    }
                    Some(current) => match rounds.total(current.epoch, current.round - 1, peers) {
                        Some(sum) => total = Some(sum),
                        None => return,
                    },
                }
                let Some(current) = open.as_mut() else { return };
                match advance(replica.as_mut(), current, total) {
                    Err(error) => {
                        control.halt(error);
                        open = None;
                        capabilities.clear();
                        return;
                    }
                    Ok(Some(values)) => {
                        let time = current.contributions.delayed(&(current.contributions.time() + current.round));
                        let part = Contribution { epoch: current.epoch, round: current.round, from: worker, values };
                        current.round += 1;
                        contributions_out.session(&time).give(Shared::new(part));
                    }
                    Ok(None) => {
                        let Some(done) = open.take() else { return };
                        let emission = emit(replica.as_mut(), &done, worker, first_emitted);
                        emissions_out.session(&done.emissions).give(Shared::new(emission));
                    }
                }
            }
        }
    });
    contributions.broadcast().connect_loop(handle);
    emissions
}

/// The next vector to exchange, or nothing when the epoch is finished.
fn advance(
    replica: &mut dyn Replica,
    current: &mut Open,
    total: Option<Vec<f32>>,
) -> Result<Option<Vec<f32>>, FlowError> {
    match replica.advance(total)? {
        Step::Exchange(values) => Ok(Some(values)),
        Step::Done if current.end_pending => {
            current.end_pending = false;
            replica.end();
            advance(replica, current, None)
        }
        Step::Done => Ok(None),
    }
}

fn emit(replica: &mut dyn Replica, done: &Open, worker: usize, first_emitted: u64) -> Emission {
    let flags = done.own.flags;
    let mut output = replica.take();
    // A replica may hold rows over the end of a pass: what counts is the pass they came in.
    if first_emitted > 0 {
        output.assigned.retain(|row| row.arrival.row.sequence >= first_emitted);
    }
    if flags.seen {
        output.assigned.iter_mut().for_each(|row| row.warmup = true);
    }
    if worker != 0 {
        output.drift.clear();
    }
    let snapshot = (flags.checkpoint && worker == 0).then(|| Arc::new(replica.snapshot()));
    Emission {
        epoch: done.epoch,
        output,
        harvest: Arc::clone(&done.own),
        flags,
        snapshot,
        status: replica.status(),
        model_seconds: done.started.elapsed().as_secs_f64(),
    }
}
