//! `evenkeel run`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Args;

use super::bar::Bar;
use super::summary;
use crate::config::{self, Plan, Source};
use crate::connector::format::FORMAT_REASONS;
use crate::connector::kafka::{KafkaEvent, PAIR_REASONS};
use crate::data::REASONS;
use crate::error::Error;
use crate::flow::Control;
use crate::pipeline::{self, Observers, Outcome, Progress};
use crate::serve::Server;
use crate::telemetry::{self, Health, Labels, Metrics};

/// A pipeline file and what the command line changes about it.
#[derive(Clone, Debug, Args)]
pub struct PipelineArguments {
    /// The pipeline file (TOML).
    #[arg(value_name = "PIPELINE.toml")]
    pub file: PathBuf,
    /// Number of workers, instead of `pipeline.workers`.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=4096))]
    pub workers: Option<u64>,
    /// Override a key; may be repeated.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    pub sets: Vec<String>,
}

impl PipelineArguments {
    /// All overrides, in the order in which they apply.
    pub fn overrides(&self) -> Vec<String> {
        let workers = self.workers.map(|workers| format!("pipeline.workers={workers}"));
        self.sets.iter().cloned().chain(workers).collect()
    }

    /// Reads and checks the file.
    ///
    /// # Errors
    /// If it cannot be read or is not valid.
    pub fn plan(&self) -> Result<Plan, Error> {
        Ok(config::open(&self.file, &self.overrides())?)
    }
}

/// Arguments of `evenkeel run`.
#[derive(Clone, Debug, Args)]
pub struct RunArguments {
    /// What to run.
    #[command(flatten)]
    pub pipeline: PipelineArguments,
    /// Start anew: move what an earlier run left out of the way instead of resuming from it.
    #[arg(long)]
    pub fresh: bool,
    /// Print the summary as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs a pipeline and prints what came of it.
///
/// # Errors
/// Whatever stopped the run; the last checkpoint holds.
pub fn execute(arguments: &RunArguments) -> Result<(), Error> {
    let plan = arguments.pipeline.plan()?;
    let workers = plan.workers();
    tracing::info!(pipeline = plan.name(), workers, backend = plan.model().backend, "starting");
    let served = serve(&plan)?;
    let control = Arc::new(Control::default());
    pipeline::stop_on_signals(&control, plan.shutdown_grace())?;
    let progress = Arc::new(Progress::default());
    let bar = pipeline::input_rows(&plan)?.map(|rows| Bar::start(&progress, rows));
    let started = Instant::now();
    let (metrics, health) = (Arc::new(served.metrics), served.health);
    let (counted, kept, lag) = (Arc::clone(&metrics), Arc::clone(&metrics), metrics);
    let readiness = Arc::new(Readiness { health: health.clone(), state: Mutex::default() });
    let (ready, opened) = (Arc::clone(&readiness), Arc::clone(&readiness));
    let on_epoch = Arc::new(move |report: &crate::flow::EpochReport| {
        ready.epoch();
        pipeline::observe(&counted, report);
    });
    let on_kafka = Arc::new(move |event: KafkaEvent<'_>| match event {
        KafkaEvent::Lag { topic, partition, rows } => lag.source_lag(topic, partition, rows),
        KafkaEvent::Connected { client } => readiness.connected(client),
        KafkaEvent::Disconnected { client, reason } => readiness.disconnected(client, reason),
    });
    let on_kept = Arc::new(move |seconds: f64| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        kept.checkpoint_succeeded(now, Duration::from_secs_f64(seconds));
    });
    let on_open = Arc::new(move || opened.opened());
    let observers = Observers { on_epoch, on_kept, on_kafka, on_open };
    let outcome = pipeline::run(&plan, arguments.fresh, &control, &progress, observers);
    drop(bar);
    let verdict = match outcome.inspect_err(|error| health.dead(error.to_string()))? {
        Outcome::Finished => "finished",
        Outcome::Stopped => "stopped; the same command goes on from here",
        Outcome::AlreadyFinished => "had already finished; --fresh starts anew",
    };
    let folder = match plan.kafka_sink() {
        Some(sink) => format!("topic {}", sink.topic),
        None => plan.assignments_dir().display().to_string(),
    };
    summary::print(plan.name(), verdict, &progress.totals(), started.elapsed().as_secs_f64(), &folder, arguments.json)
}

/// Ready is who has opened its input and its outputs, and processes rows or, with topics, has brokers that answer.
struct Readiness {
    health: Health,
    /// Held while the verdict is told, so that whoever comes last has the last word.
    state: Mutex<Connections>,
}

#[derive(Default)]
struct Connections {
    open: bool,
    /// Whether rows came or a broker answered.
    answered: bool,
    /// The clients that no broker answers.
    away: BTreeSet<&'static str>,
}

impl Readiness {
    fn note(&self, note: impl FnOnce(&mut Connections)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        note(&mut state);
        if state.open && state.answered && state.away.is_empty() {
            self.health.ready();
        }
    }

    fn opened(&self) {
        self.note(|state| state.open = true);
    }

    fn epoch(&self) {
        self.note(|state| state.answered = true);
    }

    fn connected(&self, client: &'static str) {
        self.note(|state| {
            state.away.remove(client);
            state.answered = true;
        });
    }

    fn disconnected(&self, client: &'static str, reason: &str) {
        self.note(|state| {
            state.away.insert(client);
            self.health.not_ready(format!("no broker answers the {client}: {reason}"));
        });
    }
}

/// Metrics, and the server that answers for them while it lives.
struct Served {
    metrics: Metrics,
    health: Health,
    _server: Option<Server>,
}

fn serve(plan: &Plan) -> Result<Served, Error> {
    let Some(listen) = plan.listen() else {
        return Ok(Served { metrics: Metrics::disabled(), health: Health::default(), _server: None });
    };
    let mut reasons = REASONS.to_vec();
    if matches!(plan.source(), Source::Kafka(_)) {
        reasons.extend(FORMAT_REASONS);
    }
    if plan.supervision().is_some_and(|supervision| supervision.pairs_topic.is_some()) {
        reasons.extend(PAIR_REASONS);
    }
    let labels = Labels {
        pipeline: plan.name(),
        version: env!("CARGO_PKG_VERSION"),
        backend: &plan.model().backend,
        clusters: plan.model().clusters,
        reasons: &reasons,
        partitions: &[],
    };
    let (metrics, exposition) = telemetry::install(&labels).map_err(|error| Error::Internal(error.to_string()))?;
    let health = Health::shown(metrics.ready.clone());
    let server = Server::start(listen, exposition, health.clone())?;
    tracing::info!(address = %server.address(), "serving /metrics, /livez and /readyz");
    Ok(Served { metrics, health, _server: Some(server) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_ready_once_all_is_open_and_every_client_has_a_broker() {
        let readiness = Readiness { health: Health::default(), state: Mutex::default() };
        let ready = || readiness.health.readiness().is_ok();
        readiness.connected("input");
        assert!(!ready(), "outputs are not open yet");
        readiness.disconnected("output", "gone");
        readiness.opened();
        readiness.epoch();
        assert!(!ready());
        readiness.connected("output");
        assert!(ready());
        readiness.disconnected("input", "gone");
        readiness.epoch();
        assert!(!ready());
    }

    #[test]
    fn files_are_ready_with_their_first_rows() {
        let readiness = Readiness { health: Health::default(), state: Mutex::default() };
        readiness.opened();
        assert!(readiness.health.readiness().is_err());
        readiness.epoch();
        assert!(readiness.health.readiness().is_ok());
    }
}
