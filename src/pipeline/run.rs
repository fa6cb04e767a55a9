//! `evenkeel run`: learn while labelling, from the newest checkpoint to the end of the input.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::brokers::{self, Started};
use super::feed::Feed;
use super::outlets;
use super::progress::Progress;
use super::record::Files;
use super::setup::{self, Ends, Inlet};
use crate::checkpoint::{self, Checkpoint, Decision, Digest, RunLock, Store};
use crate::config::Plan;
use crate::connector::kafka::KafkaObserver;
use crate::connector::{Pace, ParquetSink, Share};
use crate::error::Error;
use crate::flow::{self, Control, FlowError, Schedule, Worker};
use crate::learner::{Learner, Nursery, Part, Settings};
use crate::network;
use crate::replica::PairCounts;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The input was read to its end.
    Finished,
    /// An earlier run had already done so; nothing was done.
    AlreadyFinished,
    /// It was asked to stop and can go on from its last checkpoint.
    Stopped,
}

/// Called when a checkpoint has been kept, with the seconds it took.
pub type OnKept = Arc<dyn Fn(f64) + Send + Sync>;
/// Called once everything that is read and written is open.
pub type OnOpen = Arc<dyn Fn() + Send + Sync>;
/// Called after every epoch of every worker.
pub type OnEpoch = Arc<dyn Fn(&flow::EpochReport) + Send + Sync>;

/// Who is told what a run does.
#[derive(Clone)]
pub struct Observers {
    /// Told about epochs.
    pub on_epoch: OnEpoch,
    /// Told about checkpoints.
    pub on_kept: OnKept,
    /// Told about the connection to brokers.
    pub on_kafka: KafkaObserver,
    /// Told when the input and the outputs of all workers are open.
    pub on_open: OnOpen,
}

/// Runs a plan to the end of its input or until `control` is asked to stop. `fresh` forgets what earlier runs left.
///
/// # Errors
/// Whatever stopped it; the last checkpoint holds.
pub fn run(
    plan: &Plan,
    fresh: bool,
    control: &Arc<Control>,
    progress: &Arc<Progress>,
    observers: Observers,
) -> Result<Outcome, Error> {
    let ends = setup::open(plan)?;
    let lock = RunLock::acquire(plan.run_dir())?;
    let folders = [plan.assignments_dir().to_path_buf(), plan.drift_dir(), plan.dead_letters_dir()];
    if fresh {
        if matches!(ends.inlet, Inlet::Files(_)) {
            checkpoint::clear(plan.checkpoint_dir())?;
        }
        for folder in &folders {
            ParquetSink::clear(folder)?;
        }
    }
    let digest = setup::digest(plan, &ends.inlet)?;
    let store = Store::open(plan.checkpoint_dir(), plan.checkpoint().keep)?;
    let (resume, feed) = match &ends.inlet {
        Inlet::Files(catalog) => (resume(&store, &digest)?, Feed::Files(Arc::clone(catalog))),
        Inlet::Topics(source) => {
            let saved = || resume(&store, &digest);
            let mut started = brokers::start(plan, source, &store, &digest, fresh, &observers.on_kafka, saved)?;
            (started.resume.take(), Feed::Topics(Box::new(started)))
        }
    };
    match &resume {
        Some(checkpoint) if checkpoint.finished => {
            // A crash may have come between the last checkpoint and showing the rows it covers; opening the sinks shows them.
            for (index, local) in checkpoint.locals.iter().enumerate() {
                outlets::open(plan, &ends.assignments, index, None, Some(local))?;
            }
            return Ok(Outcome::AlreadyFinished);
        }
        Some(checkpoint) => {
            tracing::info!(checkpoint = checkpoint.id, model_version = checkpoint.model_version, "resuming");
        }
        None => clear_leftovers(&folders)?,
    }
    // Only once the run is not refused: until then the file describes what is there.
    setup::keep_plan(plan)?;
    let next_id = checkpoint::list(plan.checkpoint_dir())?.iter().map(|listed| listed.id + 1).max().unwrap_or(1);
    let mut settings = setup::settings(plan);
    settings.supervision = setup::supervision(plan, &ends.inlet.digest())?;
    let rows = setup::epoch_rows(plan);
    let (rows_per_pass, epochs_per_pass) = match &ends.inlet {
        Inlet::Files(catalog) => (catalog.total_rows(), catalog.total_rows().div_ceil(rows as u64) + 1),
        // One pass that does not end.
        Inlet::Topics(_) => (0, u64::MAX),
    };
    let job = Arc::new(Job {
        settings: Arc::new(settings),
        nursery: Nursery::default(),
        plan: plan.clone(),
        ends,
        resume,
        store,
        next_id,
        digest,
        feed,
        rows,
        rows_per_pass,
        epochs_per_pass,
        progress: Arc::clone(progress),
        on_epoch: observers.on_epoch,
        on_kept: observers.on_kept,
        on_open: observers.on_open,
        opened: AtomicUsize::new(0),
    });
    let workers = plan.workers();
    flow::run(workers, control, move |index| job.worker(Share { index, peers: workers }))?;
    drop(lock);
    Ok(if control.stopping() { Outcome::Stopped } else { Outcome::Finished })
}

/// The checkpoint to go on from, if there is one.
fn resume(store: &Store, digest: &Digest) -> Result<Option<Checkpoint>, Error> {
    match checkpoint::resolve(&store.verify()?, digest) {
        Decision::Fresh => Ok(None),
        Decision::Resume { id } => Ok(Some(store.load(id)?)),
        Decision::FallBack { bad, to } => {
            for (id, reason) in bad {
                tracing::error!(
                    checkpoint = id,
                    reason,
                    "checkpoint is damaged and set aside; the previous one is used"
                );
                store.set_aside(id)?;
            }
            Ok(Some(store.load(to)?))
        }
        Decision::Refuse { reason } => Err(Error::Refused(reason)),
    }
}

/// Makes sure of a clean start. Output that is shown and that no checkpoint knows would be written twice, so that it is
/// refused; what a crash left before the first checkpoint was never shown and goes.
fn clear_leftovers(folders: &[impl AsRef<Path>]) -> Result<(), Error> {
    for folder in folders {
        let folder = folder.as_ref();
        if ParquetSink::holds_output(folder)? {
            return Err(Error::Connector(crate::connector::ConnectorError::Inconsistent {
                path: folder.to_path_buf(),
                problem: "there is output but no checkpoint that knows it; move it away or start with --fresh"
                    .to_owned(),
            }));
        }
    }
    for folder in folders {
        ParquetSink::clear(folder.as_ref())?;
    }
    Ok(())
}

/// All that the workers of a run are made from.
struct Job {
    plan: Plan,
    settings: Arc<Settings>,
    nursery: Nursery,
    ends: Ends,
    resume: Option<Checkpoint>,
    store: Store,
    next_id: u64,
    digest: Digest,
    feed: Feed,
    rows: usize,
    rows_per_pass: u64,
    epochs_per_pass: u64,
    progress: Arc<Progress>,
    on_epoch: OnEpoch,
    on_kept: OnKept,
    on_open: OnOpen,
    /// Workers that have opened what is theirs.
    opened: AtomicUsize,
}

impl Job {
    fn worker(&self, share: Share) -> Result<Worker, FlowError> {
        let plan = &self.plan;
        let local = self.resume.as_ref().map(|checkpoint| &checkpoint.locals[share.index]);
        let source = self.feed.source(&self.ends.columns, share, Pace::Ordered { rows: self.rows })?;
        let mut featurize = plan.features().open();
        if let Some(local) = local {
            featurize.restore(&local.featurizer).map_err(FlowError::Featurizer)?;
        }
        let outbox = self.feed.topics().and_then(|started| started.outbox.as_ref());
        let sinks = outlets::open(plan, &self.ends.assignments, share.index, outbox, local)?;
        let (progress, on_epoch) = (Arc::clone(&self.progress), Arc::clone(&self.on_epoch));
        let replica = Box::new(self.replica(share)?);
        if self.opened.fetch_add(1, Ordering::AcqRel) + 1 == share.peers {
            (self.on_open)();
        }
        Ok(Worker {
            source,
            featurize,
            replica,
            sinks,
            schedule: self.schedule(),
            meter: Arc::new(move |report| {
                progress.epoch(report);
                on_epoch(report);
            }),
            record: Box::new(self.record(share)?),
        })
    }

    fn replica(&self, share: Share) -> Result<Learner, FlowError> {
        let part = Part { index: share.index, peers: share.peers };
        let device = network::open(self.settings.backend)
            .map_err(|error| crate::replica::ReplicaError::Model(error.to_string()))?;
        let (settings, nursery) = (Arc::clone(&self.settings), self.nursery.clone());
        Ok(match &self.resume {
            None => Learner::new(settings, part, nursery, device),
            Some(checkpoint) => Learner::restore(&checkpoint.replica, settings, part, nursery, device)?,
        })
    }

    fn schedule(&self) -> Schedule {
        let keep = self.plan.checkpoint();
        Schedule {
            first_epoch: self.resume.as_ref().map_or(0, |checkpoint| checkpoint.epoch),
            epochs_per_pass: Some(self.epochs_per_pass),
            passes: self.plan.learning().passes as u64,
            rows_per_pass: self.rows_per_pass,
            first_row: self.feed.topics().map_or(0, |started| started.first_row),
            checkpoint_epochs: keep.every_rows.div_ceil(self.plan.learning().chunk_rows as u64).max(1),
            checkpoint_rows: keep.every_rows,
            checkpoint_interval: Duration::from_secs_f64(keep.every_s),
        }
    }

    fn record(&self, share: Share) -> Result<Files, FlowError> {
        let store = (share.index == 0).then(|| self.store.clone());
        Ok(Files {
            brokers: self.feed.topics().map(Started::brokers),
            store,
            next_id: self.next_id,
            digest: self.digest.clone(),
            epochs_per_pass: self.epochs_per_pass,
            progress: Arc::clone(&self.progress),
            on_kept: Arc::clone(&self.on_kept),
            paired: PairCounts::default(),
        })
    }
}
