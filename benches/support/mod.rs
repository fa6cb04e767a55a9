//! What the benchmarks share: arguments, data sets and their orders, and the program as a user runs it.
#![allow(dead_code, reason = "each benchmark uses its part")]

pub mod arguments;
pub mod program;
pub mod stream;

/// The program's own.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
