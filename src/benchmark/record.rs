//! What was measured, as a Parquet file: a run that was stopped goes on from it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, UInt64Type};
use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::error::BenchmarkError;
use super::file::make_folder_of;
use super::measure::Score;
use crate::connector::ConnectorError;

/// One seed of one line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// Name of the suite.
    pub suite: String,
    /// Name of the method.
    pub method: String,
    /// Name of the data set.
    pub data: String,
    /// The order of the stream; empty if the rows were fitted at once.
    pub order: String,
    /// The seed.
    pub seed: u64,
    /// Every setting that the score depends on, the program's version included, as JSON.
    pub settings: String,
    /// CRC-32 of the data's file; empty where it is not known.
    pub checksum: String,
    /// What came out.
    pub score: Score,
}

impl Record {
    /// Whether both are about the same seed of the same line, whatever its settings.
    fn same_place(&self, other: &Self) -> bool {
        (&self.suite, &self.method, &self.data, &self.order, self.seed)
            == (&other.suite, &other.method, &other.data, &other.order, other.seed)
    }

    /// Whether it answers for a run with the settings and data of `wanted`; data that is not there cannot have changed.
    fn answers(&self, wanted: &Self) -> bool {
        let same_data = wanted.checksum.is_empty() || self.checksum == wanted.checksum;
        self.same_place(wanted) && self.settings == wanted.settings && same_data
    }
}

/// The records of a suite and their file.
#[derive(Clone, Debug, PartialEq)]
pub struct Records {
    file: PathBuf,
    records: Vec<Record>,
}

const TEXTS: [&str; 6] = ["suite", "method", "data", "order", "settings", "data_crc32"];
const COUNTS: [&str; 4] = ["seed", "rows", "scored", "steps"];
const NUMBERS: [&str; 9] =
    ["acc", "nmi_arithmetic", "nmi_max", "ari", "ne", "ne_labels", "seconds", "prequential", "second_half"];

impl Records {
    /// Reads the file, if there is one.
    ///
    /// # Errors
    /// If it is not what [`add`](Self::add) wrote.
    pub fn open(file: &Path) -> Result<Self, BenchmarkError> {
        let mut records = Vec::new();
        if file.exists() {
            read(file, &mut records).map_err(|problem| BenchmarkError::Record { file: file.to_owned(), problem })?;
        }
        Ok(Self { file: file.to_owned(), records })
    }

    /// The scores of all seeds of a line that were measured with the same settings.
    #[must_use]
    pub fn seeds(&self, wanted: &Record) -> Vec<&Score> {
        let answers = |record: &&Record| record.answers(&Record { seed: record.seed, ..wanted.clone() });
        self.records.iter().filter(answers).map(|record| &record.score).collect()
    }

    /// All records.
    #[must_use]
    pub fn all(&self) -> &[Record] {
        &self.records
    }

    /// The score of a seed of a line if it was measured with the same settings.
    #[must_use]
    pub fn find(&self, wanted: &Record) -> Option<&Score> {
        self.records.iter().find(|record| record.answers(wanted)).map(|record| &record.score)
    }

    /// Adds a record in place of an earlier one of the same seed of the same line, and writes the file anew.
    ///
    /// # Errors
    /// If it cannot be written; the old file is then untouched.
    pub fn add(&mut self, record: Record) -> Result<(), ConnectorError> {
        match self.records.iter_mut().find(|other| other.same_place(&record)) {
            Some(other) => *other = record,
            None => self.records.push(record),
        }
        let path = self.file.clone();
        make_folder_of(&path)?;
        let temporary = path.with_extension("tmp");
        let written = self.write(&temporary).and_then(|()| std::fs::rename(&temporary, &path));
        written.map_err(|source| {
            // The first fault is the one to report.
            std::fs::remove_file(&temporary).ok();
            ConnectorError::Write { path, source }
        })
    }

    fn write(&self, file: &Path) -> std::io::Result<()> {
        let text = |pick: fn(&Record) -> &str| -> ArrayRef {
            Arc::new(self.records.iter().map(|r| Some(pick(r))).collect::<StringArray>())
        };
        let count = |pick: fn(&Record) -> u64| -> ArrayRef {
            Arc::new(self.records.iter().map(pick).collect::<Vec<_>>().into_iter().collect::<UInt64Array>())
        };
        let number = |pick: fn(&Score) -> Option<f64>| -> ArrayRef {
            Arc::new(self.records.iter().map(|r| pick(&r.score)).collect::<Float64Array>())
        };
        let columns = vec![
            text(|r| &r.suite),
            text(|r| &r.method),
            text(|r| &r.data),
            text(|r| &r.order),
            text(|r| &r.settings),
            text(|r| &r.checksum),
            count(|r| r.seed),
            count(|r| r.score.rows),
            count(|r| r.score.scored),
            count(|r| r.score.steps),
            number(|s| Some(s.acc)),
            number(|s| Some(s.nmi_arithmetic)),
            number(|s| Some(s.nmi_max)),
            number(|s| Some(s.ari)),
            number(|s| Some(s.ne)),
            number(|s| Some(s.ne_labels)),
            number(|s| Some(s.seconds)),
            number(|s| s.prequential),
            number(|s| s.second_half),
        ];
        let batch = RecordBatch::try_new(schema(), columns).map_err(std::io::Error::other)?;
        let output = File::create(file)?;
        let mut writer = ArrowWriter::try_new(&output, schema(), None).map_err(std::io::Error::other)?;
        writer.write(&batch).map_err(std::io::Error::other)?;
        writer.close().map_err(std::io::Error::other)?;
        output.sync_all()
    }
}

fn schema() -> Arc<Schema> {
    let texts = TEXTS.iter().map(|name| Field::new(*name, DataType::Utf8, false));
    let counts = COUNTS.iter().map(|name| Field::new(*name, DataType::UInt64, false));
    let numbers = NUMBERS.iter().enumerate().map(|(i, name)| Field::new(*name, DataType::Float64, i >= 7));
    Arc::new(Schema::new(texts.chain(counts).chain(numbers).collect::<Vec<_>>()))
}

fn read(file: &Path, records: &mut Vec<Record>) -> Result<(), String> {
    let input = File::open(file).map_err(|error| error.to_string())?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(input).map_err(|error| error.to_string())?;
    for batch in reader.build().map_err(|error| error.to_string())? {
        let batch = batch.map_err(|error| error.to_string())?;
        let column = |name: &str| batch.column_by_name(name).ok_or_else(|| format!("it has no column `{name}`"));
        let texts = columns(&TEXTS, column, |column| column.as_string_opt::<i32>())?;
        let counts = columns(&COUNTS, column, |column| column.as_primitive_opt::<UInt64Type>())?;
        let numbers = columns(&NUMBERS, column, |column| column.as_primitive_opt::<Float64Type>())?;
        for row in 0..batch.num_rows() {
            let text = |at: usize| texts[at].value(row).to_owned();
            let count = |at: usize| counts[at].value(row);
            let number = |at: usize| numbers[at].value(row);
            let perhaps = |at: usize| (!numbers[at].is_null(row)).then(|| numbers[at].value(row));
            records.push(Record {
                suite: text(0),
                method: text(1),
                data: text(2),
                order: text(3),
                settings: text(4),
                checksum: text(5),
                seed: count(0),
                score: Score {
                    rows: count(1),
                    scored: count(2),
                    steps: count(3),
                    acc: number(0),
                    nmi_arithmetic: number(1),
                    nmi_max: number(2),
                    ari: number(3),
                    ne: number(4),
                    ne_labels: number(5),
                    seconds: number(6),
                    prequential: perhaps(7),
                    second_half: perhaps(8),
                },
            });
        }
    }
    Ok(())
}

/// The columns `names`, each as the array that `cast` makes of it.
fn columns<'a, T: ?Sized>(
    names: &[&str],
    column: impl Fn(&str) -> Result<&'a ArrayRef, String>,
    cast: impl Fn(&'a ArrayRef) -> Option<&'a T>,
) -> Result<Vec<&'a T>, String> {
    let one = |name: &&str| cast(column(name)?).ok_or_else(|| format!("column `{name}` is of another type"));
    names.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(seed: u64, acc: f64) -> Record {
        let score = Score { rows: 9, scored: 8, acc, prequential: Some(0.25), steps: 7, ..Score::default() };
        let text = |text: &str| text.to_owned();
        Record {
            suite: text("s"),
            method: text("m"),
            data: text("d"),
            order: text(""),
            settings: text("{}"),
            checksum: text("0a"),
            seed,
            score,
        }
    }

    #[test]
    fn what_is_added_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new/records.parquet");
        let mut records = Records::open(&file).unwrap();
        records.add(record(0, 0.5)).unwrap();
        records.add(record(1, 0.75)).unwrap();
        let again = Records::open(&file).unwrap();
        assert_eq!(again, records);
        assert_eq!(again.find(&record(1, 0.0)).unwrap().acc, 0.75);
        let other = Record { settings: "{\"steps\":1}".to_owned(), ..record(1, 0.1) };
        assert_eq!(again.find(&other), None);
        assert_eq!(again.find(&Record { checksum: "0b".to_owned(), ..record(1, 0.1) }), None);
        assert_eq!(again.seeds(&Record { checksum: String::new(), ..record(9, 0.0) }).len(), 2);
    }

    #[test]
    fn a_seed_measured_again_takes_the_place_of_the_old() {
        let folder = tempfile::tempdir().unwrap();
        let mut records = Records::open(&folder.path().join("records.parquet")).unwrap();
        records.add(record(0, 0.5)).unwrap();
        records.add(Record { settings: "new".to_owned(), ..record(0, 0.6) }).unwrap();
        assert_eq!((records.all().len(), records.all()[0].score.acc), (1, 0.6));
    }

    #[test]
    fn a_file_of_something_else_is_refused_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("records.parquet");
        std::fs::write(&file, "no Parquet").unwrap();
        let error = Records::open(&file).unwrap_err().to_string();
        assert!(error.contains("records.parquet cannot be continued"), "{error}");
        let batch = RecordBatch::try_from_iter([("x", Arc::new(UInt64Array::from(vec![1])) as ArrayRef)]).unwrap();
        let mut writer = ArrowWriter::try_new(File::create(&file).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let error = Records::open(&file).unwrap_err().to_string();
        assert!(error.contains("it has no column `suite`; move it away to start a new one"), "{error}");
    }
}
