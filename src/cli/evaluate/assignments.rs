//! Reads assignments back.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::columns::{integers, texts};
use crate::connector::ConnectorError;
use crate::error::Error;

/// More distinct labels or clusters than this are no labels, but something like a time or an identity.
const MOST_GROUPS: usize = 1000;

/// One assigned row, as far as scores need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assigned {
    /// Source (as a place in the order of their names), partition, offset.
    pub place: (usize, i64, i64),
    /// The cluster.
    pub cluster: i64,
    /// Index of the truth; `None` if the row is not to be scored.
    pub label: Option<usize>,
    /// Whether the model had seen the row.
    pub warmup: bool,
}

/// All assigned rows.
#[derive(Debug, Default)]
pub(super) struct Assignments {
    /// By source, partition and offset.
    pub rows: Vec<Assigned>,
    /// The labels in use; [`Assigned::label`] points here.
    pub labels: Vec<String>,
    /// The column they came from, if there was one.
    pub label_column: Option<String>,
    /// Whether rows say if they are from warm-up.
    pub has_warmup: bool,
}

/// Reads a file, or every `part-*.parquet` below a folder that is not under something that begins with `_` or `.`.
pub(super) fn read(path: &Path, labels: Option<&str>, ignore_label: &str) -> Result<Assignments, Error> {
    let mut reading = Reading { labels, ignore_label, ..Reading::default() };
    for file in files(path)? {
        reading.file(&file)?;
    }
    let mut assignments = reading.assignments;
    if assignments.rows.is_empty() {
        return Err(Error::BadData(format!("{} holds no rows", path.display())));
    }
    // Sources were numbered as they came; their order is that of their names.
    let mut rank = vec![0; reading.sources.len()];
    for (order, number) in reading.sources.values().enumerate() {
        rank[*number] = order;
    }
    for row in &mut assignments.rows {
        row.place.0 = rank.get(row.place.0).copied().unwrap_or(0);
    }
    assignments.rows.sort_by_key(|row| row.place);
    Ok(assignments)
}

fn files(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let no_input = |problem: String| ConnectorError::NoInput { path: path.display().to_string(), problem };
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    if !path.is_dir() {
        return Err(no_input("is neither a file nor a folder".to_owned()).into());
    }
    let mut found = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let unreadable = |error: std::io::Error| no_input(format!("cannot be listed: {error}"));
        for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?.path();
            let name = entry.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(['_', '.']) {
                continue;
            }
            if entry.is_dir() {
                folders.push(entry);
            } else if name.starts_with("part-") && name.ends_with(".parquet") {
                found.push(entry);
            }
        }
    }
    if found.is_empty() {
        return Err(no_input("has no part-*.parquet below it; give the folder of the assignments".to_owned()).into());
    }
    found.sort();
    Ok(found)
}

#[derive(Default)]
struct Reading<'a> {
    labels: Option<&'a str>,
    ignore_label: &'a str,
    assignments: Assignments,
    known_labels: HashMap<String, usize>,
    sources: BTreeMap<String, usize>,
}

impl Reading<'_> {
    fn file(&mut self, path: &Path) -> Result<(), Error> {
        let file = path.display().to_string();
        let unreadable = |problem: String| ConnectorError::Unreadable { file: file.clone(), problem };
        let opened = File::open(path).map_err(|error| unreadable(error.to_string()))?;
        let builder =
            ParquetRecordBatchReaderBuilder::try_new(opened).map_err(|error| unreadable(error.to_string()))?;
        let schema = Arc::clone(builder.schema());
        let has = |column: &str| schema.column_with_name(column).is_some();
        let label = match self.labels {
            Some(column) => Some(column),
            None => Some("label").filter(|column| has(column)),
        };
        if let Some(column) = ["cluster"].into_iter().chain(self.labels).find(|column| !has(column)) {
            let there: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
            let problem = format!("is missing; there are {}", there.join(", "));
            return Err(ConnectorError::Column { column: column.to_owned(), file, problem }.into());
        }
        let wanted = ["cluster", "warmup", "source", "partition", "offset"].into_iter().chain(label);
        let mask = ProjectionMask::columns(builder.parquet_schema(), wanted);
        let batches = builder.with_projection(mask).build().map_err(|error| unreadable(error.to_string()))?;
        self.assignments.has_warmup |= has("warmup");
        if let Some(label) = label {
            self.assignments.label_column = Some(label.to_owned());
        }
        for batch in batches {
            let batch = batch.map_err(|error| unreadable(error.to_string()))?;
            self.batch(&file, &batch, label)?;
        }
        Ok(())
    }

    fn batch(&mut self, file: &str, batch: &RecordBatch, label: Option<&str>) -> Result<(), Error> {
        let fault = |column: &str, problem: String| {
            Error::from(ConnectorError::Column { column: column.to_owned(), file: file.to_owned(), problem })
        };
        let wrong_type = |column: &str, array: &dyn Array, expected: &str| {
            fault(column, format!("is of type {}, expected {expected}", array.data_type()))
        };
        let numbers = |column: &str| match batch.column_by_name(column) {
            None => Ok(None),
            Some(array) => integers(array).map(Some).ok_or_else(|| wrong_type(column, array, "an integer")),
        };
        let words = |column: &str| match batch.column_by_name(column) {
            None => Ok(None),
            Some(array) => {
                texts(array).map(Some).ok_or_else(|| wrong_type(column, array, "strings, numbers or truth values"))
            }
        };
        let clusters = numbers("cluster")?.unwrap_or_default();
        let (partitions, offsets) = (numbers("partition")?, numbers("offset")?);
        let sources = words("source")?;
        let labels = label.map(words).transpose()?.flatten();
        let warmup = match batch.column_by_name("warmup") {
            Some(array) if *array.data_type() == DataType::Boolean => Some(array.as_boolean()),
            Some(array) => return Err(wrong_type("warmup", array, "a truth value")),
            None => None,
        };
        let number = |column: &Option<Vec<Option<i64>>>, row: usize| column.as_ref().and_then(|c| c[row]);
        for (row, cluster) in clusters.into_iter().enumerate() {
            let at = self.assignments.rows.len();
            let cluster = cluster.ok_or_else(|| fault("cluster", format!("is null in row {row} of a batch")))?;
            let source = sources.as_ref().and_then(|sources| sources[row].as_deref());
            let label = labels.as_ref().and_then(|labels| labels[row].as_deref());
            let label =
                match label.filter(|label| *label != self.ignore_label) {
                    Some(label) => Some(self.label(label).map_err(|problem| {
                        fault(self.assignments.label_column.as_deref().unwrap_or("label"), problem)
                    })?),
                    None => None,
                };
            let place = (
                source.map_or(0, |source| self.source(source)),
                number(&partitions, row).unwrap_or(0),
                number(&offsets, row).unwrap_or(at as i64),
            );
            let warmup = warmup.is_some_and(|warmup| warmup.is_valid(row) && warmup.value(row));
            self.assignments.rows.push(Assigned { place, cluster, label, warmup });
        }
        Ok(())
    }

    fn label(&mut self, label: &str) -> Result<usize, String> {
        if let Some(known) = self.known_labels.get(label) {
            return Ok(*known);
        }
        let number = self.assignments.labels.len();
        if number == MOST_GROUPS {
            return Err(format!("has more than {MOST_GROUPS} distinct values; is it a label?"));
        }
        self.assignments.labels.push(label.to_owned());
        self.known_labels.insert(label.to_owned(), number);
        Ok(number)
    }

    fn source(&mut self, source: &str) -> usize {
        if let Some(known) = self.sources.get(source) {
            return *known;
        }
        let number = self.sources.len();
        self.sources.insert(source.to_owned(), number);
        number
    }
}
