//! Why a benchmark cannot be run.

use std::path::PathBuf;

/// A fault of a suite, of what it was given, or of its record.
#[derive(Debug, thiserror::Error)]
pub enum BenchmarkError {
    /// Something in a suite file that makes no sense.
    #[error("{file}: {problem}")]
    Suite {
        /// The suite file.
        file: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A data set that the suite does not have.
    #[error("--data {name}=…: the suite has no data set `{name}`; {hint}")]
    UnknownData {
        /// The name.
        name: String,
        /// The nearest name, or all of them.
        hint: String,
    },
    /// A path that was given and is not there.
    #[error("no input: --data {}: no such file or folder", path.display())]
    NoData {
        /// As given.
        path: PathBuf,
    },
    /// Data without what is needed to score.
    #[error("{}: {problem}", file.display())]
    Data {
        /// The file.
        file: PathBuf,
        /// What is missing and what to do.
        problem: String,
    },
    /// A record that another program wrote, or that is damaged.
    #[error("{} cannot be continued: {problem}; move it away to start a new one", file.display())]
    Record {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A document whose markers do not match.
    #[error("{}: line `{begin}` is not followed by `{end}`: mend it, or delete both", file.display())]
    Markers {
        /// The file.
        file: PathBuf,
        /// The first marker.
        begin: String,
        /// The second.
        end: String,
    },
    /// Lines that broke down.
    #[error("{failed} of {tasks} runs failed; the messages above say why")]
    Failed {
        /// How many.
        failed: usize,
        /// Of how many.
        tasks: usize,
    },
}
