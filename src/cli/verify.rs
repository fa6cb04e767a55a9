//! `evenkeel verify`.

use std::io::{self, Write};

use clap::Args;

use super::run::PipelineArguments;
use crate::error::Error;
use crate::pipeline;

/// Arguments of `evenkeel verify`.
#[derive(Clone, Debug, Args)]
pub struct VerifyArguments {
    /// Whose input and output to compare.
    #[command(flatten)]
    pub pipeline: PipelineArguments,
    /// Print the verdict as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Compares input and output and says whether a row is lost or there twice.
///
/// # Errors
/// If one is, or if something cannot be read.
pub fn execute(arguments: &VerifyArguments) -> Result<(), Error> {
    let verified = pipeline::verify(&arguments.pipeline.plan()?)?;
    let mut output = io::stdout().lock();
    if arguments.json {
        let text = serde_json::to_string_pretty(&verified).map_err(|error| Error::Internal(error.to_string()))?;
        writeln!(output, "{text}")?;
    } else {
        let mut line = |name: &str, value: String| writeln!(output, "{name:<18}{value}");
        line("checkpoint", verified.checkpoint.to_string())?;
        line("input rows", verified.input_rows.to_string())?;
        line("assigned rows", verified.assigned_rows.to_string())?;
        line("dead letters", verified.dead_letters.to_string())?;
        line("more than once", verified.repeated_rows.to_string())?;
        for note in &verified.unchecked {
            line("not checked", note.clone())?;
        }
        let well =
            if verified.problems.is_empty() { "every row once, offsets and state agree" } else { "not in order" };
        line("verdict", well.to_owned())?;
    }
    match verified.problems.is_empty() {
        true => Ok(()),
        false => Err(Error::BadData(verified.problems.join("\n"))),
    }
}
