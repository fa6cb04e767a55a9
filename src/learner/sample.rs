//! A row with its neighbours in time: what batches are drawn from.

use std::sync::Arc;

use crate::data::Row;

/// How many neighbours a row keeps on each side.
pub const REACH: usize = 4;

/// A retained row and the rows near it on the same device.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The row.
    pub row: Arc<Row>,
    /// Number of its key.
    pub key: u32,
    /// Where it stands in time: event time in nanoseconds, or its number within its key.
    pub place: i64,
    /// Up to [`REACH`] rows before it, nearest first.
    pub before: Vec<(i64, Arc<Row>)>,
    /// Up to [`REACH`] rows after it, nearest first.
    pub after: Vec<(i64, Arc<Row>)>,
}

impl Sample {
    /// A row that knows no neighbour yet.
    #[must_use]
    pub fn new(row: Arc<Row>, key: u32, place: i64) -> Self {
        Self { row, key, place, before: Vec::new(), after: Vec::new() }
    }

    /// Takes `row` as a neighbour if it is among the nearest of its side. A row at the same place is a copy, not a neighbour.
    pub fn offer(&mut self, place: i64, row: &Arc<Row>) {
        let side = match place.cmp(&self.place) {
            std::cmp::Ordering::Less => &mut self.before,
            std::cmp::Ordering::Greater => &mut self.after,
            std::cmp::Ordering::Equal => return,
        };
        let distance = |p: i64| p.abs_diff(self.place);
        if side.iter().any(|(p, _)| *p == place) {
            return;
        }
        let at = side.partition_point(|(p, _)| distance(*p) < distance(place));
        if at < REACH {
            side.truncate(REACH - 1);
            side.insert(at, (place, Arc::clone(row)));
        }
    }

    /// Takes `row` as a neighbour if it is among the `most` nearest in feature space.
    pub fn befriend(&mut self, distance: i64, row: &Arc<Row>, most: usize) {
        let at = self.before.partition_point(|(d, _)| *d <= distance);
        if at < most {
            self.before.truncate(most - 1);
            self.before.insert(at, (distance, Arc::clone(row)));
        }
    }

    /// Where the row stands on its key's timeline.
    #[must_use]
    pub fn stand(&self) -> (Arc<str>, i64, u64) {
        (Arc::clone(&self.row.series), self.place, self.row.sequence)
    }

    /// Number of neighbours.
    #[must_use]
    pub fn degree(&self) -> usize {
        self.before.len() + self.after.len()
    }

    /// Neighbour number `index`, or the row itself if there is none.
    #[must_use]
    pub fn neighbour(&self, index: usize) -> &Arc<Row> {
        self.before.iter().chain(&self.after).nth(index).map_or(&self.row, |(_, row)| row)
    }
}
