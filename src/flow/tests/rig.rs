//! Everything around a flow that tests need: a small model, an input and outputs in memory, and faults on demand.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{ArrayRef, Float32Array, Int64Array, RecordBatch};

use super::averager::Averager;
use crate::checkpoint::Local;
use crate::connector::{
    ConnectorError, DeadLetterParameters, MemoryOutput, MemorySink, MemorySource, OnError, Pace, Polled, Share, Sink,
    Source, assignment_schema, drift_schema,
};
use crate::data::{Coordinates, DeadLetter, FeatureParameters, Features, Featurize, Minibatch, PairBatch, Records};
use crate::flow::{Control, EpochReport, FlowError, Record, Schedule, Sinks, Worker, run};
use crate::replica::Status;

/// What goes wrong, on which worker, at which epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    Start(usize),
    Read(usize, u64),
    ReadPanics(usize, u64),
    Model(usize, u64),
    ModelPanics(usize, u64),
    Write(usize),
    WritePanics(usize),
    Prepare(usize),
    Commit(usize),
    /// The checkpoint of this number, counted from 0.
    Keep(usize),
    KeepPanics(usize),
    /// Every checkpoint but the last waits until rows have gone on.
    SlowKeep,
}

/// A checkpoint as it was handed over.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub epoch: u64,
    pub replica: Vec<u8>,
    pub locals: Vec<Local>,
    pub finished: bool,
    pub status: Status,
    /// Epochs that had been read beyond it when it was durable.
    pub ahead: u64,
}

/// A flow to be run.
#[derive(Clone)]
pub(super) struct Rig {
    pub peers: usize,
    pub batches: Vec<RecordBatch>,
    pub epoch_rows: usize,
    pub passes: u64,
    /// Whether rows are read in one common order; else every worker runs ahead with its own.
    pub ordered: bool,
    /// Whether rows have owners other than their readers.
    pub owned: bool,
    /// Whether each epoch brings a pair that names it, and every third one a message that is none.
    pub paired: bool,
    pub checkpoint_epochs: u64,
    pub on_error: OnError,
    pub fault: Fault,
    /// Asks for a stop when this epoch is written.
    pub stop_at: Option<u64>,
    pub resume: Option<Kept>,
    /// One output per worker for assignments, one for drift, one for dead letters.
    pub outputs: Vec<[MemoryOutput; 3]>,
}

/// Snapshots after each epoch, by worker.
pub(super) type States = BTreeMap<u64, BTreeMap<usize, Vec<u8>>>;

/// What came of a flow.
pub(super) struct Ran {
    pub result: Result<(), FlowError>,
    pub kept: Vec<Kept>,
    pub states: States,
    pub reports: Vec<EpochReport>,
    pub outputs: Vec<[MemoryOutput; 3]>,
}

/// Filled by all workers.
#[derive(Clone, Default)]
pub(super) struct Journal {
    pub kept: Arc<Mutex<Vec<Kept>>>,
    pub states: Arc<Mutex<States>>,
    pub reports: Arc<Mutex<Vec<EpochReport>>>,
    /// The newest epoch that was read.
    pub read: Arc<AtomicU64>,
}

/// Batches of these many rows; row `i` of all has the feature `7·i mod 13` and the label `i`.
pub(super) fn batches(rows: &[usize]) -> Vec<RecordBatch> {
    let mut first = 0_i64;
    let batch = |rows: &usize| {
        let range = first..first + *rows as i64;
        first = range.end;
        let features: Float32Array = range.clone().map(|i| Some((7 * i % 13) as f32)).collect();
        let columns: [(&str, ArrayRef); 2] =
            [("x", Arc::new(features)), ("label", Arc::new(Int64Array::from_iter_values(range)))];
        RecordBatch::try_from_iter(columns).unwrap()
    };
    rows.iter().map(batch).collect()
}

/// The sum of the features of the first `rows` rows.
pub(super) fn sum(rows: usize) -> f32 {
    (0..rows).map(|i| (7 * i % 13) as f32).sum()
}

fn features() -> Features {
    let columns = vec!["x".to_owned()];
    FeatureParameters { columns, label: "label".to_owned(), ..FeatureParameters::default() }.check().unwrap()
}

impl Rig {
    pub(super) fn new(peers: usize, batches: Vec<RecordBatch>) -> Self {
        Self {
            peers,
            batches,
            epoch_rows: 4,
            passes: 1,
            ordered: true,
            owned: false,
            paired: false,
            checkpoint_epochs: 3,
            on_error: OnError::Divert,
            fault: Fault::None,
            stop_at: None,
            resume: None,
            outputs: (0..peers).map(|_| Default::default()).collect(),
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// Runs the flow to its end.
    pub(super) fn run(self) -> Ran {
        let (sender, receiver) = mpsc::channel();
        let what = format!("{} workers, {:?}", self.peers, self.fault);
        std::thread::spawn(move || {
            // Nobody listens any more if the flow took too long.
            let _ = sender.send(self.run_here());
        });
        receiver
            .recv_timeout(Duration::from_secs(60))
            .unwrap_or_else(|error| panic!("the flow hangs ({error}): {what}"))
    }

    fn run_here(self) -> Ran {
        let control = Arc::new(Control::default());
        let journal = Journal::default();
        let (peers, outputs) = (self.peers, self.outputs.clone());
        let (watched, filled) = (Arc::clone(&control), journal.clone());
        let result = run(peers, &control, move |worker| self.worker(worker, &watched, &filled));
        let kept = journal.kept.lock().unwrap().clone();
        let states = journal.states.lock().unwrap().clone();
        let reports = journal.reports.lock().unwrap().clone();
        Ran { result, kept, states, reports, outputs }
    }

    fn schedule(&self) -> Schedule {
        let rows = self.rows() as u64;
        Schedule {
            first_epoch: self.resume.as_ref().map_or(0, |kept| kept.epoch + 1),
            epochs_per_pass: self.ordered.then(|| rows.div_ceil(self.epoch_rows as u64) + 1),
            passes: self.passes,
            rows_per_pass: rows,
            checkpoint_epochs: self.checkpoint_epochs,
            first_row: 0,
            checkpoint_rows: u64::MAX,
            checkpoint_interval: Duration::MAX,
        }
    }

    fn worker(&self, index: usize, control: &Arc<Control>, journal: &Journal) -> Result<Worker, FlowError> {
        if self.fault == Fault::Start(index) {
            return Err(ConnectorError::NoInput { path: "nowhere".to_owned(), problem: "is gone".to_owned() }.into());
        }
        let share = Share { index, peers: self.peers };
        let rows = self.epoch_rows;
        let pace = if self.ordered { Pace::Ordered { rows } } else { Pace::Free { rows } };
        let source = MemorySource::new("memory", self.batches.clone(), share, pace);
        let features = features();
        let mut featurize = features.open();
        let mut replica = Averager::new(share, self.fault, journal.clone());
        let local = self.resume.as_ref().map(|kept| &kept.locals[index]);
        if let (Some(kept), Some(local)) = (&self.resume, local) {
            featurize.restore(&local.featurizer).map_err(FlowError::Featurizer)?;
            replica.restore(&kept.replica);
        }
        let open = |sink: usize| -> Result<Box<dyn Sink>, FlowError> {
            let token = local.map(|local| local.sinks[sink].as_slice());
            let inner = MemorySink::open(&self.outputs[index][sink], index, token)?;
            Ok(Box::new(Faulty { inner, worker: index, fault: if sink == 0 { self.fault } else { Fault::None } }))
        };
        let extras = features.extra_fields(&self.batches[0].schema()).unwrap().into_iter().map(Arc::new);
        let sinks = Sinks {
            assignments: (open(0)?, assignment_schema(&extras.collect::<Vec<_>>())?),
            drift: (open(1)?, drift_schema()),
            dead_letters: open(2)?,
            on_error: DeadLetterParameters { on_error: self.on_error },
        };
        let (control, reports, stop_at) = (Arc::clone(control), Arc::clone(&journal.reports), self.stop_at);
        let meter = move |report: &EpochReport| {
            if stop_at == Some(report.epoch) {
                control.stop();
            }
            reports.lock().unwrap().push(report.clone());
        };
        Ok(Worker {
            source: Box::new(Slow {
                inner: source,
                worker: index,
                fault: self.fault,
                paired: self.paired,
                epoch: 0,
                read: Arc::clone(&journal.read),
            }),
            featurize: if self.owned { Box::new(Owned(featurize)) } else { featurize },
            replica: Box::new(replica),
            sinks,
            schedule: self.schedule(),
            meter: Arc::new(meter),
            record: Box::new(Recorder { journal: journal.clone(), fault: self.fault }),
        })
    }
}

impl Ran {
    /// Offset, cluster, warm-up and label of every visible row, worker by worker in the order of writing.
    pub(super) fn visible(&self) -> Vec<Vec<(i64, i32, bool, i64)>> {
        let rows = |batch: &RecordBatch| {
            let column = |name: &str| batch.column_by_name(name).unwrap().clone();
            let (offset, cluster) = (column("offset"), column("cluster"));
            let (warmup, label) = (column("warmup"), column("label"));
            let row = |i: usize| {
                let (offset, label) = (offset.as_primitive::<Int64Type>(), label.as_primitive::<Int64Type>());
                (
                    offset.value(i),
                    cluster.as_primitive::<Int32Type>().value(i),
                    warmup.as_boolean().value(i),
                    label.value(i),
                )
            };
            (0..batch.num_rows()).map(row).collect::<Vec<_>>()
        };
        self.outputs.iter().map(|[assignments, ..]| assignments.committed().iter().flat_map(rows).collect()).collect()
    }

    /// The visible rows of all workers by offset.
    pub(super) fn sorted(&self) -> Vec<(i64, i32, bool, i64)> {
        let mut rows = self.visible().concat();
        rows.sort_unstable();
        rows
    }

    /// Visible rows of another output, of all workers together.
    pub(super) fn count(&self, output: usize) -> usize {
        self.outputs.iter().map(|outputs| outputs[output].committed_rows()).sum()
    }
}

/// A source that takes its time, a different one every time.
struct Slow {
    inner: MemorySource,
    worker: usize,
    fault: Fault,
    paired: bool,
    /// The epoch last read.
    epoch: u64,
    /// By any worker.
    read: Arc<AtomicU64>,
}

impl Source for Slow {
    fn read(&mut self, epoch: u64) -> Result<Polled, ConnectorError> {
        std::thread::sleep(Duration::from_micros(rand::random_range(0..300)));
        if self.fault == Fault::ReadPanics(self.worker, epoch) {
            panic!("reading panics, as it is told to");
        }
        if self.fault == Fault::Read(self.worker, epoch) {
            return Err(broken("reading"));
        }
        self.epoch = epoch;
        self.read.fetch_max(epoch, Ordering::AcqRel);
        self.inner.read(epoch)
    }

    fn pairs(&mut self) -> PairBatch {
        let mut batch = PairBatch::default();
        if self.paired && self.worker == 0 {
            let end = |offset| Coordinates { source: "memory".into(), partition: 0, offset };
            batch.pairs.push(([end(self.epoch as i64), end(100)], true));
            if self.epoch.is_multiple_of(3) {
                batch.rejected.push(DeadLetter {
                    coordinates: Coordinates { source: "pairs".into(), partition: 0, offset: self.epoch as i64 },
                    key: "".into(),
                    event_time: None,
                    reason: "unknown_link",
                    detail: "as it is told to".to_owned(),
                    record: "{}".to_owned(),
                    origin: None,
                });
            }
        }
        batch
    }

    fn total_rows(&self) -> Option<u64> {
        self.inner.total_rows()
    }
}

fn broken(what: &str) -> ConnectorError {
    ConnectorError::Unreadable { file: "memory".to_owned(), problem: format!("{what} is broken") }
}

/// A sink that fails when it is told to.
struct Faulty {
    inner: MemorySink,
    worker: usize,
    fault: Fault,
}

impl Sink for Faulty {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ConnectorError> {
        if self.fault == Fault::WritePanics(self.worker) {
            panic!("writing panics, as it is told to");
        }
        if self.fault == Fault::Write(self.worker) { Err(broken("writing")) } else { self.inner.write(batch) }
    }

    fn prepare(&mut self) -> Result<Vec<u8>, ConnectorError> {
        if self.fault == Fault::Prepare(self.worker) { Err(broken("preparing")) } else { self.inner.prepare() }
    }

    fn commit(&mut self, token: &[u8]) -> Result<(), ConnectorError> {
        if self.fault == Fault::Commit(self.worker) { Err(broken("committing")) } else { self.inner.commit(token) }
    }

    fn finish(&mut self) -> Result<(), ConnectorError> {
        self.inner.finish()
    }
}

/// A featuriser whose rows are dealt to all workers in turn.
struct Owned(Box<dyn Featurize>);

impl Featurize for Owned {
    fn featurize(&mut self, records: &Records) -> Minibatch {
        self.0.featurize(records)
    }

    fn finish(&mut self) -> Minibatch {
        self.0.finish()
    }

    fn snapshot(&self) -> Vec<u8> {
        self.0.snapshot()
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), String> {
        self.0.restore(snapshot)
    }

    fn owners(&self, records: &Records, peers: usize) -> Option<Vec<u32>> {
        Some(records.indices().map(|i| ((records.first_offset as usize + i) / 3 % peers) as u32).collect())
    }

    fn width(&self) -> usize {
        self.0.width()
    }
}

struct Recorder {
    journal: Journal,
    fault: Fault,
}

impl Record for Recorder {
    fn keep(
        &mut self,
        epoch: u64,
        replica: Vec<u8>,
        locals: &[Local],
        finished: bool,
        status: &Status,
    ) -> Result<(), FlowError> {
        let mut kept = self.journal.kept.lock().unwrap();
        if self.fault == Fault::Keep(kept.len()) {
            return Err(FlowError::Checkpoint("the disk is full".to_owned()));
        }
        if self.fault == Fault::KeepPanics(kept.len()) {
            drop(kept);
            panic!("keeping panics, as it is told to");
        }
        let ahead = || self.journal.read.load(Ordering::Acquire).saturating_sub(epoch);
        if self.fault == Fault::SlowKeep && !finished {
            let started = Instant::now();
            while ahead() == 0 && started.elapsed() < Duration::from_secs(20) {
                std::thread::yield_now();
            }
            // Long enough to go too far.
            std::thread::sleep(Duration::from_millis(20));
        }
        let ahead = ahead();
        kept.push(Kept { epoch, replica, locals: locals.to_vec(), finished, status: status.clone(), ahead });
        Ok(())
    }
}
