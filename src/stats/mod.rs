//! Arithmetic on plain slices: no rows, no networks, no clocks.
//!
//! Everything here is deterministic; what has a state can be serialised and continued elsewhere with the same results.
//!
//! `agreement` compares two labelings of the same rows and measures how even the sizes are; `hungarian` is the matching
//! behind it.

mod agreement;
pub mod bounds;
pub mod coherence;
pub mod discriminant;
mod dot;
pub mod drift;
mod hungarian;
pub mod kmeans;
pub mod mixture;
pub mod principal;
pub mod projection;
pub mod random;
pub mod spherical;
mod vectors;
mod wide;

pub use agreement::{Contingency, imbalance_factor, normalised_entropy};
pub use dot::{dot, dots};
pub use hungarian::{Cost, maximum_matching, minimum_matching};
pub use vectors::{all_finite, sum};
pub use wide::wide;
