//! ClusMatch: a network that already clusters refines itself on its own confident answers.
//!
//! [`ClusMatch`] wraps any [`Objective`](super::Objective). `space` knows directions of embeddings and the k-means centroids
//! among them, `thresholds` what is confident, `fairness` keeps confident answers apart, `gate` how strong a view may be;
//! `reading` puts them together into what a batch says.

mod fairness;
mod gate;
mod parameters;
mod reading;
mod refinement;
mod space;
mod thresholds;

pub use parameters::ClusMatchParameters;
pub use refinement::ClusMatch;

#[cfg(test)]
mod tests;
