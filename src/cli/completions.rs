//! `evenkeel completions`.

use std::io::{self, Write};

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Arguments;
use crate::error::Error;

/// Arguments of `evenkeel completions`.
#[derive(Clone, Debug, Args)]
pub struct CompletionsArguments {
    /// The shell.
    pub shell: Shell,
}

/// Prints a completion script.
///
/// # Errors
/// If standard output cannot be written.
pub fn execute(arguments: &CompletionsArguments) -> Result<(), Error> {
    // Into memory first: the generator panics when its writer fails.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "evenkeel", &mut script);
    io::stdout().lock().write_all(&script)?;
    Ok(())
}
