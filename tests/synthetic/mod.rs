//! A stream of three blobs, small enough to be clustered in a test.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, Int32Array, RecordBatch};
use arrow_schema::Schema;
use parquet::arrow::ArrowWriter;

/// Writes `rows` rows of six features around three centres in turn; labels 0 to 2 are called `low`, `middle` and `high`.
pub fn write_blobs(file: &Path, rows: usize) {
    // An additive walk by the golden ratio stands for noise: even, and the same everywhere.
    let noise = |i: usize| ((i as f64 * 0.618_033_988_749_895) % 1.0 - 0.5) as f32;
    let feature = |j: usize| -> ArrayRef {
        let value = |row: usize| if row % 3 == j % 3 { 4.0 } else { 0.0 } + noise(7 * row + j);
        Arc::new(Float32Array::from_iter_values((0..rows).map(value)))
    };
    let mut columns: Vec<(String, ArrayRef)> = (0..6).map(|j| (format!("f{j}"), feature(j))).collect();
    columns.push(("label".to_owned(), Arc::new(Int32Array::from_iter_values((0..rows as i32).map(|row| row % 3)))));
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let names = [("label_names".to_owned(), r#"{"0": "low", "1": "middle", "2": "high"}"#.to_owned())];
    let schema = Arc::new(Schema::new_with_metadata(batch.schema().fields().clone(), names));
    let batch = batch.with_schema(Arc::clone(&schema)).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(file).unwrap(), schema, None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// A pipeline that reads `input` (a file or a folder) and writes to `run_dir`; a checkpoint is made at every chunk.
pub fn pipeline(input: &Path, run_dir: &Path) -> String {
    format!(
        "[pipeline]\nname = \"blobs\"\nworkers = 1\nrun_dir = '{}'\n\
         [source.parquet]\npaths = ['{}']\n\
         [features]\ncolumns = [\"f0\", \"f1\", \"f2\", \"f3\", \"f4\", \"f5\"]\nlabel = \"label\"\n\
         [model]\nclusters = 3\nencoder = [16]\nembedding = 4\n\
         [learning]\nwarmup_rows = 96\nwarmup_steps = 100\nrefresh_steps = 10\nreservoir_rows = 120\n\
         [checkpoint]\nevery_rows = 32\nkeep = 100\n",
        run_dir.display(),
        input.display()
    )
}
