//! Arithmetic on slices: no rows, no tensors, no clocks.

pub mod random;
