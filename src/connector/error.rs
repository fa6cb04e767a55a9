//! What can go wrong at the edge.

use std::path::PathBuf;

use super::format::FormatError;

/// A fault of the input, of the output, or of what lies between.
#[derive(Debug, thiserror::Error)]
pub enum ConnectorError {
    /// No file where one was named.
    #[error("no input: {path} {problem}")]
    NoInput {
        /// The path, glob or folder as written.
        path: String,
        /// What was found instead, and what to do.
        problem: String,
    },
    /// A file that is not readable Parquet.
    #[error("cannot read {file}: {problem}")]
    Unreadable {
        /// The file.
        file: String,
        /// What is wrong and where.
        problem: String,
    },
    /// A column that is missing or of a type that cannot be used.
    #[error("column `{column}` in {file}: {problem}")]
    Column {
        /// The column.
        column: String,
        /// The file or topic.
        file: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// An output that cannot be created.
    #[error("cannot create {}: {source}", path.display())]
    Create {
        /// File or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// An output that cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// File or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// An output that does not match what the checkpoint says about it.
    #[error("output in {} does not match the checkpoint: {problem}", path.display())]
    Inconsistent {
        /// Folder.
        path: PathBuf,
        /// What differs and what to do.
        problem: String,
    },
    /// A broker that does not do what it is asked.
    #[error("kafka: {problem}")]
    Kafka {
        /// What was asked, what was answered, what to do.
        problem: String,
    },
    /// Another process has taken this one's place.
    #[error(
        "another evenkeel with the transactional.id \"{id}\" has taken over: two copies of one pipeline cannot run at once, \
         this one stops (if it is not a copy, give it a `group.id` of its own; if there is no other one, a transaction was \
         open for longer than \"transaction.timeout.ms\" and a restart goes on from its checkpoint)"
    )]
    Fenced {
        /// The transactional id.
        id: String,
    },
    /// Messages that cannot be decoded or encoded at all.
    #[error(transparent)]
    Format(#[from] FormatError),
}
