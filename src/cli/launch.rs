//! From the command line to the exit code.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use super::{
    Arguments, Command, assign, benchmark, checkpoint, completions, evaluate, logging, replay, report, schema,
    validate, verify,
};
use crate::error::{Error, exit};

/// Runs the command that `line` (program name first) asks for and reports its fault, if any, on standard error.
pub fn run(line: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(line) {
        Ok(arguments) => arguments,
        Err(answer) => {
            // Help and version are answers, not faults; a reader that has left needs neither.
            let code = if answer.use_stderr() { exit::USAGE } else { 0 };
            return match answer.print() {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::from(exit::IO),
                _ => ExitCode::from(code),
            };
        }
    };
    match logging::start(arguments.log_format, arguments.log_level.as_deref()).and_then(|()| execute(arguments.command))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            // If standard error is gone too, the exit code is all that can be said.
            let _ = io::stderr().write_all(error.report().as_bytes());
            ExitCode::from(error.exit_code())
        }
    }
}

fn execute(command: Command) -> Result<(), Error> {
    match command {
        Command::Validate(arguments) => validate::execute(&arguments),
        Command::Verify(arguments) => verify::execute(&arguments),
        Command::Evaluate(arguments) => evaluate::execute(&arguments),
        Command::Benchmark(arguments) => benchmark::execute(&arguments),
        Command::Schema => schema::execute(),
        Command::Completions(arguments) => completions::execute(&arguments),
        Command::Run(arguments) => super::run::execute(&arguments),
        Command::Assign(arguments) => assign::execute(&arguments),
        Command::Checkpoint(command) => checkpoint::execute(&command),
        Command::Replay(arguments) => replay::execute(&arguments),
        Command::Report(arguments) => report::execute(&arguments),
    }
}
