//! `evenkeel assign`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;

use super::bar::Bar;
use super::run::PipelineArguments;
use super::summary;
use crate::error::Error;
use crate::flow::Control;
use crate::pipeline::{self, Progress};

/// Arguments of `evenkeel assign`.
#[derive(Clone, Debug, Args)]
pub struct AssignArguments {
    /// What to label, and with which columns.
    #[command(flatten)]
    pub pipeline: PipelineArguments,
    /// The checkpoint (or the folder of checkpoints, for the newest valid one) that holds the model.
    #[arg(long, value_name = "DIR")]
    pub checkpoint: PathBuf,
    /// Folder the assignments go to; never the run's own.
    #[arg(long, value_name = "DIR")]
    pub output: PathBuf,
    /// Print the summary as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Labels the input with a frozen model and prints what came of it.
///
/// # Errors
/// If there is no model, or the input or output cannot be used.
pub fn execute(arguments: &AssignArguments) -> Result<(), Error> {
    let plan = arguments.pipeline.plan()?;
    let control = Arc::new(Control::default());
    pipeline::stop_on_signals(&control, plan.shutdown_grace())?;
    let progress = Arc::new(Progress::default());
    let bar = pipeline::input_rows(&plan)?.map(|rows| Bar::start(&progress, rows));
    let started = Instant::now();
    let done = pipeline::assign(&plan, &arguments.checkpoint, &arguments.output, &control, &progress, Arc::new(|_| {}));
    drop(bar);
    done?;
    let verdict = if control.stopping() { "stopped; the output is incomplete" } else { "finished" };
    let folder = arguments.output.display().to_string();
    summary::print(plan.name(), verdict, &progress.totals(), started.elapsed().as_secs_f64(), &folder, arguments.json)
}
