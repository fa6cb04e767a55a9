//! `evenkeel assign`: a frozen model labels the input.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::brokers::{self, Started};
use super::feed::Feed;
use super::model;
use super::progress::Progress;
use super::record::Files;
use super::run::OnEpoch;
use super::setup::{self, Inlet};
use crate::checkpoint::{self, Checkpoint};
use crate::config::Plan;
use crate::connector::{Pace, ParquetSink, Share, dead_letter_schema, drift_schema};
use crate::error::Error;
use crate::flow::{self, Control, FlowError, Schedule, Sinks, Worker};
use crate::learner::{Frozen, Learner, Nursery, Part};
use crate::network;
use crate::replica::ReplicaError;

/// Rows of one worker in one epoch when nothing is learned.
const ROWS: usize = 4_096;

/// Labels the input of `plan` with the model in `checkpoint` (a file, or a folder of which the newest sound one is taken) and
/// writes to `output`, which must not hold anything yet.
///
/// # Errors
/// If there is no model, or the input or output cannot be used.
pub fn assign(
    plan: &Plan,
    checkpoint: &Path,
    output: &Path,
    control: &Arc<Control>,
    progress: &Arc<Progress>,
    on_epoch: OnEpoch,
) -> Result<(), Error> {
    let ends = setup::open(plan)?;
    let checkpoint = meant(checkpoint)?;
    model::check(plan, &checkpoint)?;
    let settings = Arc::new(setup::settings(plan));
    let dead_letters = output.join("dead_letters");
    let drift = output.join("drift");
    for folder in [output, &dead_letters] {
        if ParquetSink::holds_output(folder)? {
            return Err(Error::Usage(format!(
                "{} already holds assignments: give an empty --output",
                folder.display()
            )));
        }
    }
    let workers = plan.workers();
    let (plan, output) = (plan.clone(), output.to_path_buf());
    let (rows, roll) = (ROWS * plan.features().window().map_or(1, |w| w.hop().max(1)), plan.sink().clone());
    let progress = Arc::clone(progress);
    let feed = match &ends.inlet {
        Inlet::Files(catalog) => Feed::Files(Arc::clone(catalog)),
        Inlet::Topics(parameters) => Feed::Topics(Box::new(brokers::label(&plan, parameters, rows)?)),
    };
    let (pace, epochs_per_pass, rows_per_pass) = match (&ends.inlet, plan.features().window()) {
        (Inlet::Topics(_), _) => (Pace::Ordered { rows }, Some(u64::MAX), 0),
        (Inlet::Files(catalog), None) => (Pace::Free { rows }, None, catalog.total_rows()),
        // Windows need their readings in order, whichever worker reads them.
        (Inlet::Files(catalog), Some(_)) => {
            let total = catalog.total_rows();
            (Pace::Ordered { rows }, Some(total.div_ceil(rows as u64) + 1), total)
        }
    };
    let worker = move |index: usize| -> Result<Worker, FlowError> {
        let source = feed.source(&ends.columns, Share { index, peers: workers }, pace)?;
        let device = network::open(settings.backend).map_err(|error| ReplicaError::Model(error.to_string()))?;
        let part = Part { index, peers: workers };
        let learner = Learner::restore(&checkpoint.replica, Arc::clone(&settings), part, Nursery::default(), device)?;
        let open = |dir: &Path, schema| ParquetSink::open(dir, index, schema, roll.roll_mb, roll.roll_s, None);
        let (progress, on_epoch) = (Arc::clone(&progress), Arc::clone(&on_epoch));
        Ok(Worker {
            source,
            featurize: plan.features().open(),
            replica: Box::new(Frozen::new(learner)?),
            sinks: Sinks {
                assignments: (Box::new(open(&output, Arc::clone(&ends.assignments))?), Arc::clone(&ends.assignments)),
                drift: (Box::new(open(&drift, drift_schema())?), drift_schema()),
                dead_letters: Box::new(open(&dead_letters, dead_letter_schema())?),
                on_error: plan.dead_letters().clone(),
            },
            schedule: Schedule {
                first_epoch: 0,
                epochs_per_pass,
                passes: 1,
                rows_per_pass,
                first_row: 0,
                checkpoint_epochs: u64::MAX,
                checkpoint_rows: u64::MAX,
                // A bounded input is shown when it is complete, one without an end as it comes.
                checkpoint_interval: match feed.topics() {
                    Some(_) => Duration::from_secs_f64(plan.checkpoint().every_s),
                    None => Duration::MAX,
                },
            },
            meter: Arc::new(move |report| {
                progress.epoch(report);
                on_epoch(report);
            }),
            record: Box::new(Files { brokers: feed.topics().map(Started::brokers), ..Files::none() }),
        })
    };
    Ok(flow::run(workers, control, worker)?)
}

/// The checkpoint that is meant by a path: a file, a folder of them, or the folder of a run.
///
/// # Errors
/// If there is none that is sound.
fn meant(path: &Path) -> Result<Checkpoint, Error> {
    if path.is_file() {
        return Ok(checkpoint::load(path)?);
    }
    let inside = path.join("checkpoints");
    let found = model::newest(if inside.is_dir() { &inside } else { path })?;
    found.ok_or_else(|| {
        Error::Connector(crate::connector::ConnectorError::NoInput {
            path: path.display().to_string(),
            problem: "holds no sound checkpoint; `evenkeel checkpoint verify` says what is wrong".to_owned(),
        })
    })
}
