//! One model replica: what it may be told, how it learns and how it assigns.

mod parameters;

pub use parameters::{BalanceParameters, LearningParameters, ModelParameters, PerKey, Target};
