//! Real recordings for oracle tests: a folder beside the repository, since not all of it may be redistributed.

use std::fs::File;
use std::path::Path;

use arrow_array::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/");

/// The batches of a recording, or `None` (with a note) if the folder is not there.
///
/// # Panics
/// If it is not there although `EVENKEEL_SHARED_DATA_REQUIRED` or `CI` is set.
pub(crate) fn recording(name: &str, batch_rows: usize) -> Option<impl Iterator<Item = RecordBatch> + use<>> {
    let path = Path::new(FOLDER).join(format!("{name}.parquet"));
    if !path.exists() {
        let required = ["EVENKEEL_SHARED_DATA_REQUIRED", "CI"].iter().any(|name| std::env::var_os(name).is_some());
        assert!(
            !required,
            "{} is missing: put the Parquet recordings that its data.md describes into {FOLDER}, or unset \
             EVENKEEL_SHARED_DATA_REQUIRED and CI to leave this test out",
            path.display()
        );
        eprintln!("left out: {} is missing", path.display());
        return None;
    }
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    Some(builder.with_batch_size(batch_rows).build().unwrap().map(Result::unwrap))
}
