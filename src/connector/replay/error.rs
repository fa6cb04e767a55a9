//! Why a replay ended early.

use super::super::ConnectorError;
use super::super::format::FormatError;
use crate::data::FeatureError;

/// A fault of the files, of the format or of the broker.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The files.
    #[error(transparent)]
    Input(#[from] ConnectorError),
    /// The key or time columns.
    #[error("{file}: {source}")]
    Column {
        /// The file, and the row from which on row numbers count.
        file: String,
        /// What does not fit.
        source: FeatureError,
    },
    /// The message format.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A librdkafka property that cannot be used.
    #[error("kafka property `{name}`: {problem}")]
    Property {
        /// Its name; never its value, which may be a secret.
        name: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The broker cannot be reached or has no such topic.
    #[error("kafka at {bootstrap}: {problem}")]
    Unavailable {
        /// `host:port`.
        bootstrap: String,
        /// What happened and what to do.
        problem: String,
    },
    /// A message that the broker did not take.
    #[error("cannot publish to topic {topic}: {problem}")]
    Publish {
        /// The topic.
        topic: String,
        /// The broker's reason and what to do.
        problem: String,
    },
}
