//! Arithmetic on slices: no rows, no tensors, no clocks.

pub mod coherence;
pub mod kmeans;
pub mod projection;
pub mod random;
