//! Turns the records of an epoch into rows, once every worker's parcel has arrived.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Operator;

use super::message::{Flags, Harvest, Parcel, Shared};
use super::source::Addressed;
use super::{Control, Timestamp};
use crate::data::{DeadLetter, Featurize, Minibatch, Records};

/// Puts the parcels of an epoch together: complete once every worker that still reads has sent its own.
pub(super) struct Assembly<T> {
    peers: usize,
    next: u64,
    /// The last epoch of each worker, once that is known.
    ended: Vec<Option<u64>>,
    open: BTreeMap<u64, Vec<Option<T>>>,
}

impl<T> Assembly<T> {
    pub(super) fn new(peers: usize, first_epoch: u64) -> Self {
        Self { peers, next: first_epoch, ended: vec![None; peers], open: BTreeMap::new() }
    }

    /// Takes one worker's part; `ends` if it is that worker's last one.
    pub(super) fn put(&mut self, epoch: u64, from: usize, ends: bool, part: T) {
        if ends {
            self.ended[from] = Some(epoch);
        }
        self.open.entry(epoch).or_insert_with(|| (0..self.peers).map(|_| None).collect())[from] = Some(part);
    }

    /// Whether no worker has a part after this epoch.
    pub(super) fn ended(&self, epoch: u64) -> bool {
        self.ended.iter().all(|ended| ended.is_some_and(|e| e <= epoch))
    }

    /// The next epoch's parts, in worker order, if it is complete.
    pub(super) fn take(&mut self) -> Option<(u64, Vec<T>)> {
        let epoch = self.next;
        let parts = self.open.get(&epoch)?;
        let complete =
            parts.iter().zip(&self.ended).all(|(part, ended)| part.is_some() || ended.is_some_and(|e| e < epoch));
        if !complete {
            return None;
        }
        self.next += 1;
        self.open.remove(&epoch).map(|parts| (epoch, parts.into_iter().flatten().collect()))
    }
}

/// What the parcels of an epoch mean together: worker 0 says when to stop and when to keep a checkpoint, the input has ended
/// when it has for all.
fn agree(parcels: &[Shared<Parcel>], all_ended: bool) -> Flags {
    let mut agreed = parcels.first().map(|parcel| parcel.0.flags).unwrap_or_default();
    let stopped = parcels.iter().any(|parcel| parcel.0.from == 0 && parcel.0.flags.last);
    agreed.input_ends = all_ended;
    agreed.pass_ends = parcels.iter().all(|parcel| parcel.0.flags.pass_ends);
    agreed.last = stopped || all_ended;
    agreed.checkpoint = agreed.last || parcels.iter().any(|parcel| parcel.0.from == 0 && parcel.0.flags.checkpoint);
    agreed
}

fn rows(featurize: &mut dyn Featurize, parcels: &[Shared<Parcel>], flags: Flags) -> Minibatch {
    // Row groups of different workers may interleave within an epoch; a key's readings must come in the input's order.
    let mut records: Vec<&Records> = parcels.iter().flat_map(|parcel| &parcel.0.records).collect();
    records.sort_by_key(|records| records.first_sequence);
    let mut parts = Vec::with_capacity(records.len() + 2);
    let rejected: Vec<DeadLetter> = parcels.iter().flat_map(|parcel| &parcel.0.rejected).cloned().collect();
    if !rejected.is_empty() {
        parts.push(Minibatch { input_rows: rejected.len() as u64, rejected, ..Minibatch::default() });
    }
    // They are no input rows.
    let rejected: Vec<DeadLetter> = parcels.iter().flat_map(|parcel| &parcel.0.pairs.rejected).cloned().collect();
    if !rejected.is_empty() {
        parts.push(Minibatch { rejected, ..Minibatch::default() });
    }
    for records in records {
        let mut minibatch = featurize.featurize(records);
        minibatch.input_rows = records.len() as u64;
        parts.push(minibatch);
    }
    if flags.pass_ends {
        parts.push(featurize.finish());
    }
    super::rows::join(parts)
}

/// Featurises what this worker owns.
pub(super) fn featurise<'s>(
    parcels: StreamVec<'s, Timestamp, Addressed>,
    featurize: Rc<RefCell<Box<dyn Featurize>>>,
    peers: usize,
    first_epoch: u64,
    control: &Arc<Control>,
) -> StreamVec<'s, Timestamp, Shared<Harvest>> {
    let control = Arc::clone(control);
    let worker = parcels.scope().index();
    parcels.unary_frontier::<CapacityContainerBuilder<Vec<Shared<Harvest>>>, _, _, _>(
        Exchange::new(|(to, _): &Addressed| *to as u64),
        "Featurise",
        |_, _| {
            let mut assembly = Assembly::new(peers, first_epoch);
            let mut capabilities = BTreeMap::new();
            let mut done = false;
            move |(input, _), output| {
                input.for_each_stamp(|capability, data| {
                    if let Some(capability) = capability.retain_least(0) {
                        for (_, parcel) in data.flat_map(|d| d.drain(..)) {
                            capabilities.entry(parcel.0.epoch).or_insert_with(|| capability.clone());
                            let (epoch, from, ends) = (parcel.0.epoch, parcel.0.from, parcel.0.flags.input_ends);
                            assembly.put(epoch, from, ends, parcel);
                        }
                    }
                });
                while let Some((epoch, parcels)) = if done || control.halted() { None } else { assembly.take() } {
                    let Some(capability) = capabilities.remove(&epoch) else { continue };
                    let flags = agree(&parcels, assembly.ended(epoch));
                    // What others sent before they heard of a stop is dropped; a restart reads it again.
                    done = flags.last;
                    let started = Instant::now();
                    let mut featurize = featurize.borrow_mut();
                    let minibatch = rows(featurize.as_mut(), &parcels, flags);
                    let snapshot = flags.checkpoint.then(|| featurize.snapshot());
                    let pairs = parcels.iter().flat_map(|parcel| &parcel.0.pairs.pairs).cloned().collect();
                    let own = parcels.iter().find(|parcel| parcel.0.from == worker);
                    let harvest = Harvest {
                        epoch,
                        from: worker,
                        minibatch,
                        pairs,
                        flags,
                        snapshot,
                        read_seconds: own.map_or(0.0, |parcel| parcel.0.read_seconds),
                        featurize_seconds: started.elapsed().as_secs_f64(),
                    };
                    output.session(&capability).give(Shared::new(harvest));
                }
                if done || control.halted() {
                    capabilities.clear();
                }
            }
        },
    )
}
