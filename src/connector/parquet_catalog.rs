//! What the footers say: which columns there are, how many rows, and where every row group stands in the input.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetStatisticsPolicy};
use parquet::file::reader::{ChunkReader, Length};

use super::hive::{self, HiveColumn};
use super::input_file::{InputFile, OpenFile};
use super::paths::{no_input, resolve};
use super::some_of::some_of;
use super::{ConnectorError, FileDigest, InputDigest, ParquetSourceParameters};
use crate::data::nearest;

/// How much of the end of a remote file is fetched at first: nearly always the whole footer.
const FOOTER_BYTES: u64 = 256 * 1024;

/// Row counts beyond this are damage; sums of them stay far from overflow.
const MOST_ROWS: u64 = 1 << 48;

/// All files of an input with their footers. Made once, shared by all workers.
///
/// The order of the input is the order of the files ([`resolve`](super::resolve)), within a file the order of its rows.
#[derive(Debug)]
pub struct ParquetCatalog {
    pub(super) files: Vec<CatalogFile>,
    pub(super) groups: Vec<RowGroup>,
    pub(super) folders: Vec<HiveColumn>,
    pub(super) batch_rows: usize,
    schema: SchemaRef,
    total_rows: u64,
}

/// A file and its footer.
#[derive(Debug)]
pub(super) struct CatalogFile {
    pub input: InputFile,
    pub bytes: u64,
    pub rows: u64,
    pub metadata: ArrowReaderMetadata,
}

/// A row group with rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowGroup {
    /// Index of its file.
    pub file: usize,
    /// Its index in the file.
    pub index: usize,
    pub rows: u64,
    /// Row number in the file of its first row.
    pub first_offset: u64,
    /// Place in the whole input of its first row.
    pub first_sequence: u64,
}

impl ParquetCatalog {
    /// Finds the files and reads their footers, no rows. `columns` must be in every file that has rows, of one type.
    ///
    /// # Errors
    /// If a path leads to no file, no file has rows, a file is not complete Parquet, or a column is missing or differs.
    pub fn open(parameters: &ParquetSourceParameters, columns: &[String]) -> Result<Self, ConnectorError> {
        let catalog = Self::of_files(resolve(&parameters.paths)?, parameters.batch_rows)?;
        if catalog.total_rows == 0 {
            let found = some_of(catalog.files.iter().map(|file| file.input.name.as_ref()));
            return Err(no_input(
                &parameters.paths.join(", "),
                &format!("holds no rows: all files are empty ({found})"),
            ));
        }
        catalog.check(columns)?;
        Ok(catalog)
    }

    pub(super) fn of_files(inputs: Vec<InputFile>, batch_rows: usize) -> Result<Self, ConnectorError> {
        let mut files = Vec::with_capacity(inputs.len());
        let mut groups = Vec::new();
        let mut total_rows = 0;
        for (file, input) in inputs.into_iter().enumerate() {
            let (bytes, metadata) = footer(&input)?;
            let mut rows = 0_u64;
            for (index, group) in metadata.metadata().row_groups().iter().enumerate() {
                let damaged = |what: &str| input.unreadable(format!("row group {index}: {what}; write the file again"));
                let count = u64::try_from(group.num_rows()).map_err(|_| damaged("its row count is negative"))?;
                let end = rows.saturating_add(count);
                if end > MOST_ROWS {
                    return Err(damaged("its row count is impossible"));
                }
                if !group.columns().iter().all(|chunk| byte_range(chunk).is_some_and(|range| range.end <= bytes)) {
                    return Err(damaged("it lies outside the file"));
                }
                if count > 0 {
                    let first_sequence = total_rows + rows;
                    groups.push(RowGroup { file, index, rows: count, first_offset: rows, first_sequence });
                }
                rows = end;
            }
            total_rows += rows;
            files.push(CatalogFile { input, bytes, rows, metadata });
        }
        let folders = hive::columns(files.iter().map(|file| &file.input));
        let schema = Arc::new(schema(&files, &folders));
        Ok(Self { files, groups, folders, batch_rows: batch_rows.max(1), schema, total_rows })
    }

    /// Every column of the first file with rows, those that folder names add, and the metadata of that file.
    ///
    /// A column is nullable if it is so in any file. Only columns that were [`check`](Self::check)ed are known to be in the
    /// other files too.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Rows of the whole input.
    pub fn total_rows(&self) -> u64 {
        self.total_rows
    }

    /// Names, sizes and row counts: what a checkpoint compares to know that the input is still the same.
    pub fn digest(&self) -> InputDigest {
        let digest =
            |file: &CatalogFile| FileDigest { name: file.input.name.to_string(), bytes: file.bytes, rows: file.rows };
        InputDigest { files: self.files.iter().map(digest).collect() }
    }

    /// Checks that every file with rows has `columns`, each of one type in all files.
    ///
    /// # Errors
    /// If a column is missing in a file, or of another type than in the first file.
    pub fn check(&self, columns: &[String]) -> Result<(), ConnectorError> {
        let mut types: HashMap<&str, (&DataType, &CatalogFile)> = HashMap::new();
        for file in self.files.iter().filter(|file| file.rows > 0) {
            let fields: HashMap<&str, &DataType> = self.columns_of(file).collect();
            for column in columns {
                let Some(found) = fields.get(column.as_str()) else { return Err(self.missing(column, file)) };
                let (expected, first) = types.entry(column).or_insert((found, file));
                if !same_type(expected, found) {
                    let problem = format!(
                        "is {found} here but {expected} in {}; rewrite one of the files or leave it out of \
                         source.parquet.paths",
                        first.input.name
                    );
                    return Err(column_error(column, file, problem));
                }
            }
        }
        Ok(())
    }

    /// The columns of a file; those of its folder names come last and win over columns of the same name.
    fn columns_of<'a>(&'a self, file: &'a CatalogFile) -> impl Iterator<Item = (&'a str, &'a DataType)> {
        let in_file = file.metadata.schema().fields().iter().map(|field| (field.name().as_str(), field.data_type()));
        let in_folders = self
            .folders
            .iter()
            .filter(|column| file.input.partitions.iter().any(|(key, _)| *key == column.name))
            .map(|column| (column.name.as_str(), &column.data_type));
        in_file.chain(in_folders)
    }

    fn missing(&self, column: &str, file: &CatalogFile) -> ConnectorError {
        let names = || self.columns_of(file).map(|(name, _)| name);
        let problem = if self.folders.iter().any(|folder| folder.name == column) {
            format!("is missing; other files have it from a folder name `{column}=…`")
        } else if let Some(name) = nearest(column, names()) {
            format!("is missing; did you mean `{name}`?")
        } else {
            format!("is missing; the file has {}", some_of(names()))
        };
        column_error(column, file, problem)
    }
}

fn column_error(column: &str, file: &CatalogFile, problem: String) -> ConnectorError {
    ConnectorError::Column { column: column.to_owned(), file: file.input.name.to_string(), problem }
}

/// Whether two types hold the same values; names and nullability of list elements do not matter.
fn same_type(a: &DataType, b: &DataType) -> bool {
    match (a, b) {
        (DataType::List(a), DataType::List(b)) | (DataType::LargeList(a), DataType::LargeList(b)) => {
            same_type(a.data_type(), b.data_type())
        }
        (DataType::FixedSizeList(a, n), DataType::FixedSizeList(b, m)) => {
            n == m && same_type(a.data_type(), b.data_type())
        }
        _ => a.equals_datatype(b),
    }
}

fn schema(files: &[CatalogFile], folders: &[HiveColumn]) -> Schema {
    let Some(first) = files.iter().find(|file| file.rows > 0).or(files.first()) else { return Schema::empty() };
    let mut nullable: HashMap<&str, bool> = HashMap::new();
    for field in files.iter().filter(|file| file.rows > 0).flat_map(|file| file.metadata.schema().fields()) {
        *nullable.entry(field.name()).or_default() |= field.is_nullable();
    }
    let mut fields: Vec<Field> = (first.metadata.schema().fields().iter())
        .filter(|field| folders.iter().all(|folder| folder.name != *field.name()))
        .map(|field| {
            let nullable = nullable.get(field.name().as_str()).copied().unwrap_or(field.is_nullable());
            field.as_ref().clone().with_nullable(nullable)
        })
        .collect();
    fields.extend(folders.iter().map(|folder| Field::new(&folder.name, folder.data_type.clone(), true)));
    Schema::new_with_metadata(fields, first.metadata.schema().metadata().clone())
}

/// Where a column chunk lies, unless the footer says nonsense.
pub(super) fn byte_range(chunk: &ColumnChunkMetaData) -> Option<Range<u64>> {
    let start = u64::try_from(chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset())).ok()?;
    let length = u64::try_from(chunk.compressed_size()).ok()?;
    Some(start..start.checked_add(length)?)
}

/// Reads the footer; bounds and types come from it, statistics are not needed.
fn footer(input: &InputFile) -> Result<(u64, ArrowReaderMetadata), ConnectorError> {
    let mut file = input.open()?;
    let bytes = file.len();
    let end = bytes.saturating_sub(FOOTER_BYTES)..bytes;
    file.prefetch(std::slice::from_ref(&end)).map_err(|error| input.unreadable(error))?;
    check_magic(input, &file)?;
    let options = ArrowReaderOptions::new()
        .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_encoding_stats_as_mask(true);
    let metadata = ArrowReaderMetadata::load(&file, options)
        .map_err(|error| input.unreadable(format!("its footer is damaged ({error}); write or copy it again")))?;
    Ok((bytes, metadata))
}

/// Tells an empty, a truncated, an encrypted and a foreign file apart: the decoder calls all of them corrupt.
fn check_magic(input: &InputFile, file: &OpenFile) -> Result<(), ConnectorError> {
    let bytes = file.len();
    if bytes == 0 {
        return Err(input.unreadable("it is empty (0 bytes); write or copy it again, or leave it out"));
    }
    if bytes < 12 {
        return Err(input.unreadable(format!("it is no Parquet file: it has only {bytes} bytes")));
    }
    let read = |start| file.get_bytes(start, 4).map_err(|error| input.unreadable(error));
    match (read(0)?.as_ref(), read(bytes - 4)?.as_ref()) {
        (_, b"PAR1") => Ok(()),
        (_, b"PARE") => Err(input.unreadable("its footer is encrypted; decrypt it first")),
        (b"PAR1", _) => Err(input.unreadable("it is truncated: its footer is missing; write or copy it again")),
        _ => Err(input.unreadable("it is no Parquet file: it does not end with PAR1; leave it out or convert it")),
    }
}

#[cfg(test)]
mod tests;
