//! Everything open, as bytes.

use std::io::Cursor;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, Field};
use serde::{Deserialize, Serialize};

use super::super::missing::Imputer;
use super::cut::{Cut, Shape};
use super::held;
use super::reorder::Stamp;

/// First bytes of a snapshot: what it is and how it is laid out.
pub(super) const KIND: &str = "window 1";

/// The open state of a window featuriser; keys in ascending order, so that equal states have equal bytes.
#[derive(Serialize, Deserialize)]
pub(super) struct Snapshot {
    pub(super) kind: String,
    pub(super) shape: Shape,
    pub(super) imputer: Imputer,
    /// Arrow IPC: every label value by number; empty before the first batch.
    pub(super) labels: Vec<u8>,
    /// Arrow IPC: kept columns of the waiting readings, key by key; empty before the first batch.
    pub(super) held: Vec<u8>,
    pub(super) runs: Vec<OpenRun>,
}

/// A [`Run`](super::run::Run) at rest. Stamps point at the rows of `held` in order.
#[derive(Serialize, Deserialize)]
pub(super) struct OpenRun {
    pub(super) key: Arc<str>,
    pub(super) series: Arc<str>,
    pub(super) number: u64,
    pub(super) newest: Option<i64>,
    pub(super) last: Option<i64>,
    pub(super) cut: Cut,
    pub(super) stamps: Vec<Stamp>,
    /// Values of the waiting readings, row-major.
    pub(super) values: Vec<f32>,
}

/// Columns as Arrow IPC; nothing for no columns.
pub(super) fn columns_to_bytes(fields: &[Field], columns: Vec<ArrayRef>) -> Vec<u8> {
    let Some(batch) = held::batch(fields, columns) else { return Vec::new() };
    let write = || -> Result<Vec<u8>, ArrowError> {
        let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema())?;
        writer.write(&batch)?;
        writer.into_inner()
    };
    write().expect("arrays in memory always have an IPC form")
}

/// Reverses [`columns_to_bytes`].
///
/// # Errors
/// If the bytes are no Arrow IPC stream of one batch.
pub(super) fn columns_from_bytes(bytes: &[u8]) -> Result<(Vec<Field>, Vec<ArrayRef>), String> {
    if bytes.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let read = || -> Result<Option<RecordBatch>, ArrowError> {
        StreamReader::try_new(Cursor::new(bytes), None)?.next().transpose()
    };
    let batch = read().map_err(|error| format!("damaged columns in the snapshot: {error}"))?;
    let batch = batch.ok_or("columns are missing in the snapshot")?;
    let fields = batch.schema_ref().fields().iter().map(|field| field.as_ref().clone()).collect();
    Ok((fields, batch.columns().to_vec()))
}
