//! The program, from a pipeline file's text to what it wrote.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use evenkeel::config::{self, Plan};
use evenkeel::flow::{Control, EpochReport};
use evenkeel::pipeline::{self, Observers, Progress, Totals};

use super::stream;

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
        let observers = Observers { on_epoch, on_kept: Arc::new(|_| {}), on_kafka: Arc::new(|_| {}) };
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

    /// Where [`assign`](Self::assign) writes.
    pub fn assigned(&self) -> PathBuf {
        self.folder.join("assigned")
    }

    /// Where [`run`](Self::run) writes.
    pub fn assignments(&self) -> PathBuf {
        self.plan.assignments_dir().to_owned()
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
