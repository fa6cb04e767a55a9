//! The program as its users meet it: a process with arguments, two outputs and an exit code.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::types::Float32Type;
use arrow_array::{
    ArrayRef, BooleanArray, FixedSizeListArray, Float64Array, Int32Array, Int64Array, ListArray, RecordBatch,
    StringArray,
};
use evenkeel::checkpoint::{Checkpoint, Local, Store};
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
    write(file, &RecordBatch::try_from_iter(columns).unwrap());
}

fn write(file: &Path, batch: &RecordBatch) {
    let mut writer = ArrowWriter::try_new(File::create(file).unwrap(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
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
        format!("error: {}:8: unknown key `model.clustres`; did you mean `model.clusters`?\n", file.display());
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

/// A pipeline file beside an input of three rows and columns of many kinds.
fn pipeline_with_input(folder: &TempDir) -> PathBuf {
    let list = |row: f32| Some(vec![Some(row), Some(-row)]);
    let words = vec!["a", "b", "c"];
    let mut text_lists = ListBuilder::new(StringBuilder::new());
    for word in &words {
        text_lists.append_value([Some(word)]);
    }
    let rows = (0..3).map(|row| list(row as f32));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("vector", Arc::new(FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(rows.clone(), 2))),
        ("ragged", Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(rows))),
        ("pressure", Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0]))),
        ("words", Arc::new(StringArray::from(words))),
        ("word_lists", Arc::new(text_lists.finish())),
        ("cluster", Arc::new(Int32Array::from(vec![0, 1, 0]))),
    ];
    let input = folder.path().join("input.parquet");
    write(&input, &RecordBatch::try_from_iter(columns).unwrap());
    pipeline(folder, &PIPELINE.replace("har.parquet", path(&input)).replace("\"features\"", "\"vector\", \"pressure\""))
}

fn validate(file: &Path, set: &str) -> Output {
    evenkeel(&["validate", path(file), "--set", set])
}

#[test]
fn a_valid_pipeline_is_told_with_what_its_input_holds() {
    let folder = TempDir::new().unwrap();
    let file = pipeline_with_input(&folder);
    let valid = validate(&file, "features.keep=[\"words\"]");
    assert_eq!(valid.status.code(), Some(0), "{}", err(&valid));
    assert_eq!(out(&valid), format!("{} is valid: 1 file, 3 rows, 3 columns read, 3 features\n", file.display()));
    // Only the rows know how long their lists are.
    let ragged = evenkeel(&["validate", path(&file), "--json", "--set", "features.columns=[\"ragged\"]"]);
    let verdict: Value = serde_json::from_slice(&ragged.stdout).unwrap();
    assert_eq!((&verdict["valid"], &verdict["input"]["rows"]), (&Value::from(true), &Value::from(3)));
    assert_eq!(
        (&verdict["input"]["columns"][0], &verdict["input"]["features"]),
        (&Value::from("ragged"), &Value::Null)
    );
    assert!(!folder.path().join("runs").exists(), "validating leaves nothing behind");
}

#[test]
fn an_input_that_is_not_there_exits_with_66() {
    let folder = TempDir::new().unwrap();
    let file = pipeline_with_input(&folder);
    let missing = format!("source.parquet.paths=[\"{}\"]", folder.path().join("inputs.parquet").display());
    let output = validate(&file, &missing);
    assert_eq!(output.status.code(), Some(66));
    assert!(err(&output).contains("did you mean") && err(&output).contains("input.parquet`?"), "{}", err(&output));
}

#[test]
fn columns_that_do_not_fit_are_named_with_the_file_and_exit_with_78() {
    let folder = TempDir::new().unwrap();
    let file = pipeline_with_input(&folder);
    let cases = [
        ("features.columns=[\"vectr\"]", &["no column `vectr` (`features.columns`)", "did you mean `vector`?"][..]),
        ("features.key=pressur", &["no column `pressur` (`features.key`)", "did you mean `pressure`?"]),
        ("features.columns=[\"words\"]", &["column `words` (`features.columns`) is Utf8"]),
        ("features.columns=[\"word_lists\"]", &["column `word_lists` (`features.columns`)", "list of floats"]),
        ("features.time=pressure", &["column `pressure` (`features.time`) is Float64", "timestamp"]),
    ];
    for (set, parts) in cases {
        let output = validate(&file, set);
        assert_eq!(output.status.code(), Some(78), "{set}: {}", err(&output));
        for part in parts.iter().chain(&["input.parquet"]) {
            assert!(err(&output).contains(part), "{set}: {}", err(&output));
        }
    }
}

#[test]
fn a_column_that_the_output_has_already_is_refused() {
    let folder = TempDir::new().unwrap();
    let output = validate(&pipeline_with_input(&folder), "features.keep=[\"cluster\"]");
    assert_eq!(output.status.code(), Some(65));
    assert!(err(&output).contains("column `cluster`") && err(&output).contains("features.keep"), "{}", err(&output));
}

#[test]
fn files_that_disagree_on_a_column_are_told_apart_by_name() {
    let folder = TempDir::new().unwrap();
    let file = pipeline_with_input(&folder);
    let other = folder.path().join("other.parquet");
    let columns: Vec<(&str, ArrayRef)> = vec![("pressure", Arc::new(Int32Array::from(vec![1])))];
    write(&other, &RecordBatch::try_from_iter(columns).unwrap());
    let both = format!("source.parquet.paths=[\"{}\"]", folder.path().display());
    let output = evenkeel(&["validate", path(&file), "--set", &both, "--set", "features.columns=[\"pressure\"]"]);
    assert_eq!(output.status.code(), Some(65), "{}", err(&output));
    for part in ["input.parquet", "other.parquet", "Int32", "Float64"] {
        assert!(err(&output).contains(part), "{}", err(&output));
    }
}

/// A run directory with checkpoints 1 and 2.
fn run_directory() -> TempDir {
    let folder = TempDir::new().unwrap();
    let store = Store::open(&folder.path().join("checkpoints"), 3).unwrap();
    for id in 1..=2 {
        let local = Local { featurizer: vec![3; 5], sinks: vec![vec![4; 8]] };
        let mut checkpoint = Checkpoint { id, epoch: 10 * id, rows: 320 * id, workers: 1, ..Checkpoint::default() };
        checkpoint.replica = vec![7; 100];
        checkpoint.locals = vec![local];
        checkpoint.created_unix_s = 1_514_764_800;
        checkpoint.digest.insert("model.clusters", "6");
        store.write(&checkpoint).unwrap();
    }
    folder
}

/// Changes the last byte of checkpoint 2: its header stays whole.
fn damage(folder: &TempDir) -> PathBuf {
    let file = folder.path().join("checkpoints/checkpoint-00000002.ek");
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, bytes).unwrap();
    file
}

#[test]
fn checkpoints_are_listed_newest_first_from_either_folder() {
    let folder = run_directory();
    let run = evenkeel(&["checkpoint", "list", path(folder.path())]);
    let inner = evenkeel(&["checkpoint", "list", path(&folder.path().join("checkpoints"))]);
    assert_eq!((run.status.code(), out(&run)), (Some(0), out(&inner)));
    let lines: Vec<Vec<&str>> = out(&run).lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0][..4], ["checkpoint", "created", "epoch", "pass"]);
    assert_eq!(lines[1][..7], ["2", "2018-01-01", "00:00:00", "UTC", "20", "0", "640"]);
    assert_eq!((lines[2][0], lines.len()), ("1", 3));
    let json = evenkeel(&["checkpoint", "list", path(folder.path()), "--json"]);
    let all: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&all[0]["id"], &all[1]["header"]["rows"]), (&Value::from(2), &Value::from(320)));
}

#[test]
fn a_checkpoint_is_inspected_by_file_or_as_the_newest() {
    let folder = run_directory();
    let file = folder.path().join("checkpoints/checkpoint-00000001.ek");
    let has = |output: &Output, name: &str, value: &str| {
        out(output).lines().any(|line| line.strip_prefix(name).is_some_and(|rest| rest.trim() == value))
    };
    let first = evenkeel(&["checkpoint", "inspect", path(&file)]);
    assert!(has(&first, "checkpoint", "1") && has(&first, "model.clusters", "6"), "{}", out(&first));
    assert!(out(&first).lines().any(|line| line.starts_with("replica") && line.contains("100")), "{}", out(&first));
    assert!(has(&evenkeel(&["checkpoint", "inspect", path(folder.path())]), "checkpoint", "2"));
}

#[test]
fn verification_exits_with_65_if_a_checkpoint_is_damaged() {
    let folder = run_directory();
    assert_eq!(evenkeel(&["checkpoint", "verify", path(folder.path())]).status.code(), Some(0));
    let file = damage(&folder);
    let output = evenkeel(&["checkpoint", "verify", path(folder.path())]);
    assert_eq!(output.status.code(), Some(65));
    assert_eq!(err(&output), "error: 1 of 2 checkpoints is damaged\n");
    let verdicts: Vec<&str> = out(&output).lines().map(|line| line.split_whitespace().nth(1).unwrap()).collect();
    assert_eq!(verdicts, ["damaged:", "whole"]);
    let alone = evenkeel(&["checkpoint", "verify", path(&file), "--json"]);
    let all: Value = serde_json::from_slice(&alone.stdout).unwrap();
    assert_eq!((alone.status.code(), &all[0]["verdict"]), (Some(65), &Value::from("damaged")));
}

#[test]
fn where_no_checkpoint_is_the_commands_exit_with_66() {
    let folder = TempDir::new().unwrap();
    for command in ["list", "inspect", "verify"] {
        for place in [folder.path().to_owned(), folder.path().join("none")] {
            let output = evenkeel(&["checkpoint", command, path(&place)]);
            assert_eq!(output.status.code(), Some(66), "{}", err(&output));
        }
    }
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
