//! Random rows.

use std::sync::Arc;

use arrow_array::{Array, Float32Array, Int32Array, Int64Array, ListArray, RecordBatch};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, Schema};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Rows of 30 devices in turn, around one of eight centres that changes every 50 rows.
pub fn batch(width: usize, rows: usize) -> RecordBatch {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let centre = |row: usize, feature: usize| ((feature + row / 50) % 8) as f32 / 4.0;
    let values = (0..rows * width).map(|i| centre(i / width, i % width) + rng.random_range(-1.0_f32..1.0));
    let values = Float32Array::from_iter_values(values);
    let item = Arc::new(Field::new("item", DataType::Float32, false));
    let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(width, rows));
    let features = ListArray::new(item, offsets, Arc::new(values), None);
    let schema = Schema::new(vec![
        Field::new("features", features.data_type().clone(), false),
        Field::new("device", DataType::Int32, false),
        Field::new("time", DataType::Int64, false),
    ]);
    let devices = Int32Array::from_iter_values((0..rows).map(|row| row as i32 % 30));
    let times = Int64Array::from_iter_values((0..rows).map(|row| row as i64 * 20_000_000));
    RecordBatch::try_new(Arc::new(schema), vec![Arc::new(features), Arc::new(devices), Arc::new(times)]).unwrap()
}
