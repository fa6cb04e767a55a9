//! `evenkeel assign`.

use std::path::PathBuf;

use clap::Args;

use super::run::PipelineArguments;

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
