//! The horizon of balance and replay: a uniform sample of all rows so far, each with its neighbours in time.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::half_life;
use super::pack::{PackedSample, RowTable};
use super::sample::{REACH, Sample};
use super::trainer::Item;
use crate::data::Row;
use crate::stats::dots;

/// How rows find their neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Nearness {
    /// By event time within the key, at most this many nanoseconds apart.
    Time(i64),
    /// By number of arrival within the key.
    Arrival,
    /// By cosine of standardised features: streams without keys and time.
    Features,
}

/// Rows a key remembers beside the anchors, so that the next rows find their predecessors.
const RECENT: usize = 2 * REACH;
/// Nearest rows kept where there is neither key nor time.
pub(super) const NEAREST: usize = 5;

/// `1 - cos` in billionths.
pub(super) fn billionths(cosine: f32) -> i64 {
    (f64::from(1.0 - cosine) * 1e9) as i64
}

/// Where a row stands: series, place, sequence number.
type Stand = (Arc<str>, i64, u64);

/// Uniform reservoir sampling (Vitter 1985, algorithm R), or one whose memory halves in event time
/// ([`half_life::priority`]), over rows that keep up to four neighbours on each side.
///
/// A row's neighbours are found when it arrives, among the anchors and the last rows of its key, and it becomes a neighbour of
/// those in turn: rows that come late or shuffled still find theirs, and nothing outside the reservoir is ever needed.
#[derive(Clone, Debug)]
pub struct Reservoir {
    capacity: usize,
    nearness: Nearness,
    seen: u64,
    anchors: Vec<Sample>,
    /// Sequence number of an anchor → its slot.
    slots: HashMap<u64, usize>,
    /// Per key, the anchors and the last rows in the order of time.
    timelines: BTreeMap<u32, BTreeMap<Stand, Arc<Row>>>,
    recent: BTreeMap<u32, VecDeque<Stand>>,
    arrived: BTreeMap<u32, i64>,
    /// Unit-length standardised features of each anchor, only for [`Nearness::Features`].
    directions: Vec<Vec<f32>>,
    /// Seconds of event time in which the chance to stay halves; none keeps every row with the same chance.
    half_life: Option<f64>,
    /// Priority of each anchor, only with a half-life.
    priorities: Vec<f64>,
}

impl Reservoir {
    /// An empty reservoir of at most `capacity` anchors.
    #[must_use]
    pub fn new(capacity: usize, nearness: Nearness, half_life: Option<f64>) -> Self {
        Self {
            capacity,
            nearness,
            seen: 0,
            anchors: Vec::new(),
            slots: HashMap::new(),
            timelines: BTreeMap::new(),
            recent: BTreeMap::new(),
            arrived: BTreeMap::new(),
            directions: Vec::new(),
            half_life,
            priorities: Vec::new(),
        }
    }

    /// The anchors.
    #[must_use]
    pub fn anchors(&self) -> &[Sample] {
        &self.anchors
    }

    /// Every row that is remembered, with its key: the anchors and the last rows of each key. Some come more than once.
    pub fn rows(&self) -> impl Iterator<Item = (&Arc<Row>, u32)> {
        let recent = self.timelines.iter().flat_map(|(key, timeline)| timeline.values().map(|row| (row, *key)));
        self.anchors.iter().map(|anchor| (&anchor.row, anchor.key)).chain(recent)
    }

    /// How neighbours are found.
    #[must_use]
    pub fn nearness(&self) -> Nearness {
        self.nearness
    }

    /// Rows have arrived that are looked for by their features: finds their nearest anchors, of all rows at once, because
    /// going through the anchors for each row would be going through memory.
    #[must_use]
    pub fn befriend(&self, items: &[Item], directions: &[Vec<f32>]) -> Vec<Sample> {
        let distances = self.distances(directions);
        let mut samples: Vec<Sample> = items.iter().map(|(row, key)| Sample::new(Arc::clone(row), *key, 0)).collect();
        for (sample, distances) in samples.iter_mut().zip(distances.chunks_exact(self.anchors.len().max(1))) {
            for (anchor, distance) in self.anchors.iter().zip(distances) {
                sample.befriend(*distance, &anchor.row, NEAREST);
            }
        }
        samples
    }

    /// How far each direction is from each anchor, see [`billionths`]: `[directions, anchors]`.
    fn distances(&self, directions: &[Vec<f32>]) -> Vec<i64> {
        let from: Vec<&[f32]> = directions.iter().map(Vec::as_slice).collect();
        let to: Vec<&[f32]> = self.directions.iter().map(Vec::as_slice).collect();
        let mut cosines = vec![0.0; from.len() * to.len()];
        dots(&from, &to, &mut cosines);
        cosines.into_iter().map(billionths).collect()
    }

    /// A row has arrived: finds its neighbours and makes it one of theirs. `waiting` are rows that arrived before but have not
    /// been learned from yet.
    pub fn admit(&mut self, row: Arc<Row>, key: u32, waiting: &mut [Sample]) -> Sample {
        let arrived = self.arrived.entry(key).or_default();
        let (place, gap) = match (self.nearness, row.event_time) {
            (Nearness::Time(gap), Some(time)) => (time, gap),
            _ => (*arrived, REACH as i64),
        };
        *arrived += 1;
        let mut sample = Sample::new(Arc::clone(&row), key, place);
        let timeline = self.timelines.entry(key).or_default();
        let from = (Arc::clone(&row.series), place.saturating_sub(gap), 0);
        let to = (Arc::clone(&row.series), place.saturating_add(gap), u64::MAX);
        for ((_, at, sequence), near) in timeline.range(from..=to) {
            sample.offer(*at, near);
            match self.slots.get(sequence) {
                Some(&slot) => self.anchors[slot].offer(place, &row),
                None => {
                    if let Some(other) = waiting.iter_mut().find(|w| w.row.sequence == *sequence) {
                        other.offer(place, &row);
                    }
                }
            }
        }
        let stand = sample.stand();
        timeline.insert(stand.clone(), row);
        let recent = self.recent.entry(key).or_default();
        recent.push_back(stand);
        if recent.len() > RECENT
            && let Some(old) = recent.pop_front()
            && !self.slots.contains_key(&old.2)
        {
            timeline.remove(&old);
        }
        sample
    }

    /// Lets a row that has been learned from take part in the draw.
    pub fn insert(&mut self, sample: Sample, direction: Option<Vec<f32>>, rng: &mut ChaCha8Rng) {
        self.seen += 1;
        let Some(slot) = self.draw(sample.row.event_time, rng) else { return };
        if direction.is_none() {
            self.timelines.entry(sample.key).or_default().insert(sample.stand(), Arc::clone(&sample.row));
        }
        self.slots.insert(sample.row.sequence, slot);
        if slot == self.anchors.len() {
            self.anchors.push(sample);
        } else {
            let old = std::mem::replace(&mut self.anchors[slot], sample);
            self.slots.remove(&old.row.sequence);
            self.retire(&old);
        }
        if let Some(direction) = direction {
            self.connect(slot, direction);
        }
    }

    /// The slot that a new row takes, if it takes one.
    fn draw(&mut self, event_time: Option<i64>, rng: &mut ChaCha8Rng) -> Option<usize> {
        let free = self.anchors.len();
        let Some(half_life) = self.half_life else {
            if free < self.capacity {
                return Some(free);
            }
            return usize::try_from(rng.random_range(0..self.seen)).ok().filter(|slot| *slot < self.capacity);
        };
        let priority = half_life::priority(event_time.unwrap_or_default(), half_life, rng.random());
        if free < self.capacity {
            self.priorities.push(priority);
            return Some(free);
        }
        let (slot, lowest) = self.priorities.iter().copied().enumerate().min_by(|a, b| a.1.total_cmp(&b.1))?;
        (priority > lowest).then(|| {
            self.priorities[slot] = priority;
            slot
        })
    }

    /// Takes a former anchor off its key's timeline unless it is among the key's last rows.
    fn retire(&mut self, old: &Sample) {
        let stand = old.stand();
        if self.recent.get(&old.key).is_some_and(|recent| recent.contains(&stand)) {
            return;
        }
        if let Some(timeline) = self.timelines.get_mut(&old.key) {
            timeline.remove(&stand);
        }
    }

    /// Makes the anchor in `slot` and all others neighbours where they are near enough.
    fn connect(&mut self, slot: usize, direction: Vec<f32>) {
        let row = Arc::clone(&self.anchors[slot].row);
        let mut own = Sample::new(Arc::clone(&row), self.anchors[slot].key, 0);
        let distances = self.distances(std::slice::from_ref(&direction));
        for (i, (anchor, distance)) in self.anchors.iter_mut().zip(distances).enumerate() {
            if i != slot {
                anchor.befriend(distance, &row, NEAREST);
                own.befriend(distance, &anchor.row, NEAREST);
            }
        }
        self.anchors[slot] = own;
        if slot == self.directions.len() {
            self.directions.push(direction);
        } else {
            self.directions[slot] = direction;
        }
    }

    /// The anchors of each key, by ascending key.
    #[must_use]
    pub fn by_key(&self) -> BTreeMap<u32, Vec<usize>> {
        let mut groups = BTreeMap::<u32, Vec<usize>>::new();
        for (i, anchor) in self.anchors.iter().enumerate() {
            groups.entry(anchor.key).or_default().push(i);
        }
        groups
    }

    /// Everything a restart needs, with rows replaced by their numbers in `table`.
    #[must_use]
    pub fn pack(&self, table: &mut RowTable) -> PackedReservoir {
        let rest = self.timelines.iter().flat_map(|(key, timeline)| timeline.iter().map(move |entry| (*key, entry)));
        PackedReservoir {
            capacity: self.capacity,
            nearness: self.nearness,
            seen: self.seen,
            anchors: self.anchors.iter().map(|a| table.pack(a)).collect(),
            rest: rest.map(|(key, (stand, row))| (key, stand.1, table.put(row))).collect(),
            recent: self.recent.iter().map(|(key, stands)| (*key, stands.iter().cloned().collect())).collect(),
            arrived: self.arrived.clone(),
            directions: self.directions.clone(),
            half_life: self.half_life,
            priorities: self.priorities.clone(),
        }
    }

    /// The reservoir that was packed.
    ///
    /// # Errors
    /// If a row number is not in `rows`.
    pub fn unpack(packed: PackedReservoir, rows: &[Arc<Row>]) -> Result<Self, String> {
        let mut timelines = BTreeMap::<u32, BTreeMap<Stand, Arc<Row>>>::new();
        for (key, place, number) in packed.rest {
            let row = Arc::clone(rows.get(number as usize).ok_or("a row of the timeline is missing")?);
            timelines.entry(key).or_default().insert((Arc::clone(&row.series), place, row.sequence), row);
        }
        let anchors = packed.anchors.into_iter().map(|a| a.unpack(rows)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            capacity: packed.capacity,
            nearness: packed.nearness,
            seen: packed.seen,
            slots: anchors.iter().enumerate().map(|(slot, a)| (a.row.sequence, slot)).collect(),
            anchors,
            timelines,
            recent: packed.recent.into_iter().map(|(key, stands)| (key, stands.into())).collect(),
            arrived: packed.arrived,
            directions: packed.directions,
            half_life: packed.half_life,
            priorities: packed.priorities,
        })
    }
}

/// A [`Reservoir`] as it stands in a checkpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PackedReservoir {
    capacity: usize,
    nearness: Nearness,
    seen: u64,
    anchors: Vec<PackedSample>,
    rest: Vec<(u32, i64, u32)>,
    recent: BTreeMap<u32, Vec<Stand>>,
    arrived: BTreeMap<u32, i64>,
    directions: Vec<Vec<f32>>,
    half_life: Option<f64>,
    priorities: Vec<f64>,
}

#[cfg(test)]
mod tests;
