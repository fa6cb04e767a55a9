//! Why an array cannot be clustered.

use std::path::PathBuf;

use crate::checkpoint::CheckpointError;
use crate::network::NetworkError;

/// A fault of the rows, of the settings, or of a saved model.
#[derive(Debug, thiserror::Error)]
pub enum ArrayError {
    /// Values that do not fill rows.
    #[error("{values} values are not rows of {width} features: give rows × features values, and at least one feature")]
    Width {
        /// Number of values.
        values: usize,
        /// Features of a row.
        width: usize,
    },
    /// A value that nothing can be learned from.
    #[error("feature {feature} of row {row} is {value}: replace it or leave the row out")]
    NotFinite {
        /// Number of the row, from 0.
        row: usize,
        /// Number of the feature, from 0.
        feature: usize,
        /// The value.
        value: f32,
    },
    /// A column beside the features that has another length.
    #[error("there are {found} {what} for {rows} rows: give one for each row")]
    Length {
        /// Keys, series or times.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there should be.
        rows: usize,
    },
    /// Fewer rows than clusters.
    #[error("{rows} rows are fewer than the {clusters} clusters asked for: give more rows or ask for fewer clusters")]
    TooFewRows {
        /// Rows.
        rows: usize,
        /// Clusters.
        clusters: usize,
    },
    /// A setting that makes no sense.
    #[error("`{key}` is {value} and must be {range}")]
    Parameter {
        /// The field.
        key: &'static str,
        /// What it is.
        value: f64,
        /// What it may be.
        range: &'static str,
    },
    /// Clusters that cannot all be orthogonal.
    #[error(
        "{method} wants orthogonal clusters, of which there are at most as many as the embedding is wide: raise \
         `embedding` to {clusters} or ask for fewer clusters"
    )]
    Crowded {
        /// The method.
        method: &'static str,
        /// Clusters.
        clusters: usize,
    },
    /// Parameters that are not numbers any more.
    #[error("training broke down within {steps} steps: scale the features, or lower the weights of the objective")]
    Diverged {
        /// Steps of the fit.
        steps: usize,
    },
    /// Rows that the model was not made for.
    #[error("rows have {found} features and the model was fitted on {expected}")]
    OtherWidth {
        /// Features of the rows.
        found: usize,
        /// Features of the model.
        expected: usize,
    },
    /// A file of another kind, or of another objective.
    #[error("{} cannot be used: {problem}", file.display())]
    Model {
        /// The file.
        file: PathBuf,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// A backend that is not there.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A file that cannot be read or written, or that is damaged.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}
