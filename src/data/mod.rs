//! What a row is and what identifies it.
//!
//! Records come in from a connector, [`featurize`](Featurize) turns them into a [`Minibatch`] of [`Row`]s, and what cannot
//! become a row is a [`DeadLetter`]: every input row ends in exactly one of the two.

mod check;
mod columns;
mod error;
mod identify;
mod minibatch;
mod missing;
mod nearest;
mod owner;
mod pair;
mod parameters;
mod position;
mod raw;
mod row;
mod schema;
mod secret;
#[cfg(test)]
mod shared_data;
mod statistics;
mod texts;
mod vector;
mod window;

pub use check::{Features, Window};
pub use columns::{REASONS, label_text, record_as_json};
pub use error::FeatureError;
pub use identify::identify;
pub use minibatch::{DeadLetter, Featurize, Minibatch, Records};
pub(crate) use nearest::nearest;
pub use owner::owner;
pub use pair::{PairBatch, RowPair};
pub use parameters::{FeatureParameters, Missing, ScaleMethod, ScaleParameters, ScalePer, WindowParameters};
pub use position::{Place, Position};
pub use raw::{Origin, Origins, RawMessage, RawMessages};
pub use row::{Coordinates, Row};
pub use secret::Secret;
pub use statistics::Statistics;
pub use vector::VectorFeaturizer;
pub use window::WindowFeaturizer;
