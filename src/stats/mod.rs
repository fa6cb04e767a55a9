//! Arithmetic on plain slices: no rows, no networks, no clocks.
//!
//! Everything here is deterministic; what has a state can be serialised and continued elsewhere with the same results.

pub mod bounds;
pub mod drift;
pub mod principal;
