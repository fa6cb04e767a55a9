//! Data sets as tables, and the orders in which they are streamed.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int32Type};
use arrow_array::{RecordBatch, UInt64Array};
use arrow_select::concat::concat_batches;
use arrow_select::take::take_record_batch;
use evenkeel::stats::random::stream;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rand::seq::SliceRandom;

/// Reads a Parquet file into one batch.
pub fn read(path: &Path) -> RecordBatch {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let schema = reader.schema().clone();
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    concat_batches(&schema, &batches).unwrap()
}

/// Writes rows to a Parquet file.
pub fn write(path: &Path, rows: &RecordBatch) {
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), rows.schema(), None).unwrap();
    writer.write(rows).unwrap();
    writer.close().unwrap();
}

/// The rows in another order, or some of them.
pub fn pick(rows: &RecordBatch, order: &[usize]) -> RecordBatch {
    let order: UInt64Array = order.iter().map(|i| *i as u64).collect();
    take_record_batch(rows, &order).unwrap()
}

/// An integer column.
pub fn integers(rows: &RecordBatch, column: &str) -> Vec<i32> {
    let column = rows.column_by_name(column).unwrap_or_else(|| panic!("no column {column}"));
    column.as_primitive::<Int32Type>().values().to_vec()
}

/// The `features` column, row by row, and its width.
pub fn features(rows: &RecordBatch) -> (Vec<f32>, usize) {
    let lists = rows.column_by_name("features").unwrap().as_fixed_size_list();
    let width = lists.value_length() as usize;
    (lists.values().as_primitive::<Float32Type>().values().to_vec(), width)
}

/// Which device each row belongs to, as a number; one device if there is no key.
pub fn devices(rows: &RecordBatch, key: &[&str]) -> Vec<usize> {
    let columns: Vec<Vec<i32>> = key.iter().map(|column| integers(rows, column)).collect();
    let mut known = BTreeMap::new();
    (0..rows.num_rows())
        .map(|row| {
            let next = known.len();
            *known.entry(columns.iter().map(|column| column[row]).collect::<Vec<_>>()).or_insert(next)
        })
        .collect()
}

/// The rows that are left when every device loses `lost` labels, drawn at random for each.
pub fn lose_labels(devices: &[usize], labels: &[i32], lost: usize, seed: u64) -> Vec<usize> {
    let mut rng = stream(seed, "lost labels", 0);
    let classes = labels.iter().max().map_or(0, |most| most + 1);
    let count = devices.iter().max().map_or(0, |most| most + 1);
    let gone: Vec<Vec<i32>> = (0..count)
        .map(|_| {
            let mut all: Vec<i32> = (0..classes).collect();
            all.shuffle(&mut rng);
            all.truncate(lost);
            all
        })
        .collect();
    (0..labels.len()).filter(|&row| !gone[devices[row]].contains(&labels[row])).collect()
}
