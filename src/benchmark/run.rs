//! Which runs are left to do, and doing them.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use toml::{Table, Value};

use super::data::{Data, DataPaths};
use super::error::BenchmarkError;
use super::measure::{Score, measure};
use super::picture;
use super::record::{Record, Records};
use super::suite::{Line, Suite};
use crate::config::Plan;
use crate::connector::ConnectorError;
use crate::error::Error;

/// One seed of one line, on data that is there.
#[derive(Clone, Debug)]
pub struct Task {
    line: Line,
    file: PathBuf,
    plan: Plan,
    record: Record,
    /// Where its picture belongs.
    picture: Option<PathBuf>,
}

/// What there is to do.
#[derive(Clone, Debug)]
pub struct RunPlan {
    /// For every line of the suite, its seed 0 with the settings as they are now; without a checksum if its data is not there.
    pub lines: Vec<(Line, Record)>,
    /// Runs that are not on record.
    pub tasks: Vec<Task>,
}

/// What happens while a suite runs.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// A run ended.
    Finished {
        /// What it came to.
        record: &'a Record,
        /// Runs that are left.
        left: usize,
    },
    /// A run broke down.
    Failed {
        /// What it was.
        record: &'a Record,
        /// Why.
        error: &'a Error,
        /// Runs that are left.
        left: usize,
    },
}

/// Compares a suite with what is on record. `only`: lines whose method, data and order, with blanks between them, contain it.
/// `pictures`: a folder in which the first seed of every line is to have one; a line without one is run for it.
///
/// # Errors
/// If a data file cannot be read.
pub fn plan(
    suite: &Suite,
    paths: &DataPaths,
    records: &Records,
    only: &str,
    seeds: u64,
    anew: bool,
    pictures: Option<&Path>,
) -> Result<RunPlan, Error> {
    let mut sums = BTreeMap::<&Path, u32>::new();
    let (mut lines, mut tasks) = (Vec::new(), Vec::new());
    for line in &suite.lines {
        let file = paths.get(&line.data);
        let checksum = match file.map(|file| (file, sums.get(file.as_path()))) {
            None => String::new(),
            Some((_, Some(sum))) => format!("{sum:08x}"),
            Some((file, None)) => format!("{:08x}", sums.entry(file).or_insert(checksum(file)?)),
        };
        let plan = line.plan(file.map_or(Path::new("data.parquet"), PathBuf::as_path))?;
        let (method, data, order) = line.identity();
        let settings = settings(suite, line, &plan)?;
        let picture = pictures.map(|folder| folder.join(picture::file_name(&suite.name, line)));
        let suite = suite.name.clone();
        let record = Record { suite, method, data, order, settings, checksum, ..Record::default() };
        let wanted = format!("{} {} {}", record.method, record.data, record.order).contains(only);
        for (seed, file) in (0..seeds).filter_map(|seed| Some((seed, file?))) {
            let record = Record { seed, ..record.clone() };
            let picture = picture.clone().filter(|_| seed == 0);
            let missing = records.find(&record).is_none() || picture.as_ref().is_some_and(|file| !file.exists());
            if wanted && (anew || missing) {
                tasks.push(Task { line: line.clone(), file: file.clone(), plan: plan.clone(), record, picture });
            }
        }
        lines.push((line.clone(), record));
    }
    Ok(RunPlan { lines, tasks })
}

/// CRC-32 (IEEE) of a file.
fn checksum(file: &Path) -> Result<u32, Error> {
    let fault = |error: std::io::Error| ConnectorError::Unreadable {
        file: file.display().to_string(),
        problem: error.to_string(),
    };
    let mut input = File::open(file).map_err(fault)?;
    let (mut hasher, mut buffer) = (crc32fast::Hasher::new(), vec![0; 1 << 16]);
    loop {
        let count = std::io::Read::read(&mut input, &mut buffer).map_err(fault)?;
        if count == 0 {
            return Ok(hasher.finalize());
        }
        hasher.update(&buffer[..count]);
    }
}

/// Everything that a score depends on beside the seed and the data, as JSON.
fn settings(suite: &Suite, line: &Line, plan: &Plan) -> Result<String, Error> {
    let fault = |error: toml::ser::Error| Error::Internal(error.to_string());
    let mut all = Table::try_from(plan.effective()).map_err(fault)?;
    for table in ["pipeline", "source", "sink", "checkpoint", "dead_letters", "serve", "drift"] {
        all.remove(table);
    }
    let data = &suite.data[&line.data];
    if let Some(baseline) = &line.baseline {
        all.insert("baseline".to_owned(), Value::try_from(baseline).map_err(fault)?);
        // Nothing of the network is there.
        for table in ["objective", "learning", "balance"] {
            all.remove(table);
        }
    }
    if line.neighbours {
        all.insert("neighbours".to_owned(), Value::Boolean(true));
    }
    if let Some(rows) = data.first_rows {
        all.insert("first_rows".to_owned(), Value::String(rows.to_string()));
    }
    if let Some(label) = &data.ignore_label {
        all.insert("ignore_label".to_owned(), Value::String(label.clone()));
    }
    all.insert("program".to_owned(), Value::String(env!("CARGO_PKG_VERSION").to_owned()));
    serde_json::to_string(&all).map_err(|error| Error::Internal(error.to_string()))
}

/// Does the tasks, `jobs` at a time, and records each as it ends. Broken ones do not stop the others.
///
/// # Errors
/// If data cannot be read, the record cannot be written, or a task broke down.
pub fn run(
    suite: &Suite,
    tasks: Vec<Task>,
    records: &mut Records,
    jobs: usize,
    report: &mut dyn FnMut(Progress<'_>),
) -> Result<(), Error> {
    let count = tasks.len();
    let queue = Mutex::new(VecDeque::from(tasks));
    let shelf = Shelf::default();
    let (sender, receiver) = mpsc::channel::<(Record, Result<Score, Error>)>();
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, count.max(1)) {
            let (sender, queue, shelf) = (sender.clone(), &queue, &shelf);
            scope.spawn(move || {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(task) = next else { return };
                    let score = shelf.read(suite, &task).and_then(|data| {
                        let (score, embedded) = measure(&task.line, &data, &task.plan, task.record.seed)?;
                        if let Some(file) = &task.picture {
                            embedded.draw(&task.line, &data.class_names, task.record.seed, file)?;
                        }
                        Ok(score)
                    });
                    // Nobody listens any more when the record could not be written.
                    if sender.send((task.record, score)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let (mut left, mut failed) = (count, 0);
        while let Ok((record, score)) = receiver.recv() {
            left -= 1;
            match score {
                Ok(score) => {
                    let record = Record { score, ..record };
                    if let Err(error) = records.add(record.clone()) {
                        queue.lock().unwrap_or_else(PoisonError::into_inner).clear();
                        return Err(error.into());
                    }
                    report(Progress::Finished { record: &record, left });
                }
                Err(error) => {
                    failed += 1;
                    report(Progress::Failed { record: &record, error: &error, left });
                }
            }
        }
        if failed > 0 { Err(BenchmarkError::Failed { failed, tasks: count }.into()) } else { Ok(()) }
    })
}

/// Data sets that were read, by what was read of which file.
#[derive(Default)]
struct Shelf(Mutex<BTreeMap<String, Arc<Data>>>);

impl Shelf {
    /// Reads a data set unless it is there. One at a time: the jobs of a suite mostly want the same one.
    fn read(&self, suite: &Suite, task: &Task) -> Result<Arc<Data>, Error> {
        let mut features = task.plan.effective().features.clone();
        // Rows are scaled later.
        features.scale = crate::data::ScaleParameters::default();
        let text = toml::to_string(&features).map_err(|error| Error::Internal(error.to_string()))?;
        let name = format!("{}\n{text}", task.line.data);
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(data) = shelf.get(&name) {
            return Ok(Arc::clone(data));
        }
        let data = Arc::new(Data::read(suite, &task.line, &task.file)?);
        shelf.insert(name, Arc::clone(&data));
        Ok(data)
    }
}
