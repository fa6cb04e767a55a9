//! Clustering an array: the objectives without the dataflow.
//!
//! [`Fit`] trains one objective on all [`Rows`] as its paper does, step after step over the whole array, and gives a [`Model`]
//! that assigns rows and can be saved. The same steps fit the first model of a stream.

mod error;
mod fit;
mod model;
mod rows;

#[cfg(test)]
mod tests;

pub use error::ArrayError;
pub use fit::Fit;
pub use model::{Assignment, Model};
pub use rows::Rows;
