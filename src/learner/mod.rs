//! One model replica: what it may be told, how it learns and how it assigns.
//!
//! [`Learner`] is the online recipe's skeleton, the same for every [objective](crate::objective): rows are held until the
//! first model has been fitted on them, then every row is assigned by the model as it stands and learned from afterwards, in
//! chunks of a fixed number of rows with replay from a [reservoir](Reservoir). Now and then a challenger is fitted
//! from scratch beside the stream and replaces the model if it scores higher without labels. [`Frozen`] only assigns.
//!
//! Without a stream, [`Fit`] trains an objective on an array and gives a [`Model`].

mod array;
mod assign;
mod fit;
mod frozen;
pub mod half_life;
mod jury;
#[expect(clippy::module_inception, reason = "the room is named after its one resident")]
mod learner;
mod live;
mod matchmaker;
mod meeting;
mod nearest;
mod noise;
mod nursery;
mod online;
mod pack;
mod pairs;
mod parameters;
mod refresh;
mod reseating;
mod reservoir;
mod sample;
mod scaler;
mod settings;
mod sight;
mod snapshot;
mod supervision;
mod trainer;
mod update;
mod watch;

#[cfg(test)]
mod tests;

pub use array::{ArrayError, Assignment, Fit, Model, Rows};
pub use frozen::{Frozen, Portrait};
pub use learner::Learner;
pub use nursery::Nursery;
pub use pairs::{Ascent, Pair, PairStore};
pub use parameters::{BalanceParameters, LearningParameters, ModelParameters, PerKey, Target};
pub use reservoir::{Nearness, Reservoir};
pub use scaler::Scaler;
pub use settings::Settings;
pub use supervision::{ListedPair, PairList, Supervision, SupervisionParameters, Teacher};
pub use trainer::Part;
