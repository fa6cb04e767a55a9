//! The program, from a pipeline file's text to what it wrote.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use evenkeel::config::{self, Plan};
use evenkeel::flow::{Control, EpochReport};
use evenkeel::pipeline::{self, Observers, Progress, Totals};

use super::{cpu, stream};

/// A pipeline file in a folder of its own.
pub struct Program {
    /// The folder of the run.
    pub folder: PathBuf,
    plan: Plan,
}

/// What is known when it has ended.
pub struct Ended {
    /// Counts and gaps.
    pub totals: Totals,
    /// Wall time.
    pub seconds: f64,
}

impl Program {
    /// Checks the pipeline file that `text` would be. The run directory is `folder`.
    pub fn new(folder: &Path, text: &str) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let file = folder.join("given.toml");
        std::fs::write(&file, text).unwrap();
        let sets = [format!("pipeline.run_dir={}", folder.join("run").display())];
        let plan = config::open(&file, &sets).unwrap_or_else(|error| panic!("{error}\n{text}"));
        Self { folder: folder.to_owned(), plan }
    }

    /// `evenkeel run`.
    pub fn run(&self, on_epoch: Arc<dyn Fn(&EpochReport) + Send + Sync>) -> Ended {
        let progress = Arc::new(Progress::default());
        let started = Instant::now();
        let observers =
            Observers { on_epoch, on_kept: Arc::new(|_| {}), on_kafka: Arc::new(|_| {}), on_open: Arc::new(|| {}) };
        pipeline::run(&self.plan, true, &Arc::new(Control::default()), &progress, observers).unwrap();
        Ended { totals: progress.totals(), seconds: started.elapsed().as_secs_f64() }
    }

    /// `evenkeel assign` with the newest checkpoint of `model`.
    pub fn assign(&self, model: &Self) -> Ended {
        let output = self.assigned();
        if output.exists() {
            std::fs::remove_dir_all(&output).unwrap();
        }
        let progress = Arc::new(Progress::default());
        let started = Instant::now();
        let checkpoint = model.plan.checkpoint_dir();
        let control = Arc::new(Control::default());
        pipeline::assign(&self.plan, checkpoint, &output, &control, &progress, Arc::new(|_| {})).unwrap();
        Ended { totals: progress.totals(), seconds: started.elapsed().as_secs_f64() }
    }

    /// From a topic with one worker until `rows` rows have left: `evenkeel run`, or `evenkeel assign` with the newest checkpoint
    /// of `model`.
    pub fn run_for(&self, rows: u64, model: Option<&Self>) -> Rates {
        self.until(rows, model, Arc::new(|_| {}))
    }

    /// `evenkeel run` on a topic until `rows` have left; `watch` is told how many have so far.
    pub fn watched_run_for(&self, rows: u64, watch: Arc<dyn Fn(u64) + Send + Sync>) {
        self.until(rows, None, watch);
    }

    fn until(&self, rows: u64, model: Option<&Self>, watch: Arc<dyn Fn(u64) + Send + Sync>) -> Rates {
        let (control, progress) = (Arc::new(Control::default()), Arc::new(Progress::default()));
        let marks: Arc<Mutex<Option<[Mark; 2]>>> = Arc::default();
        let (kept, stop) = (Arc::clone(&marks), Arc::clone(&control));
        // Called by the thread that writes.
        let on_epoch = Arc::new(move |report: &EpochReport| {
            if report.assigned_rows == 0 {
                return;
            }
            let mut marks = kept.lock().unwrap();
            let before = marks.map_or(0, |[_, last]| last.rows);
            if before < rows {
                let now = Mark::now(before + report.assigned_rows);
                *marks = Some([marks.map_or(now, |[first, _]| first), now]);
            }
            watch(before + report.assigned_rows);
            if before + report.assigned_rows >= rows {
                stop.stop();
            }
        });
        match model {
            None => {
                let observers = Observers {
                    on_epoch,
                    on_kept: Arc::new(|_| {}),
                    on_kafka: Arc::new(|_| {}),
                    on_open: Arc::new(|| {}),
                };
                pipeline::run(&self.plan, true, &control, &progress, observers).unwrap();
            }
            Some(model) => {
                let checkpoint = model.plan.checkpoint_dir();
                pipeline::assign(&self.plan, checkpoint, &self.assigned(), &control, &progress, on_epoch).unwrap();
            }
        }
        let [first, last] = marks.lock().unwrap().expect("rows have left");
        let rows = (last.rows - first.rows) as f64;
        Rates {
            wall: rows / (last.time - first.time).as_secs_f64(),
            worker: rows / (last.worker - first.worker),
            writer: rows / (last.writer - first.writer),
            // From its first row on: it is ahead of the rows that leave.
            reader: last.rows as f64 / last.reader,
        }
    }

    /// Where [`assign`](Self::assign) writes.
    pub fn assigned(&self) -> PathBuf {
        self.folder.join("assigned")
    }

    /// Where [`run`](Self::run) writes.
    pub fn assignments(&self) -> PathBuf {
        self.plan.assignments_dir().to_owned()
    }
}

/// Rows per second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rates {
    /// From the first rows that left to the last.
    pub wall: f64,
    /// Of the worker's time on a processor.
    pub worker: f64,
    /// Of the time on a processor of the thread that writes beside it.
    pub writer: f64,
    /// Of the time on a processor of the thread that reads the topic.
    pub reader: f64,
}

impl Rates {
    /// The best of each.
    pub fn best(self, other: Self) -> Self {
        Self {
            wall: self.wall.max(other.wall),
            worker: self.worker.max(other.worker),
            writer: self.writer.max(other.writer),
            reader: self.reader.max(other.reader),
        }
    }
}

/// How many rows have left, and what that has taken.
#[derive(Clone, Copy)]
struct Mark {
    rows: u64,
    time: Instant,
    worker: f64,
    writer: f64,
    reader: f64,
}

impl Mark {
    fn now(rows: u64) -> Self {
        Self {
            rows,
            time: Instant::now(),
            worker: cpu::of_threads("timely:work-0"),
            writer: cpu::of_this_thread(),
            reader: cpu::of_threads("kafka reader"),
        }
    }
}

/// One assigned row.
#[derive(Clone, Copy, Debug)]
pub struct Assigned {
    /// Place in the stream.
    pub offset: i64,
    /// Cluster.
    pub cluster: i32,
    /// Truth; negative or none where there is none.
    pub label: Option<i32>,
    /// Whether the model had seen the row.
    pub warmup: bool,
}

/// Reads what was written to `folder`, in stream order.
pub fn assignments(folder: &Path) -> Vec<Assigned> {
    let mut rows = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with(['_', '.']) && !["dead_letters", "drift"].contains(&name.as_str()) {
                folders.push(path);
            } else if name.starts_with("part-") && name.ends_with(".parquet") {
                collect(&stream::read(&path), &mut rows);
            }
        }
    }
    rows.sort_by_key(|row| row.offset);
    rows
}

fn collect(batch: &RecordBatch, rows: &mut Vec<Assigned>) {
    let clusters = batch.column_by_name("cluster").unwrap().as_primitive::<Int32Type>();
    let offsets = batch.column_by_name("offset").unwrap().as_primitive::<Int64Type>();
    let warmup = batch.column_by_name("warmup").unwrap().as_boolean();
    let labels = batch.column_by_name("label").unwrap().as_primitive::<Int32Type>();
    rows.extend((0..batch.num_rows()).map(|row| Assigned {
        offset: offsets.value(row),
        cluster: clusters.value(row),
        label: (!labels.is_null(row)).then(|| labels.value(row)),
        warmup: warmup.value(row),
    }));
}
