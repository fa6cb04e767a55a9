//! The door: arguments in, exit code out.

use std::process::ExitCode;

/// Networks come and go on threads of their own; the C library's allocator keeps what each of them leaves behind, this one gives it
/// back, so that resident memory does not grow with the stream.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    evenkeel::cli::run(std::env::args_os())
}
