//! Listed pairs of rows: a Parquet file of the user's.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, UInt32Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{ConnectorError, InputDigest};
use crate::data::{Coordinates, RowPair};

/// Reads a file of pairs: `first_offset` and `second_offset` as in the assignments, `link` that is "must" or "cannot", and
/// `first_source` and `second_source` as in the assignments, which may be left out where the input is one file.
///
/// # Errors
/// If the file cannot be read, lacks a column, or names a row that `input` does not have.
pub fn read_pairs(path: &Path, input: &InputDigest) -> Result<Vec<RowPair>, ConnectorError> {
    let file = path.display().to_string();
    let opened = match File::open(path) {
        Ok(opened) => opened,
        Err(error) => {
            let problem = format!("cannot be opened ({error}); correct `supervision.pairs`");
            return Err(ConnectorError::NoInput { path: file, problem });
        }
    };
    let unreadable = |error: String| ConnectorError::Unreadable { file: file.clone(), problem: error };
    let builder = ParquetRecordBatchReaderBuilder::try_new(opened).map_err(|error| unreadable(error.to_string()))?;
    let reader = builder.build().map_err(|error| unreadable(error.to_string()))?;
    let mut pairs = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|error| unreadable(error.to_string()))?;
        let table = Table { file: &file, batch: &batch, before: pairs.len(), input };
        let ends = [table.ends("first")?, table.ends("second")?];
        let links =
            table.texts("link")?.ok_or_else(|| table.fault("link", "is missing; it is \"must\" or \"cannot\""))?;
        let [firsts, seconds] = ends;
        for (row, ((first, second), link)) in firsts.into_iter().zip(seconds).zip(links).enumerate() {
            let must = match link.as_deref() {
                Some("must") => true,
                Some("cannot") => false,
                other => {
                    let problem = format!("is {other:?} in row {}; it is \"must\" or \"cannot\"", table.before + row);
                    return Err(table.fault("link", &problem));
                }
            };
            if first == second {
                let problem = format!("pairs a row with itself in row {}; leave the pair out", table.before + row);
                return Err(table.fault("second_offset", &problem));
            }
            pairs.push(([first, second], must));
        }
    }
    Ok(pairs)
}

struct Table<'a> {
    file: &'a str,
    batch: &'a RecordBatch,
    /// Rows of the file before this batch.
    before: usize,
    input: &'a InputDigest,
}

impl Table<'_> {
    fn fault(&self, column: &str, problem: &str) -> ConnectorError {
        ConnectorError::Column { column: column.to_owned(), file: self.file.to_owned(), problem: problem.to_owned() }
    }

    /// One end of every pair.
    fn ends(&self, which: &str) -> Result<Vec<Coordinates>, ConnectorError> {
        let (offset, source) = (format!("{which}_offset"), format!("{which}_source"));
        let offsets = self.offsets(&offset)?;
        let sources = self.texts(&source)?;
        let files = &self.input.files;
        if sources.is_none() && files.len() > 1 {
            return Err(self.fault(&source, "is missing; the input has several files, name that of each row"));
        }
        let mut ends = Vec::with_capacity(offsets.len());
        for (row, value) in offsets.into_iter().enumerate() {
            let place = self.before + row;
            let named = sources.as_ref().and_then(|sources| sources[row].as_deref());
            let found = match (named, files.as_slice()) {
                (Some(name), _) => files.iter().find(|file| file.name == name),
                (None, [only]) => Some(only),
                (None, _) => None,
            };
            let Some(file) = found else {
                let name = named.unwrap_or("null");
                return Err(self.fault(&source, &format!("is {name} in row {place}; no input file is called so")));
            };
            let offset = value.filter(|offset| u64::try_from(*offset).is_ok_and(|offset| offset < file.rows));
            let Some(offset) = offset else {
                let value = value.map_or("null".to_owned(), |value| value.to_string());
                let problem = format!(
                    "is {value} in row {place}; {} has the rows 0 to {}",
                    file.name,
                    file.rows.saturating_sub(1)
                );
                return Err(self.fault(&format!("{which}_offset"), &problem));
            };
            ends.push(Coordinates { source: Arc::from(file.name.as_str()), partition: 0, offset });
        }
        Ok(ends)
    }

    fn offsets(&self, name: &str) -> Result<Vec<Option<i64>>, ConnectorError> {
        let column = self.batch.column_by_name(name).ok_or_else(|| self.fault(name, "is missing"))?;
        Ok(match column.data_type() {
            DataType::Int32 => column.as_primitive::<Int32Type>().iter().map(|v| v.map(i64::from)).collect(),
            DataType::Int64 => column.as_primitive::<Int64Type>().iter().collect(),
            DataType::UInt32 => column.as_primitive::<UInt32Type>().iter().map(|v| v.map(i64::from)).collect(),
            DataType::UInt64 => {
                column.as_primitive::<UInt64Type>().iter().map(|v| v.and_then(|v| i64::try_from(v).ok())).collect()
            }
            other => return Err(self.fault(name, &format!("is {other}; expected Int64"))),
        })
    }

    /// A column of text, if it is there.
    fn texts(&self, name: &str) -> Result<Option<Vec<Option<String>>>, ConnectorError> {
        fn owned<'a>(values: impl Iterator<Item = Option<&'a str>>) -> Vec<Option<String>> {
            values.map(|value| value.map(str::to_owned)).collect()
        }
        let Some(column) = self.batch.column_by_name(name) else { return Ok(None) };
        Ok(Some(match column.data_type() {
            DataType::Utf8 => owned(column.as_string::<i32>().iter()),
            DataType::LargeUtf8 => owned(column.as_string::<i64>().iter()),
            DataType::Utf8View => owned(column.as_string_view().iter()),
            other => return Err(self.fault(name, &format!("is {other}; expected text"))),
        }))
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{ArrayRef, Int64Array, StringArray};

    use super::super::FileDigest;
    use super::super::sample::write;
    use super::*;

    fn digest(names: &[&str]) -> InputDigest {
        let file = |name: &&str| FileDigest { name: (*name).to_owned(), bytes: 1, rows: 10 };
        InputDigest { files: names.iter().map(file).collect() }
    }

    fn read(columns: Vec<(&str, ArrayRef)>, names: &[&str]) -> Result<Vec<RowPair>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pairs.parquet");
        let columns = columns.into_iter().map(|(name, column)| (name, column, true));
        write(&path, &RecordBatch::try_from_iter_with_nullable(columns).unwrap(), 2);
        read_pairs(&path, &digest(names)).map_err(|error| error.to_string())
    }

    fn offsets(values: &[i64]) -> ArrayRef {
        Arc::new(Int64Array::from(values.to_vec()))
    }

    fn texts(values: &[&str]) -> ArrayRef {
        Arc::new(StringArray::from(values.to_vec()))
    }

    fn simple(firsts: &[i64], seconds: &[i64], links: &[&str]) -> Result<Vec<RowPair>, String> {
        let columns =
            vec![("first_offset", offsets(firsts)), ("second_offset", offsets(seconds)), ("link", texts(links))];
        read(columns, &["a.parquet"])
    }

    #[test]
    fn the_only_file_need_not_be_named() {
        let pairs = simple(&[1, 2, 9], &[4, 0, 3], &["must", "cannot", "must"]).unwrap();
        let end = |offset| Coordinates { source: "a.parquet".into(), partition: 0, offset };
        assert_eq!(pairs, [([end(1), end(4)], true), ([end(2), end(0)], false), ([end(9), end(3)], true)]);
    }

    #[test]
    fn several_files_have_to_be_named() {
        let columns =
            || vec![("first_offset", offsets(&[1])), ("second_offset", offsets(&[1])), ("link", texts(&["cannot"]))];
        assert!(read(columns(), &["a", "b"]).unwrap_err().contains("`first_source`"));
        let mut named = columns();
        named.extend([("first_source", texts(&["a"])), ("second_source", texts(&["b"]))]);
        assert_eq!(&*read(named, &["a", "b"]).unwrap()[0].0[1].source, "b");
        let mut wrong = columns();
        wrong.extend([("first_source", texts(&["a"])), ("second_source", texts(&["c"]))]);
        assert!(read(wrong, &["a", "b"]).unwrap_err().contains("`second_source`"));
    }

    #[test]
    fn what_cannot_be_meant_is_named_with_its_row() {
        let fault = |first: i64, second: i64, link: &str| {
            simple(&[0, 0, first], &[1, 1, second], &["must", "must", link]).unwrap_err()
        };
        assert!(fault(3, 4, "maybe").contains("row 2"));
        assert!(fault(3, 10, "must").contains("is 10 in row 2; a.parquet has the rows 0 to 9"));
        assert!(fault(-1, 4, "must").contains("`first_offset`"));
        assert!(fault(3, 3, "must").contains("with itself in row 2"));
        let missing = read(vec![("first_offset", offsets(&[1]))], &["a"]).unwrap_err();
        assert!(missing.contains("`second_offset`"), "{missing}");
        let gone = read_pairs(Path::new("/no/such/pairs.parquet"), &digest(&["a"])).unwrap_err().to_string();
        assert!(gone.contains("supervision.pairs"), "{gone}");
    }
}
