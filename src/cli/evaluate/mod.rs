//! `evenkeel evaluate`: reads assignments back (`assignments`), scores them (`scores`) and prints a table (`table`).

mod assignments;
mod columns;
mod scores;
mod table;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use crate::error::Error;

/// Arguments of `evenkeel evaluate`.
#[derive(Clone, Debug, Args)]
pub struct EvaluateArguments {
    /// A Parquet file of assignments, or a folder with `part-*.parquet` below it.
    #[arg(value_name = "ASSIGNMENTS")]
    pub assignments: PathBuf,
    /// The column that holds the truth [default: `label`, if there is one].
    #[arg(long, value_name = "COLUMN")]
    pub labels: Option<String>,
    /// Rows with this label are not scored, and neither are rows without a label.
    #[arg(long, value_name = "VALUE", default_value = "-1", allow_hyphen_values = true)]
    pub ignore_label: String,
    /// How many clusters the model has, for NE and the imbalance factor [default: as many as occur].
    #[arg(long, value_name = "K")]
    pub clusters: Option<usize>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Scores assignments and prints the result.
///
/// # Errors
/// If the assignments cannot be read or scored, or if standard output cannot be written.
pub fn execute(arguments: &EvaluateArguments) -> Result<(), Error> {
    let rows = assignments::read(&arguments.assignments, arguments.labels.as_deref(), &arguments.ignore_label)?;
    let evaluation = scores::evaluate(&rows, arguments.clusters)?;
    let text = if arguments.json {
        let json = serde_json::to_string_pretty(&evaluation).map_err(|error| Error::Internal(error.to_string()))?;
        json + "\n"
    } else {
        table::render(&evaluation)
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}
