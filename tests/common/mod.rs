//! What the tests of whole runs share: small streams, pipeline files, the program as a child with a deadline, its output.

#![allow(dead_code, reason = "every test file uses its own part of this")]

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use arrow_array::builder::{FixedSizeListBuilder, Float32Builder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, Float32Array, Int32Array, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow_select::concat::concat_batches;
use arrow_select::take::take_record_batch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

/// No run of these tests needs this long; whatever does hangs.
pub const DEADLINE: Duration = Duration::from_secs(150);
/// Features of every stream.
pub const WIDTH: usize = 6;
/// Nanoseconds between two rows of one device.
pub const STEP_NS: i64 = 20_000_000;
/// Rows of one row group: several per stream, so that every worker has some.
const GROUP_ROWS: usize = 256;

/// A row of a stream.
#[derive(Clone, Debug)]
pub struct Reading {
    pub key: String,
    pub time: i64,
    pub label: i32,
    pub features: Vec<f32>,
}

/// A normal number, by the central limit.
pub fn normal(rng: &mut ChaCha8Rng) -> f32 {
    (0..12).map(|_| rng.random::<f32>()).sum::<f32>() - 6.0
}

/// Rows around one centre per class; `classes` gives the class of each row. Four devices take turns, so that a device stays
/// with a class as long as `classes` does.
pub fn stream(classes: impl IntoIterator<Item = i32>, spread: f32, seed: u64) -> Vec<Reading> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let devices = 4;
    let rows = classes.into_iter().enumerate().map(|(row, class)| {
        let features = (0..WIDTH).map(|f| {
            let centre = if f % 3 == class as usize % 3 { 4.0 } else { 0.0 };
            centre + spread * normal(&mut rng)
        });
        let features = features.collect();
        Reading { key: format!("d{}", row % devices), time: (row / devices) as i64 * STEP_NS, label: class, features }
    });
    rows.collect()
}

/// Three classes in blocks of 40 rows.
pub fn blocks(rows: usize, seed: u64) -> Vec<Reading> {
    stream((0..rows).map(|row| (row / 40) as i32 % 3), 0.5, seed)
}

/// The columns of a stream: `features` as one list and as `x0`…, `key`, `time`, `label`.
pub fn columns(rows: &[Reading]) -> Vec<(String, ArrayRef)> {
    let mut lists = FixedSizeListBuilder::new(Float32Builder::new(), WIDTH as i32);
    for row in rows {
        lists.values().append_slice(&row.features);
        lists.append(true);
    }
    let mut columns: Vec<(String, ArrayRef)> = vec![
        ("features".to_owned(), Arc::new(lists.finish())),
        ("key".to_owned(), Arc::new(rows.iter().map(|row| Some(row.key.as_str())).collect::<StringArray>())),
        ("time".to_owned(), Arc::new(rows.iter().map(|row| row.time).collect::<Int64Array>())),
        ("label".to_owned(), Arc::new(rows.iter().map(|row| row.label).collect::<Int32Array>())),
    ];
    for f in 0..WIDTH {
        let values: Float32Array = rows.iter().map(|row| row.features[f]).collect();
        columns.push((format!("x{f}"), Arc::new(values)));
    }
    columns
}

/// Writes columns as one Parquet file of several row groups.
pub fn write_columns(path: &Path, columns: Vec<(String, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)));
    let batch = batch.unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(GROUP_ROWS)).build();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// A folder with a stream, a pipeline, and what runs leave there.
pub struct Scene {
    folder: TempDir,
}

/// A model that takes milliseconds to fit.
pub const PIPELINE: &str = r#"
[pipeline]
name = "small"
seed = 7
workers = 1
run_dir = "run"

[source.parquet]
paths = ["stream.parquet"]

[features]
columns = ["features"]
key = "key"
time = "time"
label = "label"

[model]
clusters = 3
encoder = [16]
embedding = 8

[learning]
warmup_rows = 100
warmup_steps = 30
refresh_steps = 30
reservoir_rows = 200

[checkpoint]
every_rows = 256
every_s = 0.05
"#;

/// The same on raw readings: windows of 8 readings every 4.
pub const WINDOWS: &str = r#"
[pipeline]
name = "small"
seed = 7
workers = 1
run_dir = "run"

[source.parquet]
paths = ["stream.parquet"]

[features]
key = "key"
time = "time"
label = "label"

[features.window]
sensors = [["x0", "x1", "x2"], ["x3", "x4", "x5"]]
rate_hz = 50
length_s = 0.16
hop_s = 0.08

[model]
clusters = 3
encoder = [16]
embedding = 8

[learning]
warmup_rows = 100
warmup_steps = 30
refresh_steps = 30
reservoir_rows = 200

[checkpoint]
every_rows = 256
every_s = 0.05
"#;

impl Scene {
    /// A folder with a pipeline and no stream.
    pub fn empty(pipeline: &str) -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("pipeline.toml"), pipeline).unwrap();
        Self { folder }
    }

    /// A folder with a pipeline and its stream.
    pub fn new(pipeline: &str, rows: &[Reading]) -> Self {
        Self::with_columns(pipeline, columns(rows))
    }

    /// A folder with a pipeline and a stream of these columns.
    pub fn with_columns(pipeline: &str, columns: Vec<(String, ArrayRef)>) -> Self {
        let scene = Self::empty(pipeline);
        write_columns(&scene.path("stream.parquet"), columns);
        scene
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts `evenkeel run` in the folder; `sets` are overrides, or options if they begin with `--`.
    pub fn start(&self, sets: &[&str]) -> Running {
        self.start_with(&["run"], sets, None)
    }

    /// The same, to be killed at a named place (`name`, or `name*3` for the third time), as `kill -9` would.
    pub fn start_to_die(&self, place: &str, sets: &[&str]) -> Running {
        self.start_with(&["run"], sets, Some(place))
    }

    /// Runs another command on the pipeline to its end.
    pub fn command(&self, word: &str, sets: &[&str]) -> Ended {
        self.start_with(&[word], sets, None).wait()
    }

    fn start_with(&self, words: &[&str], sets: &[&str], place: Option<&str>) -> Running {
        let said = tempfile::Builder::new().prefix("said-").tempdir_in(self.folder.path()).unwrap();
        let (out, err) = (said.path().join("out"), said.path().join("err"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
        command.current_dir(self.folder.path()).env_remove("RUST_LOG").args(words).arg("pipeline.toml");
        for set in sets {
            if !set.starts_with("--") {
                command.arg("--set");
            }
            command.arg(set);
        }
        if let Some(place) = place {
            command.env("EVENKEEL_FAILPOINT", place);
        }
        command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
        Running { child: command.spawn().unwrap(), said }
    }

    /// Runs to the end.
    pub fn run(&self, sets: &[&str]) -> Ended {
        self.start(sets).wait()
    }

    /// Runs to the end and insists on success.
    pub fn succeed(&self, sets: &[&str]) -> Ended {
        let ended = self.run(sets);
        assert_eq!(ended.code(), 0, "{}", ended.err);
        ended
    }

    /// Assigned rows in the order of their coordinates.
    pub fn assignments(&self) -> RecordBatch {
        sorted(table(&self.path("run/assignments")).expect("there are assignments"))
    }

    /// Dead letters in the order of their coordinates, if there are any.
    pub fn dead_letters(&self) -> Option<RecordBatch> {
        table(&self.path("run/dead_letters")).map(sorted)
    }

    /// Drift events in the order in which they were written, if there are any.
    pub fn drift(&self) -> Option<RecordBatch> {
        table(&self.path("run/drift"))
    }

    /// All that a run leaves for others.
    pub fn results(&self) -> (RecordBatch, Option<RecordBatch>, Option<RecordBatch>) {
        (self.assignments(), self.drift(), self.dead_letters())
    }

    /// How many rows were assigned and how many are dead letters.
    pub fn counts(&self) -> (usize, usize) {
        let rows = |folder: &str| table(&self.path(folder)).map_or(0, |table| table.num_rows());
        (rows("run/assignments"), rows("run/dead_letters"))
    }
}

/// The program at work.
pub struct Running {
    child: Child,
    said: TempDir,
}

/// What a run came to.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

impl Ended {
    /// The exit code; -1 if a signal ended it.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or(-1)
    }

    /// Whether it was killed.
    pub fn was_killed(&self) -> bool {
        self.status.signal() == Some(9)
    }

    /// Insists on an exit code and on words in the message.
    pub fn says(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code(), code, "{}", self.err);
        let message: String =
            self.err.lines().filter(|line| !line.contains("\"level\":\"INFO\"")).collect::<Vec<_>>().join("\n");
        for word in words {
            assert!(message.contains(word), "`{word}` is not in: {message}");
        }
    }
}

impl Running {
    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        // A process that has just ended by itself is waited for, not yet gone: the signal is then harmless.
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
    }

    /// Sends a signal unless it has ended.
    pub fn signal_if_alive(&mut self, name: &str) {
        if self.child.try_wait().unwrap().is_none() {
            self.signal(name);
        }
    }

    /// Whether it has ended within `time`.
    pub fn ended_within(&mut self, time: Duration) -> bool {
        let start = Instant::now();
        loop {
            if self.child.try_wait().unwrap().is_some() {
                return true;
            }
            if start.elapsed() >= time {
                return false;
            }
            sleep(Duration::from_millis(2));
        }
    }

    /// What it has said on standard error so far.
    pub fn messages(&self) -> String {
        std::fs::read_to_string(self.said.path().join("err")).unwrap()
    }

    /// Waits for the end.
    pub fn wait(mut self) -> Ended {
        if !self.ended_within(DEADLINE) {
            let err = self.messages();
            self.child.kill().unwrap();
            self.child.wait().unwrap();
            panic!("the program hangs; it said: {err}");
        }
        let status = self.child.wait().unwrap();
        let out = std::fs::read_to_string(self.said.path().join("out")).unwrap();
        Ended { status, out, err: self.messages() }
    }
}

/// A test that fails leaves nothing running.
impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// All `part-*.parquet` of a folder, by name, as one table.
pub fn table(folder: &Path) -> Option<RecordBatch> {
    let entries = std::fs::read_dir(folder).ok()?;
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "parquet"));
    files.sort();
    let read = |file: &PathBuf| ParquetRecordBatchReaderBuilder::try_new(File::open(file).unwrap()).unwrap().build();
    let batches: Vec<RecordBatch> = files.iter().flat_map(|file| read(file).unwrap()).map(Result::unwrap).collect();
    Some(concat_batches(&batches.first()?.schema(), &batches).unwrap())
}

/// Source, partition and offset of every row.
pub fn coordinates(table: &RecordBatch) -> Vec<(String, i32, i64)> {
    let source = table.column_by_name("source").unwrap().as_string::<i32>();
    let partition = table.column_by_name("partition").unwrap().as_primitive::<Int32Type>();
    let offset = table.column_by_name("offset").unwrap().as_primitive::<Int64Type>();
    (0..table.num_rows()).map(|i| (source.value(i).to_owned(), partition.value(i), offset.value(i))).collect()
}

fn sorted(table: RecordBatch) -> RecordBatch {
    let coordinates = coordinates(&table);
    let mut order: Vec<u32> = (0..table.num_rows() as u32).collect();
    order.sort_by_key(|i| &coordinates[*i as usize]);
    let picked = take_record_batch(&table, &UInt32Array::from(order)).unwrap();
    let sorted: Vec<_> = self::coordinates(&picked);
    assert!(sorted.is_sorted_by(|a, b| a < b), "a row is there twice");
    picked
}

/// An `int32` column.
pub fn integers(table: &RecordBatch, column: &str) -> Vec<i32> {
    table.column_by_name(column).unwrap().as_primitive::<Int32Type>().values().to_vec()
}

/// A `float32` column.
pub fn floats(table: &RecordBatch, column: &str) -> Vec<f32> {
    table.column_by_name(column).unwrap().as_primitive::<arrow_array::types::Float32Type>().values().to_vec()
}

/// A text column.
pub fn texts(table: &RecordBatch, column: &str) -> Vec<String> {
    let column = table.column_by_name(column).unwrap().as_string::<i32>();
    (0..column.len()).map(|i| column.value(i).to_owned()).collect()
}

/// A column of truths.
pub fn truths(table: &RecordBatch, column: &str) -> Vec<bool> {
    table.column_by_name(column).unwrap().as_boolean().iter().map(Option::unwrap).collect()
}
