//! `evenkeel run`.

use std::path::PathBuf;

use clap::Args;

use crate::config::{self, Plan};
use crate::error::Error;

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
