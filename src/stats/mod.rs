//! Arithmetic on plain slices; knows no rows, no time and no tensors.
//!
//! `agreement` compares two labelings of the same rows and measures how even the sizes are; `hungarian` is the matching
//! behind it.

mod agreement;
mod hungarian;

pub use agreement::{Contingency, imbalance_factor, normalised_entropy};
pub use hungarian::{Cost, maximum_matching, minimum_matching};
