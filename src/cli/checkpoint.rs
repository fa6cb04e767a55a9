//! `evenkeel checkpoint`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What to do with checkpoints.
#[derive(Clone, Debug, Subcommand)]
pub enum CheckpointCommand {
    /// List the checkpoints of a folder, newest first.
    List(CheckpointArguments),
    /// Say what is in a checkpoint.
    Inspect(CheckpointArguments),
    /// Say whether the checksums hold.
    Verify(CheckpointArguments),
}

/// Arguments of the `evenkeel checkpoint` commands.
#[derive(Clone, Debug, Args)]
pub struct CheckpointArguments {
    /// A checkpoint, or a folder of checkpoints.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
