//! One Parquet file: made beside or from a spool, or turned back into one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_schema::{DataType, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::disk;
use super::manifest::{OffsetRange, PartFile};
use super::place::{Kind, Place};
use super::spool::{self, Spool};
use crate::connector::ConnectorError;

/// A row group ends here: the writer holds the open one in memory.
const GROUP_BYTES: usize = 4 << 20;

/// A Parquet file that grows with its spool, so that little is left to do when it is completed.
#[derive(Debug)]
pub(super) struct Draft {
    temporary: PathBuf,
    writer: ArrowWriter<Hashing>,
    ranges: Ranges,
}

impl Draft {
    /// Opens file `number` under a temporary name.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn begin(place: &Place, number: u64, schema: &SchemaRef) -> Result<Self, ConnectorError> {
        let temporary = place.temporary(Kind::Pending, number);
        let output = Hashing { file: disk::create(&temporary)?, hasher: crc32fast::Hasher::new(), bytes: 0 };
        let writer = ArrowWriter::try_new(output, SchemaRef::clone(schema), Some(properties(schema)));
        let writer = writer.map_err(|error| disk::write_error(&temporary, io_error(error)))?;
        Ok(Self { temporary, writer, ranges: Ranges::default() })
    }

    /// Appends one frame of the spool.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<(), ConnectorError> {
        self.ranges.add(batch);
        let mut write = || {
            self.writer.write(batch)?;
            if self.writer.in_progress_size() >= GROUP_BYTES { self.writer.flush() } else { Ok(()) }
        };
        write().map_err(|error| disk::write_error(&self.temporary, io_error(error)))
    }

    /// Makes it the durable pending file `number`, which has `rows` rows.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(super) fn complete(self, place: &Place, number: u64, rows: u64) -> Result<PartFile, ConnectorError> {
        let path = place.path(Kind::Pending, number);
        let output = self.writer.into_inner().map_err(|error| disk::write_error(&self.temporary, io_error(error)))?;
        disk::sync(&output.file, &self.temporary)?;
        disk::rename(&self.temporary, &path)?;
        disk::sync_folder(&place.folder(Kind::Pending))?;
        Ok(PartFile {
            name: place.name(Kind::Part, number),
            rows,
            bytes: output.bytes,
            crc32: output.hasher.finalize(),
            ranges: self.ranges.into_list(),
        })
    }
}

/// Writes all rows of a `spool` that was continued as the durable pending file `number`.
///
/// # Errors
/// If the spool cannot be read back or the file cannot be written.
pub(super) fn convert(
    spool: &Spool,
    place: &Place,
    number: u64,
    schema: &SchemaRef,
) -> Result<PartFile, ConnectorError> {
    let mut draft = Draft::begin(place, number, schema)?;
    for batch in spool.frames()? {
        let batch = batch.map_err(|e| place.inconsistent(format!("the spool of file {number} was changed: {e}")))?;
        draft.add(&batch)?;
    }
    draft.complete(place, number, spool.rows())
}

/// Makes spool `number` anew from the first `rows` rows of the Parquet file that it became.
///
/// # Errors
/// If the Parquet file is not readable, has other columns or too few rows, or the spool cannot be written.
pub(super) fn rebuild(
    file: &Path,
    place: &Place,
    number: u64,
    rows: u64,
    schema: &Schema,
) -> Result<Spool, ConnectorError> {
    let unreadable = |e: String| ConnectorError::Unreadable { file: file.display().to_string(), problem: e };
    let input = File::open(file).map_err(|e| unreadable(e.to_string()))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(input).map_err(|e| unreadable(e.to_string()))?;
    let found = builder.metadata().file_metadata().num_rows();
    if builder.schema().fields() != schema.fields() || (found as u64) < rows {
        return Err(place.inconsistent(format!(
            "{} has {found} rows and the checkpoint says at least {rows} of the same columns: restore the folder to what \
             it was or start anew with --fresh",
            file.display()
        )));
    }
    let reader =
        builder.with_limit(rows as usize).with_batch_size(8192).build().map_err(|e| unreadable(e.to_string()))?;
    replace(place, number, rows, reader.map(|batch| batch.map_err(|e| unreadable(e.to_string()))))
}

/// Makes spool `number` anew from its own first `rows` rows, where those end inside a frame.
///
/// # Errors
/// If the spool cannot be read or written.
pub(super) fn shorten(place: &Place, number: u64, rows: u64) -> Result<Spool, ConnectorError> {
    let path = place.path(Kind::Spool, number);
    let unreadable = |problem| ConnectorError::Unreadable { file: path.display().to_string(), problem };
    let batches = spool::head(&path, rows).map_err(unreadable)?;
    replace(place, number, rows, batches.into_iter().map(Ok))
}

/// Writes a spool under another name and puts it in the place of spool `number`: a crash leaves the old one or the new one.
fn replace(
    place: &Place,
    number: u64,
    rows: u64,
    batches: impl Iterator<Item = Result<RecordBatch, ConnectorError>>,
) -> Result<Spool, ConnectorError> {
    let temporary = place.temporary(Kind::Spool, number);
    let mut spool = Spool::create(temporary.clone())?;
    for batch in batches {
        spool.append(&batch?)?;
    }
    spool.sync()?;
    let (bytes, path) = (spool.bytes(), place.path(Kind::Spool, number));
    drop(spool);
    disk::rename(&temporary, &path)?;
    disk::sync_folder(&place.folder(Kind::Spool))?;
    Spool::resume(path, bytes, rows)
}

/// CRC-32 of a file.
///
/// # Errors
/// If it cannot be read.
pub(super) fn checksum(path: &Path) -> Result<u32, ConnectorError> {
    let read = || {
        let mut file = File::open(path)?;
        let mut hasher = crc32fast::Hasher::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(hasher.finalize()),
                n => hasher.update(&buffer[..n]),
            }
        }
    };
    read()
        .map_err(|e: io::Error| ConnectorError::Unreadable { file: path.display().to_string(), problem: e.to_string() })
}

/// Dictionaries where values repeat, deltas where they grow, plain where they do neither.
fn properties(schema: &Schema) -> WriterProperties {
    let level = ZstdLevel::try_new(1).expect("1 is a level of zstd");
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_dictionary_enabled(true);
    for field in schema.fields() {
        let path = ColumnPath::from(field.name().as_str());
        if field.data_type().is_floating() {
            properties = properties.set_column_dictionary_enabled(path, false);
        } else if (field.name() == "offset" && *field.data_type() == DataType::Int64)
            || matches!(field.data_type(), DataType::Timestamp(..))
        {
            properties = properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
        }
    }
    properties.build()
}

/// The system's reason, where there is one, so that "no space left on device" is not hidden in another error.
fn io_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(inner) => *inner,
            Err(inner) => io::Error::other(inner),
        },
        other => io::Error::other(other),
    }
}

/// Counts and checks what passes through.
#[derive(Debug)]
struct Hashing {
    file: File,
    hasher: crc32fast::Hasher,
    bytes: u64,
}

impl Write for Hashing {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.file.write(buffer)?;
        self.hasher.update(&buffer[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Smallest and largest offset by source and partition.
#[derive(Debug, Default)]
struct Ranges(BTreeMap<String, BTreeMap<i32, (i64, i64)>>);

impl Ranges {
    fn add(&mut self, batch: &RecordBatch) {
        let column = |name: &str| batch.column_by_name(name);
        let (Some(source), Some(partition), Some(offset)) = (column("source"), column("partition"), column("offset"))
        else {
            return;
        };
        let (Some(source), Some(partition), Some(offset)) = (
            source.as_string_opt::<i32>(),
            partition.as_primitive_opt::<Int32Type>(),
            offset.as_primitive_opt::<Int64Type>(),
        ) else {
            return;
        };
        for row in 0..batch.num_rows() {
            let (name, offset) = (source.value(row), offset.value(row));
            // `entry` would need a new string for every row.
            if !self.0.contains_key(name) {
                self.0.insert(name.to_owned(), BTreeMap::new());
            }
            if let Some(partitions) = self.0.get_mut(name) {
                let range = partitions.entry(partition.value(row)).or_insert((offset, offset));
                *range = (range.0.min(offset), range.1.max(offset));
            }
        }
    }

    fn into_list(self) -> Vec<OffsetRange> {
        let ranges = self.0.into_iter().flat_map(|(source, partitions)| {
            partitions.into_iter().map(move |(partition, (min_offset, max_offset))| OffsetRange {
                source: source.clone(),
                partition,
                min_offset,
                max_offset,
            })
        });
        ranges.collect()
    }
}
