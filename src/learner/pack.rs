//! Rows are shared between anchors, neighbours and waiting rows; a checkpoint holds each of them once.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::sample::Sample;
use crate::data::Row;

/// Gathers rows and numbers them.
#[derive(Clone, Debug, Default)]
pub struct RowTable {
    rows: Vec<Arc<Row>>,
    numbers: HashMap<u64, u32>,
}

impl RowTable {
    /// The number of `row`.
    pub fn put(&mut self, row: &Arc<Row>) -> u32 {
        *self.numbers.entry(row.sequence).or_insert_with(|| {
            self.rows.push(Arc::clone(row));
            self.rows.len() as u32 - 1
        })
    }

    /// A sample with rows replaced by numbers.
    pub fn pack(&mut self, sample: &Sample) -> PackedSample {
        let row = self.put(&sample.row);
        let mut side = |side: &[(i64, Arc<Row>)]| side.iter().map(|(place, row)| (*place, self.put(row))).collect();
        PackedSample {
            row,
            key: sample.key,
            place: sample.place,
            before: side(&sample.before),
            after: side(&sample.after),
        }
    }

    /// The rows by number.
    #[must_use]
    pub fn into_rows(self) -> Vec<Arc<Row>> {
        self.rows
    }
}

/// A [`Sample`] as it stands in a checkpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PackedSample {
    row: u32,
    key: u32,
    place: i64,
    before: Vec<(i64, u32)>,
    after: Vec<(i64, u32)>,
}

impl PackedSample {
    /// The sample that was packed.
    ///
    /// # Errors
    /// If a row number is not in `rows`.
    pub fn unpack(self, rows: &[Arc<Row>]) -> Result<Sample, String> {
        let row =
            |number: u32| rows.get(number as usize).map(Arc::clone).ok_or_else(|| format!("row {number} is missing"));
        let side = |side: Vec<(i64, u32)>| {
            side.into_iter().map(|(place, n)| Ok((place, row(n)?))).collect::<Result<_, String>>()
        };
        Ok(Sample {
            row: row(self.row)?,
            key: self.key,
            place: self.place,
            before: side(self.before)?,
            after: side(self.after)?,
        })
    }
}
