//! What stops a flow.

use crate::connector::ConnectorError;
use crate::replica::ReplicaError;

/// Why a flow stopped before its end.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// Input or output.
    #[error(transparent)]
    Connector(#[from] ConnectorError),
    /// The model.
    #[error(transparent)]
    Replica(#[from] ReplicaError),
    /// A row that cannot be used, where such rows stop the run.
    #[error("row {offset} of {source_name}: {reason}: {detail} (dead_letters.on_error = \"fail\")")]
    Rejected {
        /// File or topic.
        source_name: String,
        /// Row number.
        offset: i64,
        /// Kind of fault.
        reason: &'static str,
        /// The fault.
        detail: String,
    },
    /// A checkpoint could not be written.
    #[error("cannot keep a checkpoint: {0}")]
    Checkpoint(String),
    /// A featuriser could not be continued.
    #[error("the windows of the checkpoint cannot be continued: {0}")]
    Featurizer(String),
    /// The worker threads did not start.
    #[error("cannot start the workers: {0}")]
    Start(String),
    /// A worker panicked.
    #[error("a worker panicked; this is a bug, its message stands above")]
    Panicked,
}
