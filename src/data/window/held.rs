//! Kept columns of readings that wait for others or end a window.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use arrow_schema::{Field, Schema};
use arrow_select::interleave::interleave;

use super::reorder::Kept;

/// Rows beyond twice the needed ones, and batches, that are held before the needed rows are gathered anew.
const SLACK_ROWS: usize = 4_096;
const MOST_BATCHES: usize = 256;

/// The batches that waiting readings point into. Without kept columns it stays empty.
#[derive(Default)]
pub(super) struct Held {
    batches: Vec<Vec<ArrayRef>>,
    rows: usize,
}

impl Held {
    /// Holds the kept columns of one more batch and returns its number.
    pub(super) fn add(&mut self, columns: Vec<ArrayRef>) -> u32 {
        let Some(first) = columns.first() else { return 0 };
        self.rows += first.len();
        self.batches.push(columns);
        self.batches.len() as u32 - 1
    }

    /// The rows pointed at, one array a column.
    pub(super) fn gather(&self, fields: &[Field], rows: &[Kept]) -> Vec<ArrayRef> {
        let places: Vec<(usize, usize)> = rows.iter().map(|kept| (kept.batch as usize, kept.row as usize)).collect();
        fields
            .iter()
            .enumerate()
            .map(|(column, field)| {
                if places.is_empty() {
                    return new_null_array(field.data_type(), 0);
                }
                let arrays: Vec<_> = self.batches.iter().map(|batch| batch[column].as_ref()).collect();
                interleave(&arrays, &places).unwrap_or_else(|error| {
                    // Only dictionaries whose keys are too small for all their values together.
                    tracing::error!(column = field.name(), %error, "the column is null in {} rows", rows.len());
                    new_null_array(field.data_type(), rows.len())
                })
            })
            .collect()
    }

    /// Whether much more is held than the `needed` rows.
    pub(super) fn wasteful(&self, needed: usize) -> bool {
        !self.batches.is_empty()
            && (needed == 0 || self.rows > 2 * needed + SLACK_ROWS || self.batches.len() > MOST_BATCHES)
    }

    /// Holds only these rows from now on, as batch 0.
    pub(super) fn replace(&mut self, columns: Vec<ArrayRef>) {
        self.batches.clear();
        self.rows = 0;
        if columns.first().is_some_and(|column| !column.is_empty()) {
            self.add(columns);
        }
    }

    pub(super) fn knows(&self, kept: Kept) -> bool {
        match self.batches.get(kept.batch as usize).and_then(|batch| batch.first()) {
            Some(column) => (kept.row as usize) < column.len(),
            None => self.batches.is_empty(),
        }
    }
}

/// One batch of columns, or `None` without columns.
pub(super) fn batch(fields: &[Field], columns: Vec<ArrayRef>) -> Option<RecordBatch> {
    if columns.is_empty() {
        return None;
    }
    let schema = Arc::new(Schema::new(fields.to_vec()));
    Some(RecordBatch::try_new(schema, columns).expect("columns have the types of the fields and one length"))
}
