//! What a row is and what identifies it.
//!
//! Records come in from a connector, [`featurize`](Featurize) turns them into a [`Minibatch`] of [`Row`]s, and what cannot
//! become a row is a [`DeadLetter`]: every input row ends in exactly one of the two.

mod minibatch;
mod parameters;
mod row;

pub use minibatch::{DeadLetter, Featurize, Minibatch, Records};
pub use parameters::{FeatureParameters, Missing, ScaleMethod, ScaleParameters, ScalePer, WindowParameters};
pub use row::{Coordinates, Row};
