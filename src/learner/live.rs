//! Pairs that come live: long after their rows, or before them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::learner::Learner;
use super::pack::RowTable;
use super::pairs::{PairStore, item};
use super::supervision::{Supervision, Teacher};
use super::trainer::Item;
use crate::data::{Coordinates, Row, RowPair};
use crate::objective::Link;
use crate::replica::{Arrival, PairCounts};

/// Pairs that wait for a row.
///
/// ```text
/// both rows are known             the pair is learned from
/// a row is still to come          it waits; where too many wait the oldest goes
/// a row has come and is gone      it goes
/// ```
///
/// A row is still to come if its offset lies beyond all that have come from its partition. Where rows of a partition do not
/// come by ascending offset nobody knows, and every pair without its rows waits.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct LivePairs {
    /// By number of arrival.
    waiting: BTreeMap<u64, Waiting>,
    /// Numbers of the pairs that wait for a row.
    awaited: BTreeMap<Coordinates, Vec<u64>>,
    /// Source → partition → largest offset that has come.
    passed: BTreeMap<Arc<str>, BTreeMap<i32, i64>>,
    counts: PairCounts,
}

#[derive(Clone, Debug, PartialEq)]
struct Waiting {
    ends: [End; 2],
    link: Link,
}

/// One of the rows of a pair.
#[derive(Clone, Debug, PartialEq)]
enum End {
    Here(Item),
    Awaited(Coordinates),
}

/// How pairs are treated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manners {
    /// Rows of a partition come by ascending offset.
    pub(super) ordered: bool,
    /// Pairs that may wait.
    pub(super) room: usize,
}

/// Two rows and what is said of them.
type Made = (Item, Item, Link);

impl LivePairs {
    /// Pairs have come; `known` are the rows that are remembered. Gives those that can be learned from at once.
    pub(super) fn take<'a>(
        &mut self,
        pairs: Vec<RowPair>,
        known: impl Iterator<Item = (&'a Arc<Row>, u32)>,
        manners: Manners,
    ) -> Vec<Made> {
        let found = self.find(&pairs, known);
        let mut made = Vec::new();
        for (ends, must) in pairs {
            let number = self.counts.taken;
            self.counts.taken += 1;
            let link = if must { Link::Must } else { Link::Cannot };
            let ends =
                ends.map(|end| found.get(&end).map_or_else(|| End::Awaited(end.clone()), |i| End::Here(i.clone())));
            match ends {
                [End::Here(first), End::Here(second)] => {
                    self.counts.made += 1;
                    made.push((first, second, link));
                }
                ends if manners.ordered && ends.iter().any(|end| self.has_passed(end)) => self.counts.gone += 1,
                ends => {
                    for end in &ends {
                        if let End::Awaited(row) = end {
                            self.awaited.entry(row.clone()).or_default().push(number);
                        }
                    }
                    self.waiting.insert(number, Waiting { ends, link });
                }
            }
        }
        while self.waiting.len() > manners.room {
            let Some((number, oldest)) = self.waiting.pop_first() else { break };
            self.forget(number, &oldest);
            self.counts.dropped += 1;
        }
        made
    }

    /// The rows of `pairs` that are known.
    fn find<'a>(
        &self,
        pairs: &[RowPair],
        known: impl Iterator<Item = (&'a Arc<Row>, u32)>,
    ) -> HashMap<Coordinates, Item> {
        let wanted: HashSet<&Coordinates> = pairs.iter().flat_map(|(ends, _)| ends).collect();
        let mut found = HashMap::new();
        let mut see = |row: &Arc<Row>, key: u32| {
            if wanted.contains(&row.coordinates) {
                found.entry(row.coordinates.clone()).or_insert_with(|| (Arc::clone(row), key));
            }
        };
        known.for_each(|(row, key)| see(row, key));
        for end in self.waiting.values().flat_map(|waiting| &waiting.ends) {
            if let End::Here((row, key)) = end {
                see(row, *key);
            }
        }
        found
    }

    fn has_passed(&self, end: &End) -> bool {
        let End::Awaited(row) = end else { return false };
        let passed = self.passed.get(&row.source).and_then(|partitions| partitions.get(&row.partition));
        passed.is_some_and(|passed| row.offset <= *passed)
    }

    /// A row has come that may be learned from.
    pub(super) fn meet(&mut self, row: &Item, store: &mut PairStore) {
        if self.awaited.is_empty() {
            return;
        }
        for number in self.awaited.remove(&row.0.coordinates).unwrap_or_default() {
            let Some(pair) = self.waiting.get_mut(&number) else { continue };
            for end in &mut pair.ends {
                if matches!(end, End::Awaited(coordinates) if *coordinates == row.0.coordinates) {
                    *end = End::Here(row.clone());
                }
            }
            if let [End::Here(first), End::Here(second)] = &pair.ends {
                store.say(first.clone(), second.clone(), pair.link);
                self.waiting.remove(&number);
                self.counts.made += 1;
            }
        }
    }

    /// These rows have come, whether or not they may be learned from: nobody waits for an earlier one of their partitions.
    fn pass(&mut self, rows: &[Arrival], ordered: bool) {
        for coordinates in rows.iter().map(|arrival| &arrival.row.coordinates) {
            if !self.passed.contains_key(&coordinates.source) {
                self.passed.insert(Arc::clone(&coordinates.source), BTreeMap::new());
            }
            let Some(partitions) = self.passed.get_mut(&coordinates.source) else { continue };
            let passed = partitions.entry(coordinates.partition).or_insert(coordinates.offset);
            *passed = coordinates.offset.max(*passed);
        }
        if !ordered || self.awaited.is_empty() {
            return;
        }
        let places = self.passed.iter().flat_map(|(source, partitions)| partitions.iter().map(move |p| (source, p)));
        let gone: Vec<u64> = places
            .flat_map(|(source, (partition, passed))| {
                let at = |offset| Coordinates { source: Arc::clone(source), partition: *partition, offset };
                self.awaited.range(at(i64::MIN)..=at(*passed)).flat_map(|(_, numbers)| numbers.iter().copied())
            })
            .collect();
        for number in gone {
            // Both of its rows may be gone.
            if let Some(pair) = self.waiting.remove(&number) {
                self.forget(number, &pair);
                self.counts.gone += 1;
            }
        }
    }

    /// Waits no longer for the rows of a pair.
    fn forget(&mut self, number: u64, pair: &Waiting) {
        for end in &pair.ends {
            let End::Awaited(row) = end else { continue };
            let Some(numbers) = self.awaited.get_mut(row) else { continue };
            numbers.retain(|other| *other != number);
            if numbers.is_empty() {
                self.awaited.remove(row);
            }
        }
    }

    fn counts(&self) -> PairCounts {
        PairCounts { waiting: self.waiting.len() as u64, ..self.counts }
    }

    pub(super) fn pack(&self, table: &mut RowTable) -> PackedLive {
        let mut packed = |end: &End| match end {
            End::Here((row, key)) => PackedEnd::Here((table.put(row), *key)),
            End::Awaited(row) => PackedEnd::Awaited(row.clone()),
        };
        let waiting = self.waiting.iter();
        PackedLive {
            waiting: waiting.map(|(n, pair)| (*n, pair.ends.each_ref().map(&mut packed), pair.link)).collect(),
            passed: self.passed.clone(),
            counts: self.counts,
        }
    }

    /// The pairs that were packed.
    ///
    /// # Errors
    /// If a row number is not in `rows`.
    pub(super) fn unpack(packed: PackedLive, rows: &[Arc<Row>]) -> Result<Self, String> {
        let mut live = Self { passed: packed.passed, counts: packed.counts, ..Self::default() };
        let unpacked = |end| {
            Ok::<_, String>(match end {
                PackedEnd::Here(numbers) => End::Here(item(numbers, rows)?),
                PackedEnd::Awaited(row) => End::Awaited(row),
            })
        };
        for (number, [first, second], link) in packed.waiting {
            let ends = [unpacked(first)?, unpacked(second)?];
            for end in &ends {
                if let End::Awaited(row) = end {
                    live.awaited.entry(row.clone()).or_default().push(number);
                }
            }
            live.waiting.insert(number, Waiting { ends, link });
        }
        Ok(live)
    }
}

/// [`LivePairs`] as they stand in a checkpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PackedLive {
    waiting: Vec<(u64, [PackedEnd; 2], Link)>,
    passed: BTreeMap<Arc<str>, BTreeMap<i32, i64>>,
    counts: PairCounts,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum PackedEnd {
    Here((u32, u32)),
    Awaited(Coordinates),
}

impl Learner {
    /// How pairs are treated that come live; nothing if none can come.
    fn manners(&self) -> Option<Manners> {
        let Supervision { teacher, ascent, .. } = self.settings.supervision.as_ref()?;
        match teacher {
            Teacher::Live { ordered } => Some(Manners { ordered: *ordered, room: ascent.capacity }),
            _ => None,
        }
    }

    /// Pairs have come. Rows that are held for the first model have not been met: they are, before it is fitted.
    pub(super) fn listen(&mut self, pairs: Vec<RowPair>) {
        let Some(manners) = self.manners() else { return };
        let Some(online) = &mut self.online else {
            self.live.take(pairs, std::iter::empty(), manners);
            return;
        };
        for (first, second, link) in self.live.take(pairs, online.known(), manners) {
            online.pairs.say(first, second, link);
        }
    }

    /// Rows have come and were met as far as they may be learned from.
    pub(super) fn pass(&mut self, rows: &[Arrival]) {
        if let Some(manners) = self.manners() {
            self.live.pass(rows, manners.ordered);
        }
    }

    /// What has become of pairs that came live; nothing if none can come.
    pub(super) fn heard(&self) -> Option<PairCounts> {
        self.manners().map(|_| self.live.counts())
    }
}

#[cfg(test)]
mod tests;
