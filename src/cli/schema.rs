//! `evenkeel schema`.

use std::io::{self, Write};

use crate::config;
use crate::error::Error;

/// Prints the JSON Schema of the pipeline file.
///
/// # Errors
/// If standard output cannot be written.
pub fn execute() -> Result<(), Error> {
    writeln!(io::stdout().lock(), "{:#}", config::json_schema())?;
    Ok(())
}
