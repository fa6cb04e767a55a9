//! `evenkeel report`.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `evenkeel report`.
#[derive(Clone, Debug, Args)]
pub struct ReportArguments {
    /// Folder of the run.
    #[arg(value_name = "RUN_DIR")]
    pub run_dir: PathBuf,
    /// The page to write.
    #[arg(short, long, value_name = "FILE", default_value = "report.html")]
    pub output: PathBuf,
}
