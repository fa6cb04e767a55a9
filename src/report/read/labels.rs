//! The labels of single rows.

use std::collections::HashMap;

use arrow_array::types::{Int32Type, Int64Type};

use super::Run;
use super::assignments;
use super::table::Table;
use crate::data::Coordinates;
use crate::report::ReportError;

/// The label of each of `rows`, as it is written out; `None` where the assignments have no such row or it has no label.
///
/// # Errors
/// As [`read`](super::read).
pub fn labels(run: &Run, rows: &[Coordinates]) -> Result<Vec<Option<String>>, ReportError> {
    let place = |row: &'_ Coordinates| (row.source.to_string(), row.partition, row.offset);
    let mut wanted: HashMap<(String, i32, i64), Option<String>> = rows.iter().map(|row| (place(row), None)).collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    Table::open(&run.assignments)?.each(&["source", "partition", "offset", &run.label], |batch| {
        let Some(column) = batch.column(&run.label) else { return Ok(()) };
        let labels = assignments::labels(batch, &run.label, column)?;
        let sources = batch.texts("source")?;
        let (partitions, offsets) = (batch.numbers::<Int32Type>("partition")?, batch.numbers::<Int64Type>("offset")?);
        for (row, label) in labels.into_iter().enumerate() {
            let place = (sources.value(row).to_owned(), partitions.value(row), offsets.value(row));
            if let Some(found) = wanted.get_mut(&place) {
                *found = label.map(|label| label.to_string());
            }
        }
        Ok(())
    })?;
    Ok(rows.iter().map(|row| wanted.get(&place(row)).cloned().flatten()).collect())
}
