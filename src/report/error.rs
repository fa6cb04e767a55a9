//! Why a run cannot be read.

use std::path::PathBuf;

/// A run directory that cannot be made into a report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// There is no such directory.
    #[error("no run in {}: name the directory that `evenkeel run` wrote to, the pipeline's `run_dir`", path.display())]
    NoRun {
        /// As given.
        path: PathBuf,
    },
    /// A folder that cannot be listed.
    #[error("cannot list {}: {source}", path.display())]
    List {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file that is no readable Parquet file.
    #[error("cannot read {}: {problem}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A column that is missing or of another type than the output's schema promises.
    #[error("column `{column}` in {}: {problem}", file.display())]
    Column {
        /// The column.
        column: String,
        /// The file.
        file: PathBuf,
        /// What is wrong.
        problem: String,
    },
}
