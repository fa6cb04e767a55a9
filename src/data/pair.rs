//! What is said about pairs of rows.

use super::{Coordinates, DeadLetter};

/// Two rows, and whether they belong together; else they belong apart.
pub type RowPair = ([Coordinates; 2], bool);

/// Pairs that came live with an epoch, beside its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PairBatch {
    /// The pairs, in the order in which they came.
    pub pairs: Vec<RowPair>,
    /// Messages that are no pair.
    pub rejected: Vec<DeadLetter>,
}
