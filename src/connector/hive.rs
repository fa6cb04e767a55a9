//! Columns that stand in folder names: `subject=7/day=monday/part.parquet`.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray, new_null_array};
use arrow_schema::DataType;

use super::input_file::InputFile;

/// What Hive and Spark call the folder of rows without a value.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// A column that stands in folder names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HiveColumn {
    /// The key of `key=value`.
    pub name: String,
    /// Int64 if every value is an integer, else Utf8.
    pub data_type: DataType,
}

/// Reads `key=value` folder names, outermost first; of a repeated key the innermost value counts.
pub(super) fn partitions<'a>(folders: impl IntoIterator<Item = &'a str>) -> Vec<(String, Option<String>)> {
    let mut partitions: Vec<(String, Option<String>)> = Vec::new();
    for (key, value) in folders.into_iter().filter_map(|folder| folder.split_once('=')) {
        if key.is_empty() {
            continue;
        }
        let (key, value) = (unescape(key), (value != NULL).then(|| unescape(value)));
        partitions.retain(|(known, _)| *known != key);
        partitions.push((key, value));
    }
    partitions
}

/// Undoes the `%3A` that Hive and Spark write for characters which are special in paths.
fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%')
            .then(|| bytes.get(at + 1..at + 3))
            .flatten()
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        plain.push(escaped.unwrap_or(bytes[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8(plain).unwrap_or_else(|_| text.to_owned())
}

/// The columns that the folder names of `files` make, in order of appearance.
pub(super) fn columns<'a>(files: impl Iterator<Item = &'a InputFile>) -> Vec<HiveColumn> {
    let mut columns: Vec<(HiveColumn, bool)> = Vec::new();
    for (name, value) in files.flat_map(|file| &file.partitions) {
        let known = columns.iter().position(|(column, _)| column.name == *name).unwrap_or_else(|| {
            columns.push((HiveColumn { name: name.clone(), data_type: DataType::Int64 }, false));
            columns.len() - 1
        });
        if let Some(value) = value {
            let (column, has_value) = &mut columns[known];
            *has_value = true;
            if value.parse::<i64>().is_err() {
                column.data_type = DataType::Utf8;
            }
        }
    }
    let typed = |(column, has_value): (HiveColumn, bool)| match has_value {
        true => column,
        false => HiveColumn { data_type: DataType::Utf8, ..column },
    };
    columns.into_iter().map(typed).collect()
}

/// `rows` times the same value.
pub(super) fn array(data_type: &DataType, value: Option<&str>, rows: usize) -> ArrayRef {
    let number = value.filter(|_| *data_type == DataType::Int64).and_then(|text| text.parse::<i64>().ok());
    match (number, value) {
        (Some(number), _) => Arc::new(Int64Array::from_value(number, rows)),
        (None, Some(text)) => Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows))),
        (None, None) => new_null_array(data_type, rows),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::connector::input_file::Place;

    fn file(folders: &[&str]) -> InputFile {
        InputFile {
            name: Arc::from("part.parquet"),
            partitions: partitions(folders.iter().copied()),
            place: Place::Local(PathBuf::from("part.parquet")),
        }
    }

    #[test]
    fn folder_names_are_read_and_unescaped() {
        let read = partitions(["data", "day=1%3A2", "=x", "side=__HIVE_DEFAULT_PARTITION__", "day=50%", "eq=a=b"]);
        let expected = [("side", None), ("day", Some("50%")), ("eq", Some("a=b"))]
            .map(|(k, v)| (k.to_owned(), v.map(str::to_owned)));
        assert_eq!(read, expected);
        assert_eq!(partitions(["t=1%3A2"])[0].1.as_deref(), Some("1:2"));
    }

    #[test]
    fn a_column_is_integer_only_if_every_value_is() {
        let files = [file(&["a=1", "b=1", "c=__HIVE_DEFAULT_PARTITION__"]), file(&["a=-20", "b=x"])];
        let types: Vec<_> = columns(files.iter()).into_iter().map(|column| (column.name, column.data_type)).collect();
        let expected = [("a", DataType::Int64), ("b", DataType::Utf8), ("c", DataType::Utf8)];
        assert_eq!(types, expected.map(|(name, data_type)| (name.to_owned(), data_type)));
    }
}
