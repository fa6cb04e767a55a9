//! What is said about pairs of rows.

use serde::{Deserialize, Serialize};

/// Whether two rows belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Link {
    /// They belong to one cluster.
    Must,
    /// They belong to different clusters.
    Cannot,
}

impl Link {
    /// How far two rows that agree this much are from what is said of them: `1 - agreement` or `agreement`.
    #[must_use]
    pub fn violation(self, agreement: f32) -> f32 {
        match self {
            Self::Must => 1.0 - agreement,
            Self::Cannot => agreement,
        }
    }
}

/// A constrained pair of a batch: its rows `pair` and `pairs + pair`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constraint {
    /// Which pair of the batch.
    pub pair: usize,
    /// What is said of its rows.
    pub link: Link,
    /// Lagrangian multiplier: how much breaking it costs at present.
    pub multiplier: f32,
}
