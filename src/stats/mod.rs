//! Arithmetic on slices: no rows, no tensors, no clocks.

pub mod agreement;
pub mod coherence;
pub mod hungarian;
pub mod kmeans;
pub mod projection;
pub mod random;
