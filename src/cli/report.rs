//! `evenkeel report`.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use crate::connector::ConnectorError;
use crate::error::Error;
use crate::{pipeline, report};

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

/// Writes the page about a run and prints where it is.
///
/// # Errors
/// If there is no run, what it left cannot be read, or the page cannot be written.
pub fn execute(arguments: &ReportArguments) -> Result<(), Error> {
    let page = report::render(&pipeline::portray(&arguments.run_dir)?);
    let path = || arguments.output.clone();
    let mut file = File::create(&arguments.output).map_err(|source| ConnectorError::Create { path: path(), source })?;
    file.write_all(page.as_bytes()).map_err(|source| ConnectorError::Write { path: path(), source })?;
    writeln!(io::stdout(), "{} ({} kB)", arguments.output.display(), page.len().div_ceil(1_000))?;
    Ok(())
}
