//! `[checkpoint]`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[checkpoint]`: where the state of a run is kept and how often; whichever of rows and seconds comes first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointParameters {
    /// Folder; default `<run_dir>/checkpoints`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dir: Option<PathBuf>,
    /// A checkpoint after so many rows of all workers together.
    #[schemars(range(min = 1))]
    pub every_rows: u64,
    /// A checkpoint after so many seconds.
    pub every_s: f64,
    /// How many of the newest are kept.
    #[schemars(range(min = 1))]
    pub keep: usize,
}

impl Default for CheckpointParameters {
    fn default() -> Self {
        Self { dir: None, every_rows: 5000, every_s: 10.0, keep: 3 }
    }
}
