//! Small inputs for this room's tests.

use std::fs::{self, File};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow_array::types::Float32Type;
use arrow_array::{
    ArrayRef, FixedSizeListArray, Float32Array, Float64Array, Int64Array, ListArray, RecordBatch, StringArray,
};
use arrow_schema::{DataType, Field};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::{Polled, Source};

/// A batch with one column `id`.
pub(super) fn numbered(ids: Range<i64>) -> RecordBatch {
    RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from_iter_values(ids)) as ArrayRef)]).unwrap()
}

/// A batch with a column of every kind that features may have, all of them made from `id`.
pub(super) fn mixed(ids: Range<i64>) -> RecordBatch {
    let values = Float32Array::from_iter_values(ids.clone().flat_map(|id| [id as f32, -(id as f32), 0.5]));
    let element = Arc::new(Field::new("element", DataType::Float32, true));
    let fixed = FixedSizeListArray::try_new(element, 3, Arc::new(values), None).unwrap();
    let ragged = ListArray::from_iter_primitive::<Float32Type, _, _>(
        ids.clone().map(|id| (id % 5 != 0).then(|| (0..id % 4).map(|i| Some(i as f32)).collect::<Vec<_>>())),
    );
    let columns: [(&str, ArrayRef, bool); 5] = [
        ("id", Arc::new(Int64Array::from_iter_values(ids.clone())), false),
        ("fixed", Arc::new(fixed), false),
        ("ragged", Arc::new(ragged), true),
        ("scalar", Arc::new(Float64Array::from_iter(ids.clone().map(|id| (id % 3 != 0).then_some(id as f64)))), true),
        ("name", Arc::new(StringArray::from_iter_values(ids.map(|id| format!("device-{}", id % 7)))), false),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

/// Writes a Parquet file, making its folders.
pub(super) fn write(path: &Path, batch: &RecordBatch, group_rows: usize) -> String {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group_rows)).build();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    path.to_string_lossy().into_owned()
}

/// The column `id`.
pub(super) fn ids(batch: &RecordBatch) -> Vec<i64> {
    let column = batch.column_by_name("id").unwrap();
    column.as_any().downcast_ref::<Int64Array>().unwrap().values().to_vec()
}

/// Sequence, coordinates and id of every row from epoch 0 to the end.
pub(super) fn all_rows(source: &mut dyn Source) -> Vec<(u64, crate::data::Coordinates, i64)> {
    let mut rows = Vec::new();
    for epoch in 0.. {
        let Polled::Rows(records) = source.read(epoch).unwrap() else { break };
        for record in &records {
            let read = ids(&record.batch);
            rows.extend(
                read.iter().enumerate().map(|(i, id)| (record.first_sequence + i as u64, record.coordinates(i), *id)),
            );
        }
    }
    rows
}
