//! What should be there and what is.

use std::collections::BTreeMap;

use super::Verified;
use crate::connector::kafka::audit::Ranges;

/// Problems of one kind that are told one by one.
const SHOWN: usize = 5;

/// Rows by source and partition.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<String, BTreeMap<i32, Rows>>);

/// Rows of one partition, by ascending offset.
#[derive(Debug, Default)]
struct Rows {
    /// The first offset that counts.
    from: i64,
    /// Offset and how many rows it should give.
    expected: Vec<(i64, u32)>,
    /// How many it gave.
    found: Vec<u32>,
    /// Offsets before the end that are not in the input.
    foreign: Vec<i64>,
}

impl Tally {
    /// Where partitions begin to count.
    pub(super) fn begin(&mut self, ranges: &Ranges) {
        for ((source, partition), (from, _)) in ranges {
            let rows = Rows { from: *from, ..Rows::default() };
            self.0.entry(source.clone()).or_default().insert(*partition, rows);
        }
    }

    /// An offset of the input should give so many rows. Offsets of a partition come in order.
    pub(super) fn expect(&mut self, source: &str, partition: i32, offset: i64, rows: u32) {
        if !self.0.contains_key(source) {
            self.0.insert(source.to_owned(), BTreeMap::new());
        }
        let Some(partitions) = self.0.get_mut(source) else { return };
        let known = partitions.entry(partition).or_default();
        known.expected.push((offset, rows));
        known.found.push(0);
    }

    /// All rows that should be there.
    pub(super) fn expected(&self) -> u64 {
        self.0
            .values()
            .flat_map(BTreeMap::values)
            .flat_map(|rows| &rows.expected)
            .map(|(_, rows)| u64::from(*rows))
            .sum()
    }

    /// A row is there. Returns whether it counts: what lies before the beginning or after the end does not.
    pub(super) fn found(&mut self, source: &str, partition: i32, offset: i64) -> bool {
        let Some(rows) = self.0.get_mut(source).and_then(|partitions| partitions.get_mut(&partition)) else {
            return false;
        };
        let end = rows.expected.last().map_or(rows.from, |(last, _)| last + 1);
        if offset < rows.from || offset >= end {
            return false;
        }
        match rows.expected.binary_search_by_key(&offset, |(offset, _)| *offset) {
            Ok(place) => rows.found[place] += 1,
            Err(_) => rows.foreign.push(offset),
        }
        true
    }

    /// Says what is wrong.
    pub(super) fn judge(&self, may_miss: bool, may_repeat: bool, verified: &mut Verified) {
        let (mut lost, mut twice, mut foreign) = (Vec::new(), Vec::new(), Vec::new());
        let mut repeated = 0;
        for (source, partitions) in &self.0 {
            for (partition, rows) in partitions {
                let name = |offset: &i64| format!("{source}/{partition} offset {offset}");
                foreign.extend(rows.foreign.iter().map(name));
                for ((offset, expected), found) in rows.expected.iter().zip(&rows.found) {
                    if found < expected && !may_miss {
                        lost.push(name(offset));
                    }
                    if found > expected {
                        repeated += u64::from(found - expected);
                        twice.push(name(offset));
                    }
                }
            }
        }
        verified.repeated_rows = repeated;
        if may_repeat {
            twice.clear();
        }
        let kinds = [("lost", lost), ("there more than once", twice), ("there and not in the input", foreign)];
        for (kind, rows) in kinds.into_iter().filter(|(_, rows)| !rows.is_empty()) {
            let shown = rows.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
            let more = if rows.len() > SHOWN { ", …" } else { "" };
            verified.problems.push(format!("{} offsets are {kind}: {shown}{more}", rows.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(found: &[i64], may_miss: bool, may_repeat: bool) -> Verified {
        let mut tally = Tally::default();
        tally.begin(&[(("t".to_owned(), 0), (10, 15))].into_iter().collect());
        // Offset 12 is not in the input: a transaction ended there. Offset 13 is a message of two rows.
        [(10, 1), (11, 1), (13, 2)].into_iter().for_each(|(offset, rows)| tally.expect("t", 0, offset, rows));
        assert_eq!(tally.expected(), 4);
        found.iter().for_each(|offset| {
            tally.found("t", 0, *offset);
        });
        let mut verified = Verified::default();
        tally.judge(may_miss, may_repeat, &mut verified);
        verified
    }

    #[test]
    fn rows_outside_the_range_and_complete_ones_are_no_problem() {
        assert_eq!(judged(&[9, 10, 11, 13, 13, 14], false, false), Verified::default());
    }

    #[test]
    fn every_kind_of_difference_is_found_and_named() {
        for (found, part) in [
            (&[10, 11, 13][..], "1 offsets are lost: t/0 offset 13"),
            (&[10, 10, 11, 13, 13], "more than once: t/0 offset 10"),
            (&[10, 11, 12, 13, 13], "not in the input: t/0 offset 12"),
        ] {
            let problems = judged(found, false, false).problems;
            assert!(problems.len() == 1 && problems[0].contains(part), "{problems:?}");
        }
        assert_eq!(judged(&[10], true, false).problems, Vec::<String>::new());
        let repeated = judged(&[10, 10, 11, 13, 13], false, true);
        assert_eq!((repeated.repeated_rows, repeated.problems.len()), (1, 0));
    }
}
