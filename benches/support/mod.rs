//! What the benchmarks share: arguments, data sets and their orders, the program as a user runs it, its model alone, processor time.
#![allow(dead_code, reason = "each benchmark uses its part")]

pub mod arguments;
pub mod cpu;
pub mod program;
pub mod replica;
pub mod stream;

/// The program's own.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
