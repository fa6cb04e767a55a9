//! The door: arguments in, exit code out.

use std::process::ExitCode;

#[cfg(not(target_env = "msvc"))]
mod allocator;

fn main() -> ExitCode {
    #[cfg(not(target_env = "msvc"))]
    allocator::keep_pages();
    evenkeel::cli::run(std::env::args_os())
}
