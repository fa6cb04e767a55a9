//! What can go wrong with checkpoints and the run directory.

use std::path::PathBuf;

/// A fault of a checkpoint, of its folder, or of the run directory.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// A setting of `[checkpoint]` that makes no sense.
    #[error("`{key}` {problem}")]
    Parameter {
        /// The key as the user writes it.
        key: &'static str,
        /// What is wrong and what is allowed.
        problem: String,
    },
    /// A folder that cannot be created.
    #[error("cannot create {}: {source}", path.display())]
    Create {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file that cannot be written, renamed or removed.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file or folder that cannot be opened.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A checkpoint that is not what was written.
    #[error("{} is damaged in its {section}: {problem}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Which part of it.
        section: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A checkpoint of a later program.
    #[error(
        "{} has checkpoint format {found} and this program knows formats up to {supported}: use the newer program that \
         wrote it",
        file.display()
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format this program knows.
        supported: u32,
    },
    /// A checkpoint whose parts do not fit together; a fault of this program.
    #[error("cannot write checkpoint {id}: {problem}")]
    Invalid {
        /// The checkpoint.
        id: u64,
        /// What does not fit.
        problem: String,
    },
    /// A run directory that another process uses.
    #[error(
        "{} is in use by {holder}: wait for it or stop it, or give this run another `pipeline.run_dir`",
        run_dir.display()
    )]
    Locked {
        /// The run directory.
        run_dir: PathBuf,
        /// Who holds it, as far as it is known.
        holder: String,
    },
    /// A run directory on which locks do not work.
    #[error("cannot lock {}: {source}; choose a `pipeline.run_dir` on a local disk", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}
