//! `evenkeel run`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Args;

use super::bar::Bar;
use super::summary;
use crate::config::{self, Plan};
use crate::data::REASONS;
use crate::error::Error;
use crate::flow::Control;
use crate::pipeline::{self, Outcome, Progress};
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
    let bar = Bar::start(&progress, pipeline::input_rows(&plan)?);
    let started = Instant::now();
    let (metrics, health) = (Arc::new(served.metrics), served.health);
    let (counted, kept) = (Arc::clone(&metrics), metrics);
    let ready = health.clone();
    let on_epoch = Arc::new(move |report: &crate::flow::EpochReport| {
        ready.ready();
        pipeline::observe(&counted, report);
    });
    let on_kept = Arc::new(move |seconds: f64| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        kept.checkpoint_succeeded(now, Duration::from_secs_f64(seconds));
    });
    let outcome = pipeline::run(&plan, arguments.fresh, &control, &progress, on_epoch, on_kept);
    drop(bar);
    let verdict = match outcome.inspect_err(|error| health.dead(error.to_string()))? {
        Outcome::Finished => "finished",
        Outcome::Stopped => "stopped; the same command goes on from here",
        Outcome::AlreadyFinished => "had already finished; --fresh starts anew",
    };
    let folder = plan.assignments_dir().display().to_string();
    summary::print(plan.name(), verdict, &progress.totals(), started.elapsed().as_secs_f64(), &folder, arguments.json)
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
    let labels = Labels {
        pipeline: plan.name(),
        version: env!("CARGO_PKG_VERSION"),
        backend: &plan.model().backend,
        clusters: plan.model().clusters,
        reasons: &REASONS,
        partitions: &[],
    };
    let (metrics, exposition) = telemetry::install(&labels).map_err(|error| Error::Internal(error.to_string()))?;
    let health = Health::shown(metrics.ready.clone());
    let server = Server::start(listen, exposition, health.clone())?;
    tracing::info!(address = %server.address(), "serving /metrics, /livez and /readyz");
    Ok(Served { metrics, health, _server: Some(server) })
}
