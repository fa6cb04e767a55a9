//! What the benchmarks share: arguments, data sets and their orders, the program as a user runs it, its model alone, processor time.
#![allow(dead_code, reason = "each benchmark uses its part")]

pub mod arguments;
pub mod cpu;
pub mod program;
pub mod replica;
pub mod stream;

#[cfg(not(target_env = "msvc"))]
#[path = "../../src/allocator.rs"]
pub mod allocator;
