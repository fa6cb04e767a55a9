//! What ships works: every pipeline file is valid, and the sample data is what its README says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int32Type, Int64Type};
use evenkeel::config;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn pipelines() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join("pipelines")).unwrap();
    let files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "toml")).collect()
}

#[test]
fn every_pipeline_file_is_valid() {
    assert!(pipelines().len() >= 2);
    for file in pipelines() {
        let written = config::load(&file, &[]).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let plan = written.check().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert_eq!(plan.name(), file.file_stem().unwrap(), "a pipeline is named like its file");
    }
}

#[test]
fn the_image_opens_the_quickstart_to_its_network() {
    let dockerfile = std::fs::read_to_string(root().join("Dockerfile")).unwrap();
    let command = dockerfile.lines().find_map(|line| line.strip_prefix("CMD ")).expect("the Dockerfile ends with CMD");
    let words: Vec<String> = serde_json::from_str(command).unwrap();
    let [run, pipeline, set, value] = words.as_slice() else { panic!("{words:?}") };
    assert_eq!((run.as_str(), set.as_str()), ("run", "--set"));
    let plan = config::load(&root().join(pipeline), std::slice::from_ref(value)).unwrap().check().unwrap();
    assert_eq!(plan.listen(), Some("0.0.0.0:9464"));
}

#[test]
fn the_sample_is_what_its_readme_says() {
    let file = File::open(root().join("examples/data/watch.parquet")).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let names = reader.schema().metadata()["label_names"].clone();
    let mut readings = 0;
    let mut exercises: BTreeMap<(i32, String), BTreeSet<i32>> = BTreeMap::new();
    let mut last: Option<(i64, i32)> = None;
    for batch in reader.build().unwrap().map(Result::unwrap) {
        let (times, series) = (numbers::<Int64Type>(&batch, "timestamp_ns"), numbers::<Int32Type>(&batch, "series"));
        let (subjects, labels) = (numbers::<Int32Type>(&batch, "subject"), numbers::<Int32Type>(&batch, "label"));
        let sides = batch.column_by_name("side").unwrap().as_string::<i32>();
        for row in 0..batch.num_rows() {
            readings += 1;
            exercises.entry((subjects[row], sides.value(row).to_owned())).or_default().insert(labels[row]);
            if let Some((time, run)) = last {
                let pause = times[row] - time;
                assert!(if run == series[row] { pause == 20_000_000 } else { pause > 5_000_000_000 }, "row {readings}");
            }
            last = Some((times[row], series[row]));
        }
        for axis in ["ax", "ay", "az", "wx", "wy", "wz"] {
            assert!(numbers::<Float32Type>(&batch, axis).iter().all(|value| value.is_finite()), "{axis}");
        }
    }
    assert_eq!((readings, exercises.len()), (244_102, 20));
    assert!(exercises.values().all(|labels| labels.iter().copied().eq(0..7)), "every device shows every exercise");
    let names: BTreeMap<i32, String> = serde_json::from_str(&names).unwrap();
    assert_eq!(names.into_values().collect::<Vec<_>>(), ["PEN", "ABD", "FEL", "IR", "ER", "TRAP", "ROW"]);
}

fn numbers<'a, T: arrow_array::types::ArrowPrimitiveType>(batch: &'a RecordBatch, column: &str) -> &'a [T::Native] {
    batch.column_by_name(column).unwrap().as_primitive::<T>().values()
}
