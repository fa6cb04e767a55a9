//! Puts what all readers have decoded into one order, epoch by epoch.
//!
//! One order for the whole job: an epoch takes rows from every partition that has some, as evenly as they have them. Within a
//! partition the order is that of its offsets. With one partition epochs begin and end where those of a file with the same
//! rows would, as long as rows are there to be read; at the end of what there is an epoch is cut short, so that rows leave at
//! once, and the next one fills up to the same boundary. A partition without rows is not waited for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::block::{Block, Cut, Partition};
use crate::connector::ConnectorError;
use crate::data::{DeadLetter, Place, Position, Records};

/// How long rows wait for the others of their epoch while more of them may be on the way.
pub(super) const LINGER: Duration = Duration::from_millis(50);

/// What waits or may wait for one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) rows: usize,
    pub(super) bytes: usize,
}

/// Where readers and workers meet.
pub(super) struct Hub {
    state: Mutex<State>,
    taken: Condvar,
    epoch_rows: usize,
    peers: usize,
    room: Room,
}

struct State {
    /// The next epoch to form.
    epoch: u64,
    position: Position,
    queues: BTreeMap<Partition, Queue>,
    /// Epochs that not all workers have read.
    formed: VecDeque<Formed>,
    /// What each epoch since `base` has changed.
    log: VecDeque<Change>,
    base: Position,
    /// Since when rows have been waiting for the rest of their epoch.
    waiting_since: Option<Instant>,
    fault: Option<ConnectorError>,
    closed: bool,
}

#[derive(Default)]
struct Queue {
    blocks: VecDeque<Block>,
    left: usize,
    bytes: usize,
    at_end: bool,
}

/// What one worker reads of an epoch.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) records: Vec<Records>,
    pub(super) letters: Vec<DeadLetter>,
    /// Rows of all workers up to the end of the epoch.
    pub(super) sequence: u64,
}

struct Formed {
    epoch: u64,
    parts: Vec<Option<Part>>,
}

struct Change {
    epoch: u64,
    places: Vec<(Partition, Place)>,
    sequence: u64,
    rejected: u64,
}

impl Hub {
    /// Goes on from `position` with `epoch`.
    pub(super) fn new(epoch_rows: usize, peers: usize, room: Room, epoch: u64, position: Position) -> Self {
        let state = State {
            epoch,
            base: position.clone(),
            position,
            queues: BTreeMap::new(),
            formed: VecDeque::new(),
            log: VecDeque::new(),
            waiting_since: None,
            fault: None,
            closed: false,
        };
        Self { state: Mutex::new(state), taken: Condvar::new(), epoch_rows: epoch_rows.max(1), peers, room }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a partition known, which begins at `first` if it was never read. Returns where it goes on.
    pub(super) fn open(&self, partition: &Partition, first: i64) -> Place {
        let mut state = self.lock();
        state.queues.entry(partition.clone()).or_default();
        let known = state.position.place(&partition.topic, partition.number);
        let place = known.unwrap_or(Place { offset: first, row: 0 });
        state.position.set(&partition.topic, partition.number, place);
        if known.is_none() {
            state.base.set(&partition.topic, partition.number, place);
        }
        place
    }

    /// How many partitions are known.
    pub(super) fn partitions(&self) -> usize {
        self.lock().queues.len()
    }

    /// Takes in messages, which follow those of the same partition without a gap.
    pub(super) fn publish(&self, mut block: Block) {
        let mut state = self.lock();
        let place = state.position.place(&block.partition.topic, block.partition.number);
        let queue = state.queues.entry(block.partition.clone()).or_default();
        if let (true, Some(place)) = (queue.blocks.is_empty(), place) {
            block.skip_to(place);
        }
        queue.at_end = false;
        if block.left() > 0 {
            queue.left += block.left();
            queue.bytes += block.bytes();
            queue.blocks.push_back(block);
        }
    }

    /// Nothing follows in partition `number` for now.
    pub(super) fn at_end(&self, number: i32) {
        let mut state = self.lock();
        state.queues.iter_mut().filter(|(partition, _)| partition.number == number).for_each(|(_, q)| q.at_end = true);
    }

    /// Input cannot be read any more.
    pub(super) fn fail(&self, fault: ConnectorError) {
        self.lock().fault.get_or_insert(fault);
    }

    /// Nobody reads any more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.taken.notify_all();
    }

    /// Whether nobody reads any more.
    pub(super) fn closed(&self) -> bool {
        self.lock().closed
    }

    /// Waits until there is room for more rows of `worker`, at most `patience`; whether there is.
    pub(super) fn room(&self, worker: usize, patience: Duration) -> bool {
        let full = |state: &mut State| !state.closed && !self.has_room(state, worker);
        let (state, _) =
            self.taken.wait_timeout_while(self.lock(), patience, full).unwrap_or_else(PoisonError::into_inner);
        self.has_room(&state, worker)
    }

    fn has_room(&self, state: &State, worker: usize) -> bool {
        let held = self.waiting(state, worker);
        held.rows < self.room.rows && held.bytes < self.room.bytes
    }

    /// What waits for `worker`.
    pub(super) fn held(&self, worker: usize) -> Room {
        self.waiting(&self.lock(), worker)
    }

    fn waiting(&self, state: &State, worker: usize) -> Room {
        let own = state.queues.iter().filter(|(partition, _)| partition.worker(self.peers) == worker);
        own.fold(Room { rows: 0, bytes: 0 }, |held, (_, queue)| Room {
            rows: held.rows + queue.left,
            bytes: held.bytes + queue.bytes,
        })
    }

    /// The part of `epoch` that `worker` reads, or nothing while there are not rows enough for it. Every worker asks for
    /// every epoch once, in order.
    ///
    /// # Errors
    /// What a reader has failed with, once.
    pub(super) fn read(&self, epoch: u64, worker: usize, now: Instant) -> Result<Option<Part>, ConnectorError> {
        let mut state = self.lock();
        if let Some(fault) = state.fault.take() {
            return Err(fault);
        }
        if epoch == state.epoch && !self.form(&mut state, false, now) {
            return Ok(None);
        }
        let Some(formed) = state.formed.iter_mut().find(|formed| formed.epoch == epoch) else { return Ok(None) };
        let part = formed.parts[worker].take();
        while state.formed.front().is_some_and(|formed| formed.parts.iter().all(Option::is_none)) {
            state.formed.pop_front();
        }
        Ok(part)
    }

    /// Forms `epoch` of whatever is there, perhaps nothing, unless it is formed already.
    pub(super) fn cut(&self, epoch: u64, now: Instant) {
        let mut state = self.lock();
        if epoch == state.epoch {
            self.form(&mut state, true, now);
        }
    }

    /// Where the input stands after `epoch`. Earlier epochs cannot be asked for afterwards.
    pub(super) fn position_after(&self, epoch: u64) -> Position {
        let mut state = self.lock();
        while state.log.front().is_some_and(|change| change.epoch <= epoch) {
            let Some(change) = state.log.pop_front() else { break };
            for (partition, place) in change.places {
                state.base.set(&partition.topic, partition.number, place);
            }
            state.base.sequence = change.sequence;
            state.base.rejected = change.rejected;
        }
        state.base.clone()
    }

    fn form(&self, state: &mut State, forced: bool, now: Instant) -> bool {
        let needed = self.epoch_rows - (state.position.sequence % self.epoch_rows as u64) as usize;
        let waiting: usize = state.queues.values().map(|queue| queue.left).sum();
        if waiting < needed && !forced {
            if waiting == 0 {
                state.waiting_since = None;
                return false;
            }
            let since = *state.waiting_since.get_or_insert(now);
            let at_end = state.queues.values().all(|queue| queue.at_end);
            if !at_end && now.duration_since(since) < LINGER {
                return false;
            }
        }
        state.waiting_since = None;
        let State { position, queues, .. } = state;
        let mut parts: Vec<Part> = (0..self.peers).map(|_| Part::default()).collect();
        let mut places = Vec::new();
        let shares = shares(queues.values().map(|queue| queue.left), needed);
        for ((partition, queue), share) in queues.iter_mut().zip(shares).filter(|(_, share)| *share > 0) {
            let part = &mut parts[partition.worker(self.peers)];
            let first = position.sequence;
            let place = queue.take(
                share,
                |cut| {
                    position.rejected += cut.letters.len() as u64;
                    part.letters.extend(cut.letters);
                    if let Some(records) = cut.records {
                        position.sequence += records.batch.num_rows() as u64;
                        part.records.push(records);
                    }
                    position.sequence
                },
                first,
            );
            position.set(&partition.topic, partition.number, place);
            places.push((partition.clone(), place));
        }
        let epoch = state.epoch;
        let (sequence, rejected) = (state.position.sequence, state.position.rejected);
        parts.iter_mut().for_each(|part| part.sequence = sequence);
        state.log.push_back(Change { epoch, places, sequence, rejected });
        state.formed.push_back(Formed { epoch, parts: parts.into_iter().map(Some).collect() });
        state.epoch += 1;
        self.taken.notify_all();
        true
    }
}

impl Queue {
    /// Hands out `count` rows and rejects, block by block; `give` answers with the next sequence number.
    fn take(&mut self, mut count: usize, mut give: impl FnMut(Cut) -> u64, mut sequence: u64) -> Place {
        let mut place = Place::default();
        while count > 0 {
            let Some(block) = self.blocks.front_mut() else { break };
            let before = block.left();
            let (cut, next) = block.take(count, sequence);
            let taken = before - block.left();
            (count, place) = (count - taken, next);
            self.left -= taken;
            if block.left() == 0 {
                self.bytes -= block.bytes();
                self.blocks.pop_front();
            }
            sequence = give(cut);
        }
        place
    }
}

/// Deals `needed` to queues that hold `waiting` as evenly as they can give; the first ones give the odd ones.
fn shares(waiting: impl Iterator<Item = usize>, needed: usize) -> Vec<usize> {
    let waiting: Vec<usize> = waiting.collect();
    let mut shares = vec![0; waiting.len()];
    let mut left = needed.min(waiting.iter().sum());
    while left > 0 {
        let open: Vec<usize> = (0..waiting.len()).filter(|&queue| shares[queue] < waiting[queue]).collect();
        let each = (left / open.len()).max(1);
        for queue in open {
            let more = each.min(waiting[queue] - shares[queue]).min(left);
            shares[queue] += more;
            left -= more;
        }
    }
    shares
}

#[cfg(test)]
mod tests;
