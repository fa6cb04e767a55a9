//! The door: arguments in, exit code out.

use std::process::ExitCode;

#[cfg(not(target_env = "msvc"))]
mod allocator;

fn main() -> ExitCode {
    evenkeel::cli::run(std::env::args_os())
}
