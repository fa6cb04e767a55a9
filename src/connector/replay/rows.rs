//! Rows of Parquet files in the order in which they are published.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use arrow_select::interleave::interleave_record_batch;

use super::super::{
    ConnectorError, Pace, ParquetCatalog, ParquetSource, ParquetSourceParameters, Polled, Share, Source,
};
use super::ReplayError;
use crate::data::identify;

/// Rows read and published at once.
const CHUNK_ROWS: usize = 2048;

/// Consecutive rows with their keys and event times.
pub(super) struct Chunk {
    pub(super) batch: RecordBatch,
    pub(super) keys: Vec<String>,
    pub(super) times: Vec<Option<i64>>,
}

/// Which rows, and what orders them.
pub(super) struct Rows {
    source: ParquetSource,
    schema: SchemaRef,
    key: Vec<String>,
    time: Option<String>,
    next_epoch: u64,
    /// All rows, if they have to be sorted.
    sorted: Option<Sorted>,
}

/// All rows in memory and their order: time, then place in the input.
struct Sorted {
    batches: Vec<RecordBatch>,
    order: Vec<Place>,
    next: usize,
}

struct Place {
    time: i64,
    batch: u32,
    row: u32,
}

impl Rows {
    /// Opens the files. Without a time column they are read as they go, in file order; with one all rows are held in memory
    /// and sorted.
    pub(super) fn open(files: &[String], key: &[String], time: Option<&str>) -> Result<Self, ReplayError> {
        let parameters = ParquetSourceParameters { paths: files.to_vec(), batch_rows: CHUNK_ROWS };
        let catalog = Arc::new(ParquetCatalog::open(&parameters, &[])?);
        let columns: Vec<String> = catalog.schema().fields().iter().map(|field| field.name().clone()).collect();
        // Metadata is about the files and not about the stream.
        let bare = |field: &Arc<Field>| Field::new(field.name(), field.data_type().clone(), field.is_nullable());
        let schema = Arc::new(Schema::new(catalog.schema().fields().iter().map(bare).collect::<Vec<_>>()));
        let share = Share { index: 0, peers: 1 };
        let source = ParquetSource::open(catalog, columns, share, Pace::Free { rows: CHUNK_ROWS })?;
        let (key, time) = (key.to_vec(), time.map(str::to_owned));
        let mut rows = Self { source, schema, key, time, next_epoch: 0, sorted: None };
        if rows.time.is_some() {
            rows.sort()?;
        }
        Ok(rows)
    }

    /// The columns of every chunk.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The next rows, or `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Chunk>, ReplayError> {
        let batch = match &mut self.sorted {
            Some(sorted) => sorted.next(),
            None => self.read()?,
        };
        let Some(batch) = batch else { return Ok(None) };
        let identities = identify(&batch, &self.key, self.time.as_deref())
            .map_err(|source| ReplayError::Column { file: "the next rows to publish".to_owned(), source })?;
        let (keys, times) = identities.into_iter().unzip();
        Ok(Some(Chunk { batch, keys, times }))
    }

    fn read(&mut self) -> Result<Option<RecordBatch>, ReplayError> {
        loop {
            let Polled::Rows(records) = self.source.read(self.next_epoch)? else { return Ok(None) };
            self.next_epoch += 1;
            let batches: Vec<RecordBatch> = records.into_iter().map(|records| records.batch).collect();
            if batches.iter().all(|batch| batch.num_rows() == 0) {
                continue;
            }
            let damaged = |error: arrow_schema::ArrowError| ConnectorError::Unreadable {
                file: "the files to replay".to_owned(),
                problem: error.to_string(),
            };
            return Ok(Some(concat_batches(&self.schema, &batches).map_err(damaged)?));
        }
    }

    fn sort(&mut self) -> Result<(), ReplayError> {
        let (mut batches, mut order) = (Vec::new(), Vec::new());
        let mut before = 0;
        while let Some(batch) = self.read()? {
            let identities = identify(&batch, &[], self.time.as_deref()).map_err(|source| ReplayError::Column {
                file: format!("row {before} of the files or after it"),
                source,
            })?;
            before += batch.num_rows();
            let number = batches.len() as u32;
            let places = identities.into_iter().enumerate().map(|(row, (_, time))| Place {
                time: time.unwrap_or_default(),
                batch: number,
                row: row as u32,
            });
            order.extend(places);
            batches.push(batch);
        }
        order.sort_by_key(|place| (place.time, place.batch, place.row));
        self.sorted = Some(Sorted { batches, order, next: 0 });
        Ok(())
    }
}

impl Sorted {
    fn next(&mut self) -> Option<RecordBatch> {
        let end = self.order.len().min(self.next + CHUNK_ROWS);
        let part = &self.order[self.next..end];
        self.next = end;
        if part.is_empty() {
            return None;
        }
        let indices: Vec<(usize, usize)> =
            part.iter().map(|place| (place.batch as usize, place.row as usize)).collect();
        let batches: Vec<&RecordBatch> = self.batches.iter().collect();
        Some(interleave_record_batch(&batches, &indices).expect("all batches have one schema"))
    }
}
