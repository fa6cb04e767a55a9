use std::fs;

use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch};
use tempfile::TempDir;

use super::*;
use crate::connector::sample::{mixed, numbered, write};

fn open(paths: &[&str], columns: &[&str]) -> Result<ParquetCatalog, ConnectorError> {
    let paths = paths.iter().map(|&path| path.to_owned()).collect();
    let columns: Vec<String> = columns.iter().map(|&column| column.to_owned()).collect();
    ParquetCatalog::open(&ParquetSourceParameters { paths, batch_rows: 4 }, &columns)
}

fn said(paths: &[&str], columns: &[&str]) -> String {
    open(paths, columns).unwrap_err().to_string()
}

#[test]
fn rows_are_numbered_through_files_and_row_groups() {
    let dir = TempDir::new().unwrap();
    let a = write(&dir.path().join("a.parquet"), &numbered(0..5), 2);
    let b = write(&dir.path().join("b.parquet"), &numbered(5..5), 2);
    let c = write(&dir.path().join("c.parquet"), &numbered(5..8), 2);
    let catalog = open(&[&c, &a, &b], &["id"]).unwrap();
    assert_eq!(catalog.total_rows(), 8);
    let groups: Vec<_> =
        catalog.groups.iter().map(|g| (g.file, g.index, g.rows, g.first_offset, g.first_sequence)).collect();
    assert_eq!(groups, [(0, 0, 2, 0, 0), (0, 1, 2, 2, 2), (0, 2, 1, 4, 4), (2, 0, 2, 0, 5), (2, 1, 1, 2, 7)]);
    let digest = catalog.digest();
    let expected = [(a.as_str(), 5), (b.as_str(), 0), (c.as_str(), 3)];
    for (file, (name, rows)) in digest.files.iter().zip(expected) {
        assert_eq!((file.name.as_str(), file.rows), (name, rows));
        assert_eq!(file.bytes, fs::metadata(name).unwrap().len());
    }
}

#[test]
fn the_schema_joins_columns_and_folder_names() {
    let dir = TempDir::new().unwrap();
    write(&dir.path().join("subject=1/side=l/a.parquet"), &mixed(0..5), 2);
    write(&dir.path().join("subject=2/side=r/a.parquet"), &mixed(5..9), 2);
    let catalog = open(&[dir.path().to_str().unwrap()], &["fixed", "subject"]).unwrap();
    let fields: Vec<_> = catalog.schema().fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(fields, ["id", "fixed", "ragged", "scalar", "name", "subject", "side"]);
    assert_eq!(catalog.schema().field_with_name("subject").unwrap().data_type(), &DataType::Int64);
    assert_eq!(catalog.schema().field_with_name("side").unwrap().data_type(), &DataType::Utf8);
    assert!(!catalog.schema().field_with_name("id").unwrap().is_nullable());
}

#[test]
fn a_file_with_nothing_in_it_is_named_in_the_error() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("void.parquet");
    fs::write(&path, b"").unwrap();
    let said = said(&[path.to_str().unwrap()], &[]);
    assert!(said.contains("void.parquet") && said.contains("empty (0 bytes)"), "{said}");
}

#[test]
fn a_truncated_file_is_named_in_the_error() {
    let dir = TempDir::new().unwrap();
    let path = write(&dir.path().join("cut.parquet"), &mixed(0..50), 10);
    let bytes = fs::read(&path).unwrap();
    for kept in [13, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&path, &bytes[..kept]).unwrap();
        let said = said(&[&path], &[]);
        assert!(said.contains("cut.parquet") && said.contains("truncated"), "{kept} bytes: {said}");
    }
}

#[test]
fn a_file_that_lost_bytes_in_the_middle_is_named_in_the_error() {
    let dir = TempDir::new().unwrap();
    let path = write(&dir.path().join("gap.parquet"), &mixed(0..5000), 1000);
    let bytes = fs::read(&path).unwrap();
    let footer = 8 + u32::from_le_bytes(bytes[bytes.len() - 8..bytes.len() - 4].try_into().unwrap()) as usize;
    fs::write(&path, [&bytes[..100], &bytes[bytes.len() - footer..]].concat()).unwrap();
    let said = said(&[&path], &[]);
    assert!(said.contains("gap.parquet") && said.contains("outside the file"), "{said}");
}

#[test]
fn a_damaged_footer_is_named_in_the_error() {
    let dir = TempDir::new().unwrap();
    let path = write(&dir.path().join("torn.parquet"), &mixed(0..50), 10);
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.len() - 8;
    bytes[end - 200..end].fill(0xff);
    fs::write(&path, &bytes).unwrap();
    let said = said(&[&path], &[]);
    assert!(said.contains("torn.parquet") && said.contains("footer is damaged"), "{said}");
}

#[test]
fn a_file_of_another_format_is_named_in_the_error() {
    let dir = TempDir::new().unwrap();
    for (text, expected) in
        [("a,b\n1,2\n1,2\n1,2\n", "no Parquet file: it does not end with PAR1"), ("hi", "only 2 bytes")]
    {
        let path = dir.path().join("table.parquet");
        fs::write(&path, text).unwrap();
        let said = said(&[path.to_str().unwrap()], &[]);
        assert!(said.contains("table.parquet") && said.contains(expected), "{said}");
    }
}

#[test]
fn a_missing_column_is_named_with_the_nearest_one() {
    let dir = TempDir::new().unwrap();
    let path = write(&dir.path().join("a.parquet"), &mixed(0..5), 10);
    let near = said(&[&path], &["id", "scaler"]);
    assert!(near.contains("column `scaler` in") && near.contains("a.parquet"), "{near}");
    assert!(near.contains("did you mean `scalar`?"), "{near}");
    let far = said(&[&path], &["qqq"]);
    assert!(far.contains("the file has id, fixed, ragged, scalar, name"), "{far}");
}

#[test]
fn a_folder_column_that_some_files_lack_is_an_error() {
    let dir = TempDir::new().unwrap();
    write(&dir.path().join("d/subject=1/a.parquet"), &numbered(0..5), 10);
    let plain = write(&dir.path().join("d/b.parquet"), &numbered(0..5), 10);
    let said = said(&[dir.path().join("d").to_str().unwrap()], &["subject"]);
    assert!(said.contains(&plain) && said.contains("folder name `subject=…`"), "{said}");
}

#[test]
fn a_column_of_two_types_is_named_with_both_files() {
    let dir = TempDir::new().unwrap();
    let a = write(&dir.path().join("a.parquet"), &numbered(0..5), 10);
    let narrow: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let b = write(&dir.path().join("b.parquet"), &RecordBatch::try_from_iter([("id", narrow)]).unwrap(), 10);
    let said = said(&[&a, &b], &["id"]);
    assert!(said.contains(&format!("column `id` in {b}: is Int32 here but Int64 in {a}")), "{said}");
}

#[test]
fn columns_that_are_not_wanted_may_differ() {
    let dir = TempDir::new().unwrap();
    let a = write(&dir.path().join("a.parquet"), &mixed(0..5), 10);
    let b = write(&dir.path().join("b.parquet"), &numbered(0..5), 10);
    assert_eq!(open(&[&a, &b], &["id"]).unwrap().total_rows(), 10);
}

#[test]
fn a_file_without_rows_need_not_have_the_columns() {
    let dir = TempDir::new().unwrap();
    let nothing: ArrayRef = Arc::new(Int64Array::from(Vec::<i64>::new()));
    let a = write(&dir.path().join("a.parquet"), &RecordBatch::try_from_iter([("other", nothing)]).unwrap(), 10);
    let b = write(&dir.path().join("b.parquet"), &numbered(0..5), 10);
    let catalog = open(&[&a, &b], &["id"]).unwrap();
    assert_eq!(catalog.total_rows(), 5);
    assert_eq!(catalog.schema().field(0).name(), "id");
}

#[test]
fn input_without_any_row_says_so() {
    let dir = TempDir::new().unwrap();
    let path = write(&dir.path().join("a.parquet"), &numbered(0..0), 10);
    let said = said(&[&path], &["id"]);
    assert!(said.starts_with("no input") && said.contains("all files are empty"), "{said}");
}
