//! The program as its users meet it: a process with arguments, two outputs and an exit code.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use serde_json::Value;
use tempfile::TempDir;

fn evenkeel(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_evenkeel")).args(arguments).env_remove("RUST_LOG").output().unwrap()
}

fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn err(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

const PIPELINE: &str = "\
[pipeline]
name = \"har\"
[source.parquet]
paths = [\"har.parquet\"]
[features]
columns = [\"features\"]
[model]
clusters = 6
";

fn pipeline(folder: &TempDir, text: &str) -> PathBuf {
    let file = folder.path().join("pipeline.toml");
    std::fs::write(&file, text).unwrap();
    file
}

/// Twelve rows, four of each label; clusters agree on nine. Figures by scikit-learn 1.9.1, for
/// y = [0,0,0,0,1,1,1,1,2,2,2,2] and c = [5,5,5,7,7,7,7,9,9,9,5,9] without the two rows that are not scored:
/// accuracy after scipy's linear_sum_assignment (0.75 for y[4:], c[4:] and 2/3 for y[9:], c[9:] as well), normalized_mutual_info_score, adjusted_rand_score.
const ACC: f64 = 0.75;
const NMI: f64 = 0.488_140_492_857_085_33;
const ARI: f64 = 0.3125;

/// The rows of [`ACC`] and two that are not scored: one with label -1, one without.
fn write_assignments(file: &Path, with_labels: bool) {
    let clusters = [5, 5, 5, 7, 7, 7, 7, 9, 9, 9, 5, 9, 5, 7];
    let labels = (0..12).map(|row| Some(row / 4)).chain([Some(-1), None]);
    let rows = clusters.len();
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("source", Arc::new(StringArray::from(vec!["har.parquet"; rows]))),
        ("partition", Arc::new(Int32Array::from(vec![0; rows]))),
        ("offset", Arc::new(Int64Array::from_iter_values(0..rows as i64))),
        ("cluster", Arc::new(Int32Array::from(clusters.to_vec()))),
        ("warmup", Arc::new(BooleanArray::from_iter((0..rows).map(|row| Some(row < 4))))),
    ];
    if with_labels {
        columns.push(("label", Arc::new(Int64Array::from_iter(labels))));
    }
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(file).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn help_names_every_command_and_succeeds() {
    let help = evenkeel(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    for command in ["run", "assign", "validate", "evaluate", "report", "checkpoint", "schema", "completions"] {
        assert!(out(&help).lines().any(|line| line.trim_start().starts_with(command)), "{command} is not in the help");
        assert_eq!(evenkeel(&[command, "--help"]).status.code(), Some(0));
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    assert_eq!(out(&evenkeel(&["--version"])), format!("evenkeel {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_wrong_command_line_exits_with_64() {
    for arguments in [&["evaluate"][..], &["evaluate", "x", "--no-such-option"], &["sail"], &[]] {
        let output = evenkeel(arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(out(&output).is_empty() && !err(&output).is_empty());
    }
    let level = evenkeel(&["schema", "--log-level", "evenkeel=lots"]);
    assert_eq!(level.status.code(), Some(64), "{}", err(&level));
}

#[test]
fn an_unknown_key_exits_with_78_and_a_suggestion() {
    let folder = TempDir::new().unwrap();
    let file = pipeline(&folder, &PIPELINE.replace("clusters", "clustres"));
    let output = evenkeel(&["validate", path(&file)]);
    assert_eq!(output.status.code(), Some(78));
    let expected =
        format!("error: {}:6: unknown key `model.clustres`; did you mean `model.clusters`?\n", file.display());
    assert_eq!(err(&output), expected);
}

#[test]
fn every_broken_rule_is_a_line_with_the_file() {
    let folder = TempDir::new().unwrap();
    let file = pipeline(&folder, PIPELINE);
    let output = evenkeel(&["validate", path(&file), "--set", "model.clusters=1", "--set", "learning.passes=0"]);
    assert_eq!(output.status.code(), Some(78));
    let start = format!("error: {}: `", file.display());
    assert_eq!(err(&output).lines().filter(|line| line.starts_with(&start)).count(), 2, "{}", err(&output));
}

#[test]
fn a_missing_pipeline_file_exits_with_66_and_a_malformed_override_with_64() {
    assert_eq!(evenkeel(&["validate", "there/is/none.toml"]).status.code(), Some(66));
    let folder = TempDir::new().unwrap();
    let file = pipeline(&folder, PIPELINE);
    assert_eq!(evenkeel(&["validate", path(&file), "--set", "model.clusters"]).status.code(), Some(64));
}

#[test]
fn an_invalid_pipeline_is_told_in_json_too() {
    let folder = TempDir::new().unwrap();
    let file = pipeline(&folder, PIPELINE);
    let invalid = evenkeel(&["validate", path(&file), "--json", "--set", "model.clusters=1"]);
    assert_eq!(invalid.status.code(), Some(78));
    let verdict: Value = serde_json::from_slice(&invalid.stdout).unwrap();
    assert_eq!(verdict["valid"], false);
    assert!(verdict["problems"][0].as_str().unwrap().contains("`model.clusters` is 1"));
}

#[test]
fn the_schema_is_printed_as_shipped() {
    let output = evenkeel(&["schema"]);
    assert_eq!(output.status.code(), Some(0));
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/pipeline.schema.json");
    let shipped: Value = serde_json::from_slice(&std::fs::read(shipped).unwrap()).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), shipped);
}

#[test]
fn completions_are_written_for_the_usual_shells() {
    for shell in ["bash", "zsh", "fish"] {
        let output = evenkeel(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0));
        assert!(out(&output).contains("evaluate"), "{shell}");
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_fault() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_evenkeel"))
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The reading end closes before the program can have filled the pipe.
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), err(&output)), (Some(0), ""));
}

#[test]
fn scores_are_those_of_scikit_learn() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("assignments.parquet");
    write_assignments(&file, true);
    let output = evenkeel(&["evaluate", path(&file), "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let evaluation: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((evaluation["rows"].as_u64(), evaluation["ignored"].as_u64()), (Some(14), Some(2)));
    for (score, expected) in [("acc", ACC), ("nmi_arithmetic", NMI), ("nmi_max", NMI), ("ari", ARI), ("ne_labels", 1.0)]
    {
        let ours = evaluation["all"][score].as_f64().unwrap();
        assert!((ours - expected).abs() < 1e-12, "{score} is {ours}");
    }
    assert_eq!(evaluation["prequential"]["rows"], 10);
    assert_eq!(evaluation["prequential"]["acc"], 0.75);
    assert_eq!(evaluation["prequential_second_half"]["rows"], 5);

    let text = evenkeel(&["evaluate", path(&file)]);
    assert!(
        out(&text).lines().any(|line| line.split_whitespace().eq(["ACC", "0.7500", "0.7500", "0.6667"])),
        "{}",
        out(&text)
    );
}

#[test]
fn a_folder_is_read_without_what_is_not_committed() {
    let folder = TempDir::new().unwrap();
    let day = folder.path().join("day=1");
    std::fs::create_dir_all(folder.path().join("_pending")).unwrap();
    std::fs::create_dir_all(&day).unwrap();
    write_assignments(&folder.path().join("part-w00-000001.parquet"), true);
    write_assignments(&day.join("part-w00-000002.parquet"), true);
    std::fs::write(folder.path().join("_pending/part-w00-000003.parquet"), "half a file").unwrap();
    std::fs::write(folder.path().join("_manifest.json"), "{}").unwrap();
    let output = evenkeel(&["evaluate", path(folder.path()), "--json"]);
    let evaluation: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((evaluation["rows"].as_u64(), evaluation["all"]["acc"].as_f64()), (Some(28), Some(ACC)));
}

#[test]
fn without_labels_only_evenness_is_told() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("assignments.parquet");
    write_assignments(&file, false);
    let output = evenkeel(&["evaluate", path(&file), "--json"]);
    let evaluation: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(evaluation["all"]["acc"], Value::Null);
    assert!(evaluation["all"]["ne_clusters"].as_f64().unwrap() > 0.99);
    let asked = evenkeel(&["evaluate", path(&file), "--labels", "truth"]);
    assert_eq!(asked.status.code(), Some(65));
    assert!(err(&asked).contains("column `truth`") && err(&asked).contains("there are source"), "{}", err(&asked));
}

#[test]
fn assignments_that_are_not_there_or_broken_are_told_apart() {
    let folder = TempDir::new().unwrap();
    assert_eq!(evenkeel(&["evaluate", "there/is/none"]).status.code(), Some(66));
    assert_eq!(evenkeel(&["evaluate", path(folder.path())]).status.code(), Some(66));
    let broken = folder.path().join("broken.parquet");
    std::fs::write(&broken, "PAR1 no").unwrap();
    let output = evenkeel(&["evaluate", path(&broken)]);
    assert_eq!(output.status.code(), Some(65));
    assert!(err(&output).contains("broken.parquet"), "{}", err(&output));
}
