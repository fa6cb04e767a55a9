//! The Parquet files of one output folder, and their columns by name and type.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrowPrimitiveType, BooleanArray, PrimitiveArray, RecordBatch, StringArray};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::ReportError;

/// The visible files of a folder, by name.
pub(super) struct Table {
    files: Vec<PathBuf>,
}

impl Table {
    /// Lists `folder`; one that is not there has no files.
    pub(super) fn open(folder: &Path) -> Result<Self, ReportError> {
        let list = |source| ReportError::List { path: folder.to_owned(), source };
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self { files: Vec::new() }),
            Err(error) => return Err(list(error)),
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.map_err(list)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with("part-") && name.ends_with(".parquet") {
                files.push(path);
            }
        }
        files.sort();
        Ok(Self { files })
    }

    /// Calls `with` for every batch of every file, with those of the columns that the file has.
    pub(super) fn each(
        &self,
        columns: &[&str],
        mut with: impl FnMut(&Batch<'_>) -> Result<(), ReportError>,
    ) -> Result<(), ReportError> {
        for file in &self.files {
            let unreadable = |problem: String| ReportError::Unreadable { file: file.clone(), problem };
            let opened = File::open(file).map_err(|error| unreadable(error.to_string()))?;
            let builder =
                ParquetRecordBatchReaderBuilder::try_new(opened).map_err(|error| unreadable(error.to_string()))?;
            let wanted: Vec<usize> = (builder.schema().fields().iter().enumerate())
                .filter(|(_, field)| columns.contains(&field.name().as_str()))
                .map(|(place, _)| place)
                .collect();
            let mask = ProjectionMask::roots(builder.parquet_schema(), wanted);
            let reader = builder.with_projection(mask).build().map_err(|error| unreadable(error.to_string()))?;
            for batch in reader {
                let batch = batch.map_err(|error| unreadable(error.to_string()))?;
                with(&Batch { file, batch: &batch })?;
            }
        }
        Ok(())
    }
}

/// Some rows of one file.
pub(super) struct Batch<'a> {
    file: &'a Path,
    batch: &'a RecordBatch,
}

impl<'a> Batch<'a> {
    pub(super) fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// A column that may be missing.
    pub(super) fn column(&self, name: &str) -> Option<&'a dyn Array> {
        self.batch.column_by_name(name).map(|column| column.as_ref())
    }

    pub(super) fn numbers<T: ArrowPrimitiveType>(&self, name: &str) -> Result<&'a PrimitiveArray<T>, ReportError> {
        let column = self.required(name)?;
        column.as_primitive_opt::<T>().ok_or_else(|| self.not(name, column, &T::DATA_TYPE.to_string()))
    }

    pub(super) fn flags(&self, name: &str) -> Result<&'a BooleanArray, ReportError> {
        let column = self.required(name)?;
        column.as_boolean_opt().ok_or_else(|| self.not(name, column, "Boolean"))
    }

    pub(super) fn texts(&self, name: &str) -> Result<&'a StringArray, ReportError> {
        let column = self.required(name)?;
        column.as_string_opt::<i32>().ok_or_else(|| self.not(name, column, "Utf8"))
    }

    /// A fault of column `name` of this file.
    pub(super) fn fault(&self, name: &str, problem: impl Into<String>) -> ReportError {
        ReportError::Column { column: name.to_owned(), file: self.file.to_owned(), problem: problem.into() }
    }

    fn required(&self, name: &str) -> Result<&'a dyn Array, ReportError> {
        self.column(name).ok_or_else(|| self.fault(name, "it is missing; is this the output of a run?"))
    }

    fn not(&self, name: &str, column: &dyn Array, expected: &str) -> ReportError {
        self.fault(name, format!("it is {}, expected {expected}", column.data_type()))
    }
}
