//! What can be wrong with input, output, checkpoints and settings: no panic, no hang, no lost row, and a message that says
//! what is wrong, where, and what to do.

mod common;

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::builder::{Float32Builder, ListBuilder};
use arrow_array::{ArrayRef, StringArray};
use parquet::file::reader::{FileReader, SerializedFileReader};

use common::{PIPELINE, Reading, Scene, WIDTH, WINDOWS, blocks, columns, floats, stream, texts};

/// Enough for a first model and some updates.
const ROWS: usize = 300;

/// The columns with one of them replaced.
fn replaced(rows: &[Reading], name: &str, array: ArrayRef) -> Vec<(String, ArrayRef)> {
    let mut columns = columns(rows);
    columns.iter_mut().find(|column| column.0 == name).unwrap().1 = array;
    columns
}

/// `features` as a list column, each entry as `of` makes it.
fn lists(rows: &[Reading], of: impl Fn(usize, &[f32]) -> Option<Vec<Option<f32>>>) -> ArrayRef {
    let mut builder = ListBuilder::new(Float32Builder::new());
    for (row, reading) in rows.iter().enumerate() {
        builder.append_option(of(row, &reading.features));
    }
    Arc::new(builder.finish())
}

fn some(features: &[f32]) -> Vec<Option<f32>> {
    features.iter().copied().map(Some).collect()
}

fn all_finite(scene: &Scene) {
    let assignments = scene.assignments();
    for column in ["confidence", "distance", "balance_cost"] {
        assert!(floats(&assignments, column).iter().all(|value| value.is_finite()), "{column}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let scene = Scene::empty(PIPELINE);
    scene.run(&[]).says(66, &["stream.parquet", "no input"]);
    assert_eq!(scene.counts(), (0, 0));
}

#[test]
fn an_empty_file_is_named() {
    let scene = Scene::empty(PIPELINE);
    fs::write(scene.path("stream.parquet"), "").unwrap();
    scene.run(&[]).says(65, &["stream.parquet", "empty (0 bytes)", "again"]);
}

#[test]
fn a_truncated_file_is_named() {
    let scene = Scene::new(PIPELINE, &blocks(ROWS, 1));
    let bytes = fs::read(scene.path("stream.parquet")).unwrap();
    for length in [bytes.len() - 1, bytes.len() / 2, 20] {
        fs::write(scene.path("stream.parquet"), &bytes[..length]).unwrap();
        scene.run(&[]).says(65, &["stream.parquet", "truncated", "again"]);
    }
}

#[test]
fn a_damaged_row_group_is_named_and_rows_before_it_are_kept() {
    let scene = Scene::new(PIPELINE, &blocks(1000, 1));
    let file = scene.path("stream.parquet");
    let whole = fs::read(&file).unwrap();
    let reader = SerializedFileReader::new(fs::File::open(&file).unwrap()).unwrap();
    let (start, length) = reader.metadata().row_group(2).column(0).byte_range();
    let mut damaged = whole.clone();
    damaged[start as usize..(start + length) as usize].fill(0xAA);
    fs::write(&file, damaged).unwrap();
    scene.run(&[]).says(65, &["stream.parquet", "row 512 or after it", "row group 2", "copy the file again"]);
    // The file is repaired, the run goes on from its last checkpoint.
    assert!(!checkpoints(&scene).is_empty());
    fs::write(&file, whole).unwrap();
    assert!(scene.succeed(&[]).err.contains("resuming"));
    assert_eq!(scene.counts(), (1000, 0));
}

#[test]
fn a_column_of_the_wrong_type_is_named() {
    let rows = blocks(ROWS, 1);
    let text: ArrayRef = Arc::new(rows.iter().map(|_| Some("1.5")).collect::<StringArray>());
    let scene = Scene::with_columns(PIPELINE, replaced(&rows, "features", text));
    scene.run(&[]).says(78, &["`features`", "`features.columns`", "Utf8", "floats"]);
    let text: ArrayRef = Arc::new(rows.iter().map(|_| Some("noon")).collect::<StringArray>());
    let scene = Scene::with_columns(PIPELINE, replaced(&rows, "time", text));
    scene.run(&[]).says(78, &["`time`", "`features.time`", "Utf8"]);
}

#[test]
fn a_missing_column_is_named_with_the_nearest_there_is() {
    let scene = Scene::new(PIPELINE, &blocks(ROWS, 1));
    let ended = scene.run(&["features.columns=[\"featurs\"]"]);
    ended.says(78, &["`featurs`", "`features.columns`", "stream.parquet", "did you mean `features`?"]);
}

#[test]
fn a_list_of_another_length_is_a_dead_letter() {
    let rows = blocks(ROWS, 1);
    let short = |row: usize, features: &[f32]| {
        Some(if row % 100 == 50 { some(&features[..WIDTH - 1]) } else { some(features) })
    };
    let scene = Scene::with_columns(PIPELINE, replaced(&rows, "features", lists(&rows, short)));
    scene.succeed(&[]);
    assert_eq!(scene.counts(), (ROWS - 3, 3));
    let letters = scene.dead_letters().unwrap();
    assert!(texts(&letters, "reason").iter().all(|reason| reason == "list_length"));
    for (letter, row) in texts(&letters, "detail").iter().zip([50, 150, 250]) {
        assert!(letter.contains("features") && letter.contains('5') && letter.contains('6'), "row {row}: {letter}");
    }
    assert_eq!(common::coordinates(&letters).iter().map(|c| c.2).collect::<Vec<_>>(), [50, 150, 250]);
    assert_eq!(texts(&letters, "key"), ["d2", "d2", "d2"]);
}

/// A stream in which row 20 is null, row 40 has a null, row 60 a NaN, row 80 an infinity.
fn unusable() -> Scene {
    let rows = blocks(ROWS, 1);
    let features = lists(&rows, |row, features| {
        let mut values = some(features);
        match row {
            20 => return None,
            40 => values[1] = None,
            60 => values[2] = Some(f32::NAN),
            80 => values[3] = Some(f32::NEG_INFINITY),
            _ => {}
        }
        Some(values)
    });
    Scene::with_columns(PIPELINE, replaced(&rows, "features", features))
}

#[test]
fn rows_without_finite_features_are_dead_letters_and_the_stream_goes_on() {
    let scene = unusable();
    let ended = scene.succeed(&["--json"]);
    assert_eq!(scene.counts(), (ROWS - 4, 4));
    let letters = scene.dead_letters().unwrap();
    assert_eq!(texts(&letters, "reason"), ["null_feature", "null_feature", "not_finite", "not_finite"]);
    assert!(texts(&letters, "record").iter().all(|record| record.contains("\"key\"")));
    assert!(ended.out.contains("\"not_finite\": 2"), "{}", ended.out);
    all_finite(&scene);
}

#[test]
fn missing_features_can_be_filled_in() {
    for policy in ["mean", "zero"] {
        let scene = unusable();
        scene.succeed(&[&format!("features.missing={policy}")]);
        assert_eq!(scene.counts(), (ROWS, 0), "{policy}");
        all_finite(&scene);
    }
}

#[test]
fn a_dead_letter_stops_the_run_where_that_is_asked_for() {
    let scene = unusable();
    let ended = scene.run(&["dead_letters.on_error=fail"]);
    ended.says(65, &["row 20", "stream.parquet", "null_feature", "dead_letters.on_error"]);
    scene.succeed(&["dead_letters.on_error=divert"]);
    assert_eq!(scene.counts(), (ROWS - 4, 4));
}

#[test]
fn a_constant_feature_does_no_harm() {
    let mut rows = blocks(ROWS, 1);
    rows.iter_mut().for_each(|row| row.features[4] = 12.5);
    for scale in ["standard", "minmax", "none"] {
        let scene = Scene::new(PIPELINE, &rows);
        scene.succeed(&[&format!("features.scale.method={scale}")]);
        assert_eq!(scene.counts(), (ROWS, 0));
        all_finite(&scene);
    }
}

#[test]
fn fewer_rows_than_clusters_are_counted() {
    for rows in 1..3 {
        let scene = Scene::new(PIPELINE, &blocks(rows, 1));
        scene.run(&[]).says(65, &[&format!("{rows} usable rows"), "3 clusters", "model.clusters"]);
        // The same again: a failed run leaves nothing in the way of the next.
        scene.run(&[]).says(65, &[&format!("{rows} usable rows")]);
        assert_eq!(scene.counts(), (0, 0));
    }
    let scene = Scene::new(PIPELINE, &blocks(3, 1));
    scene.succeed(&[]);
    assert_eq!(scene.counts(), (3, 0));
}

#[test]
fn one_cluster_is_refused() {
    let scene = Scene::new(PIPELINE, &blocks(ROWS, 1));
    scene.run(&["model.clusters=1"]).says(78, &["pipeline.toml", "`model.clusters` is 1"]);
}

#[test]
fn equal_rows_give_finite_results() {
    let mut rows = blocks(ROWS, 1);
    rows.iter_mut().for_each(|row| row.features = vec![1.0; WIDTH]);
    for sets in [&["model.objective=even"][..], &["model.objective=ae-cm"], &["features.key=", "features.time="]] {
        let scene = Scene::new(PIPELINE, &rows);
        scene.succeed(sets);
        assert_eq!(scene.counts(), (ROWS, 0));
        all_finite(&scene);
    }
}

#[test]
fn event_time_that_goes_backwards_is_late_only_for_windows() {
    let mut rows = blocks(1200, 1);
    let late = [500_i64, 700, 900];
    late.iter().for_each(|row| rows[*row as usize].time = 0);
    let scene = Scene::new(PIPELINE, &rows);
    scene.succeed(&[]);
    assert_eq!(scene.counts(), (1200, 0));
    let scene = Scene::new(WINDOWS, &rows);
    scene.succeed(&[]);
    let letters = scene.dead_letters().unwrap();
    assert_eq!(texts(&letters, "reason"), ["late"; 3]);
    assert_eq!(common::coordinates(&letters).iter().map(|c| c.2).collect::<Vec<_>>(), late);
}

#[test]
fn windows_and_dead_letters_account_for_every_reading() {
    let mut rows = blocks(1201, 1);
    rows[333].features[0] = f32::NAN;
    let scene = Scene::new(WINDOWS, &rows);
    let ended = scene.succeed(&["--json"]);
    let told: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(told["totals"]["input_rows"], 1201);
    let (windows, letters) = scene.counts();
    assert_eq!(letters, 1);
    // Of the readings that are left, each device has (n - 8)/4 + 1 windows, and n modulo 4 readings are in none.
    let per_device = |device: usize| (0..1201).filter(|row| row % 4 == device && *row != 333).count();
    assert_eq!(windows, (0..4).map(|device| (per_device(device) - 8) / 4 + 1).sum::<usize>());
    let left = (0..4).map(|device| per_device(device) % 4).sum::<usize>();
    assert_eq!(told["totals"]["unwindowed_rows"], left);
}

#[test]
fn a_device_with_one_row_is_served() {
    let mut rows = blocks(ROWS, 1);
    rows[10].key = "early".to_owned();
    rows[250].key = "late".to_owned();
    let scene = Scene::new(PIPELINE, &rows);
    scene.succeed(&[]);
    assert_eq!(scene.counts(), (ROWS, 0));
    assert_eq!(texts(&scene.assignments(), "key")[250], "late");
    all_finite(&scene);
}

#[test]
fn an_output_that_cannot_be_created_is_named() {
    let scene = Scene::new(PIPELINE, &blocks(ROWS, 1));
    fs::write(scene.path("file"), "").unwrap();
    scene.run(&["sink.parquet.dir=file/out"]).says(73, &["file/out", "cannot create"]);
    scene.run(&["pipeline.run_dir=file/run"]).says(73, &["file/run", "cannot create"]);
    scene.run(&["--fresh", "sink.parquet.dir=file"]).says(73, &["file", "cannot create"]);
    scene.run(&["checkpoint.dir=file/checkpoints"]).says(73, &["file/checkpoints", "cannot create"]);
}

#[test]
fn a_full_disk_loses_nothing() {
    let rows = blocks(1500, 1);
    let expected = Scene::new(PIPELINE, &rows);
    expected.succeed(&[]);
    let scene = Scene::new(PIPELINE, &rows);
    fs::create_dir(scene.path("run")).unwrap();
    let mount = |options: &str| {
        let status =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(scene.path("run")).output();
        status.is_ok_and(|output| output.status.success())
    };
    if !mount("size=96k") {
        println!("not checked: a small file system can only be mounted by root");
        return;
    }
    let full = scene.run(&[]);
    let grown = mount("remount,size=64m");
    let went_on = scene.run(&[]);
    let results = grown.then(|| scene.results());
    let freed = Command::new("umount").arg(scene.path("run")).status().unwrap();
    assert!(freed.success() && grown);
    full.says(74, &["run/", "No space left on device"]);
    assert_eq!(went_on.code(), 0, "{}", went_on.err);
    assert!(results == Some(expected.results()));
}

/// A run that was stopped on its way, with at least two checkpoints.
fn halfway(rows: &[Reading]) -> Scene {
    let scene = Scene::new(PIPELINE, rows);
    let mut running = scene.start(&[]);
    while checkpoints(&scene).len() < 2 {
        assert!(!running.ended_within(Duration::from_millis(1)), "{}", running.messages());
    }
    running.signal("KILL");
    assert!(running.wait().was_killed());
    scene
}

fn checkpoints(scene: &Scene) -> Vec<std::path::PathBuf> {
    let Ok(entries) = fs::read_dir(scene.path("run/checkpoints")) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "ek"));
    files.sort();
    files
}

#[test]
fn a_damaged_checkpoint_is_told_and_the_one_before_is_used() {
    let rows = blocks(1500, 1);
    let expected = Scene::new(PIPELINE, &rows);
    expected.succeed(&[]);
    let truncate = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() * 2 / 3);
    let flip = |bytes: &mut Vec<u8>| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    };
    for damage in [&truncate as &dyn Fn(&mut Vec<u8>), &flip] {
        let scene = halfway(&rows);
        let newest = checkpoints(&scene).pop().unwrap();
        let mut bytes = fs::read(&newest).unwrap();
        damage(&mut bytes);
        fs::write(&newest, bytes).unwrap();
        let ended = scene.succeed(&[]);
        let name = newest.file_name().unwrap().to_string_lossy().into_owned();
        let told = ended.err.lines().find(|line| line.contains("ERROR")).expect("damage is told as an error");
        assert!(told.contains(&name) && told.contains("damaged") && told.contains("previous"), "{told}");
        assert!(scene.results() == expected.results());
    }
}

#[test]
fn without_a_sound_checkpoint_nothing_is_touched() {
    let scene = halfway(&blocks(1500, 1));
    for file in checkpoints(&scene) {
        fs::write(file, "no checkpoint").unwrap();
    }
    scene.run(&[]).says(74, &["all checkpoints are damaged", "checkpoint-0", "--fresh"]);
    scene.succeed(&["--fresh"]);
    assert_eq!(scene.counts(), (1500, 0));
}

#[test]
fn a_checkpoint_of_another_pipeline_is_refused_by_the_setting() {
    let scene = halfway(&blocks(1500, 1));
    let before = checkpoints(&scene);
    for (set, setting) in [
        ("model.clusters=4", "`model.clusters` was 3 and is 4"),
        ("pipeline.seed=8", "`pipeline.seed` was 7 and is 8"),
        ("features.columns=[\"x0\", \"x1\"]", "`features.columns`"),
        ("model.encoder=[8]", "`model.encoder`"),
        ("pipeline.workers=2", "`pipeline.workers` was 1 and is 2"),
    ] {
        scene.run(&[set]).says(78, &[setting, "--fresh"]);
    }
    assert_eq!(checkpoints(&scene), before);
    // What changes no result may change.
    scene.succeed(&["source.parquet.batch_rows=9", "checkpoint.every_rows=500"]);
    assert_eq!(scene.counts(), (1500, 0));
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_there_is() {
    let scene = Scene::new(&PIPELINE.replace("warmup_rows", "warmup_row"), &blocks(ROWS, 1));
    scene.run(&[]).says(78, &["pipeline.toml:", "`learning.warmup_row`", "did you mean `learning.warmup_rows`?"]);
}

#[test]
fn a_run_directory_has_one_run() {
    let scene = Scene::new(PIPELINE, &blocks(1500, 1));
    let mut first = scene.start(&[]);
    while checkpoints(&scene).is_empty() {
        assert!(!first.ended_within(Duration::from_millis(1)), "{}", first.messages());
    }
    let holder = fs::read_to_string(scene.path("run/lock")).unwrap();
    let second = scene.run(&[]);
    let ended = first.wait();
    second.says(73, &["run is in use by", &format!("process {}", holder.trim()), "pipeline.run_dir"]);
    assert_eq!(ended.code(), 0, "{}", ended.err);
    assert_eq!(scene.counts(), (1500, 0));
}

#[test]
fn a_finished_run_says_so_and_changes_nothing() {
    let scene = Scene::new(PIPELINE, &blocks(ROWS, 1));
    scene.succeed(&[]);
    let before = scene.results();
    let again = scene.succeed(&[]);
    assert!(again.out.contains("had already finished") && again.out.contains("--fresh"), "{}", again.out);
    assert!(scene.results() == before);
    let anew = scene.succeed(&["--fresh"]);
    assert!(anew.out.contains("finished after"), "{}", anew.out);
    assert!(scene.results() == before);
}

#[test]
fn output_without_a_checkpoint_is_not_written_over() {
    let scene = Scene::new(PIPELINE, &blocks(ROWS, 1));
    scene.succeed(&[]);
    let before = scene.results();
    fs::remove_dir_all(scene.path("run/checkpoints")).unwrap();
    scene.run(&[]).says(65, &["run/assignments", "no checkpoint", "--fresh"]);
    assert!(scene.results() == before);
    scene.succeed(&["--fresh"]);
    assert!(scene.results() == before);
}

#[test]
fn a_crash_before_the_first_checkpoint_is_no_obstacle() {
    let scene = Scene::new(PIPELINE, &blocks(ROWS, 1));
    // What a crash leaves that comes after the rows of the first checkpoint were synced and before it was written.
    for (folder, file) in [("_spool", "spool-w00-000001.spool"), ("_pending", "part-w01-000001.pending")] {
        let folder = scene.path("run/assignments").join(folder);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(file), "rows that nobody knows").unwrap();
    }
    scene.succeed(&[]);
    assert_eq!(scene.counts(), (ROWS, 0));
    let pending = fs::read_dir(scene.path("run/assignments/_pending")).unwrap();
    assert_eq!(pending.count(), 0, "what another number of workers left is cleared");
}

#[test]
fn a_crash_after_the_last_checkpoint_hides_no_rows() {
    let scene = unusable();
    scene.succeed(&[]);
    let before = scene.results();
    // What a crash leaves that comes after the last checkpoint was written and before its rows were shown.
    for folder in ["assignments", "dead_letters"] {
        let folder = scene.path("run").join(folder);
        let pending = folder.join("_pending/part-w00-000001.pending");
        fs::rename(folder.join("part-w00-000001.parquet"), pending).unwrap();
        fs::remove_file(folder.join("_manifest-w00.json")).unwrap();
    }
    assert_eq!(scene.counts(), (0, 0));
    assert!(scene.succeed(&[]).out.contains("had already finished"));
    assert!(scene.results() == before);
}

#[test]
fn a_stream_of_one_device_without_time_is_served() {
    let rows = stream((0..ROWS).map(|row| (row % 3) as i32), 0.5, 3);
    let scene = Scene::new(PIPELINE, &rows);
    scene.succeed(&["features.key=", "features.time=", "features.label="]);
    assert_eq!(scene.counts(), (ROWS, 0));
    assert!(texts(&scene.assignments(), "key").iter().all(String::is_empty));
}
