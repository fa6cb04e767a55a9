//! Rows out of Parquet files, epoch by epoch.
//!
//! The partitions of the input are its row groups, dealt to the workers in turn. A worker decodes one batch at a time and
//! cuts epochs out of it without copying; where an epoch ends is decided by the [`Pace`] alone, so the batch size changes
//! speed, never a result.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::Length;

use super::parquet_catalog::{CatalogFile, ParquetCatalog, RowGroup, byte_range};
use super::plan::{Piece, Plan};
use super::{ConnectorError, Pace, Polled, Share, Source, hive};
use crate::data::Records;

/// About how many bytes are decoded at once: a larger batch has left the cache when its last rows are used, and decoding it is a
/// pause that all workers share.
const BATCH_BYTES: u64 = 1 << 20;

/// One worker's view of Parquet files.
pub struct ParquetSource {
    catalog: Arc<ParquetCatalog>,
    columns: Vec<String>,
    plan: Plan,
    /// How the columns are put together for the file last read, by its index.
    layout: Option<(usize, Arc<Layout>)>,
    cursor: Option<Cursor>,
}

/// Where the wanted columns of one file come from.
struct Layout {
    mask: ProjectionMask,
    slots: Vec<Slot>,
    schema: SchemaRef,
}

/// Where one wanted column comes from.
enum Slot {
    /// The decoded column at this index.
    File(usize),
    /// A folder name.
    Folder(DataType, Option<String>),
}

/// A decoder that stands somewhere in a row group.
struct Cursor {
    group: RowGroup,
    decoder: ParquetRecordBatchReader,
    /// What is left of the batch last decoded.
    batch: Option<RecordBatch>,
    /// The row of the group that comes next.
    next: u64,
}

impl ParquetSource {
    /// Reads `columns`, in this order and each once, of the files in `catalog`.
    ///
    /// Every epoch and every row group that it touches make one [`Records`]: rows without a gap, of one file.
    ///
    /// # Errors
    /// If a column is missing or not of one type in all files.
    pub fn open(
        catalog: Arc<ParquetCatalog>,
        columns: Vec<String>,
        share: Share,
        pace: Pace,
    ) -> Result<Self, ConnectorError> {
        catalog.check(&columns)?;
        let plan = Plan::new(catalog.groups.iter().map(|group| group.rows), share, pace);
        let mut wanted: Vec<String> = Vec::with_capacity(columns.len());
        for column in columns {
            if !wanted.contains(&column) {
                wanted.push(column);
            }
        }
        Ok(Self { catalog, columns: wanted, plan, layout: None, cursor: None })
    }

    /// Reads one piece of an epoch, going on where the decoder stands if it stands there.
    fn take(&mut self, piece: Piece) -> Result<Records, ConnectorError> {
        let group = self.catalog.groups[piece.partition];
        let layout = self.layout(group.file);
        let standing = self
            .cursor
            .take()
            .filter(|cursor| cursor.group.first_sequence == group.first_sequence && cursor.next == piece.from);
        let file = &self.catalog.files[group.file];
        let mut cursor = match standing {
            Some(cursor) => cursor,
            None => seek(file, group, &layout, self.catalog.batch_rows, piece.from)?,
        };
        let mut parts = Vec::with_capacity(1);
        while cursor.next < piece.to {
            parts.push(cursor.advance(file, piece.to - cursor.next)?);
        }
        if cursor.next < group.rows {
            self.cursor = Some(cursor);
        }
        let decoded = match parts.as_slice() {
            [part] => part.clone(),
            parts => concat_batches(&parts[0].schema(), parts)
                .map_err(|error| damaged(file, group, piece.from, &error.to_string()))?,
        };
        let batch = layout.assemble(&decoded).map_err(|error| damaged(file, group, piece.from, &error.to_string()))?;
        Ok(Records {
            batch,
            source: Arc::clone(&file.input.name),
            partition: 0,
            first_offset: (group.first_offset + piece.from) as i64,
            first_sequence: group.first_sequence + piece.from,
            picked: None,
            origins: None,
        })
    }

    fn layout(&mut self, file: usize) -> Arc<Layout> {
        if let Some((_, layout)) = self.layout.as_ref().filter(|(known, _)| *known == file) {
            return Arc::clone(layout);
        }
        let layout = Arc::new(Layout::new(&self.catalog, &self.catalog.files[file], &self.columns));
        self.layout = Some((file, Arc::clone(&layout)));
        layout
    }
}

impl Source for ParquetSource {
    fn read(&mut self, epoch: u64) -> Result<Polled, ConnectorError> {
        let Some(pieces) = self.plan.epoch(epoch) else {
            self.cursor = None;
            return Ok(Polled::Exhausted);
        };
        let records = pieces.into_iter().map(|piece| self.take(piece)).collect::<Result<_, _>>()?;
        Ok(Polled::Rows(records))
    }

    fn total_rows(&self) -> Option<u64> {
        Some(self.catalog.total_rows())
    }
}

impl Layout {
    /// The columns must have been checked.
    fn new(catalog: &ParquetCatalog, file: &CatalogFile, columns: &[String]) -> Self {
        let in_file = file.metadata.schema();
        let folder_of = |name: &String| {
            let (_, value) = file.input.partitions.iter().find(|(key, _)| key == name)?;
            let column = catalog.folders.iter().find(|column| column.name == *name)?;
            Some(Slot::Folder(column.data_type.clone(), value.clone()))
        };
        let root_of = |name: &String| match folder_of(name) {
            Some(_) => None,
            None => in_file.index_of(name).ok(),
        };
        let mut roots: Vec<usize> = columns.iter().filter_map(root_of).collect();
        roots.sort_unstable();
        let mut slots = Vec::with_capacity(columns.len());
        let mut fields: Vec<FieldRef> = Vec::with_capacity(columns.len());
        for name in columns {
            if let Some(folder @ Slot::Folder(..)) = folder_of(name) {
                slots.push(folder);
            } else if let Some(root) = root_of(name) {
                slots.push(Slot::File(roots.partition_point(|other| *other < root)));
            }
        }
        for (name, slot) in columns.iter().zip(&slots) {
            fields.push(match slot {
                Slot::Folder(data_type, _) => Arc::new(Field::new(name, data_type.clone(), true)),
                Slot::File(column) => field(catalog.schema(), &in_file.fields()[roots[*column]]),
            });
        }
        let mask = ProjectionMask::roots(file.metadata.parquet_schema(), roots);
        Self { mask, slots, schema: Arc::new(Schema::new(fields)) }
    }

    /// The wanted columns in the wanted order.
    fn assemble(&self, decoded: &RecordBatch) -> Result<RecordBatch, arrow_schema::ArrowError> {
        let rows = decoded.num_rows();
        let arrays = self.slots.iter().map(|slot| match slot {
            Slot::File(column) => Arc::clone(decoded.column(*column)),
            Slot::Folder(data_type, value) => hive::array(data_type, value.as_deref(), rows),
        });
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays.collect(), &options)
    }

    /// The wanted columns of a row group.
    fn chunks<'a>(&self, file: &'a CatalogFile, group: RowGroup) -> impl Iterator<Item = &'a ColumnChunkMetaData> {
        let chunks = file.metadata.metadata().row_group(group.index).columns().iter().enumerate();
        chunks.filter(|(leaf, _)| self.mask.leaf_included(*leaf)).map(|(_, chunk)| chunk)
    }

    /// The bytes of a row group that hold the wanted columns.
    fn byte_ranges(&self, file: &CatalogFile, group: RowGroup) -> Vec<Range<u64>> {
        self.chunks(file, group).filter_map(byte_range).collect()
    }

    /// How many rows of a row group are decoded at once, at most `most`.
    fn batch_rows(&self, file: &CatalogFile, group: RowGroup, most: usize) -> usize {
        let bytes: u64 = self.chunks(file, group).map(|chunk| chunk.uncompressed_size().unsigned_abs()).sum();
        let fitting = BATCH_BYTES / (bytes / group.rows.max(1)).max(1);
        usize::try_from(fitting.clamp(1, group.rows.max(1))).map_or(most, |rows| rows.min(most))
    }
}

/// The field as all files have it, where their types agree to the letter.
fn field(schema: &SchemaRef, own: &FieldRef) -> FieldRef {
    match schema.field_with_name(own.name()) {
        Ok(common) if common.data_type() == own.data_type() => Arc::new(common.clone()),
        _ => Arc::clone(own),
    }
}

/// A decoder at row `from` of a row group: nothing of other row groups is read, and pages before it are passed over.
fn seek(
    file: &CatalogFile,
    group: RowGroup,
    layout: &Layout,
    batch_rows: usize,
    from: u64,
) -> Result<Cursor, ConnectorError> {
    let mut bytes = file.input.open()?;
    if bytes.len() != file.bytes {
        let problem = format!("it had {} bytes when the run started and has {} now", file.bytes, bytes.len());
        return Err(file.input.unreadable(format!("{problem}; input files must not change during a run")));
    }
    let failed = |error: parquet::errors::ParquetError| damaged(file, group, from, &error.to_string());
    bytes.prefetch(&layout.byte_ranges(file, group)).map_err(failed)?;
    let decoder = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, file.metadata.clone())
        .with_projection(layout.mask.clone())
        .with_row_groups(vec![group.index])
        .with_batch_size(layout.batch_rows(file, group, batch_rows))
        .with_offset(usize::try_from(from).unwrap_or(usize::MAX))
        .build()
        .map_err(failed)?;
    Ok(Cursor { group, decoder, batch: None, next: from })
}

impl Cursor {
    /// The next rows of the decoded batch, at most `wanted`; decodes one if none is left.
    fn advance(&mut self, file: &CatalogFile, wanted: u64) -> Result<RecordBatch, ConnectorError> {
        let batch = match self.batch.take() {
            Some(batch) => batch,
            None => match self.decoder.next() {
                Some(Ok(batch)) => batch,
                Some(Err(error)) => return Err(damaged(file, self.group, self.next, &error.to_string())),
                None => return Err(damaged(file, self.group, self.next, "the row group ends early")),
            },
        };
        let rows = batch.num_rows();
        let taken = usize::try_from(wanted).map_or(rows, |wanted| wanted.min(rows));
        self.next += taken as u64;
        if taken == rows {
            return Ok(batch);
        }
        self.batch = Some(batch.slice(taken, rows - taken));
        Ok(batch.slice(0, taken))
    }
}

fn damaged(file: &CatalogFile, group: RowGroup, row: u64, problem: &str) -> ConnectorError {
    let at = group.first_offset + row;
    let index = group.index;
    file.input.unreadable(format!("row {at} or after it (row group {index}): {problem}; write or copy the file again"))
}

#[cfg(test)]
mod tests;
