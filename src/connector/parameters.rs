//! `[source.parquet]`, `[sink.parquet]` and `[dead_letters]`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[source.parquet]`: files, globs, directories.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParquetSourceParameters {
    /// Files, globs, directories (hive `key=value`), `s3://` `gs://` `az://` with the `s3` feature.
    pub paths: Vec<String>,
    /// How many rows are decoded at once, of about a megabyte at most; changes speed, never a result.
    #[serde(default = "batch_rows")]
    pub batch_rows: usize,
}

fn batch_rows() -> usize {
    4096
}

/// `[sink.parquet]`: assignments and drift events as Parquet files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ParquetSinkParameters {
    /// Folder of the assignments; default `<run_dir>/assignments`. Drift events go to `<run_dir>/drift`.
    pub dir: Option<PathBuf>,
    /// A file is completed when it holds this many megabytes.
    pub roll_mb: u64,
    /// A file is completed when it is this many seconds old.
    pub roll_s: u64,
}

impl Default for ParquetSinkParameters {
    fn default() -> Self {
        Self { dir: None, roll_mb: 128, roll_s: 300 }
    }
}

/// `[dead_letters]`: what happens to input rows that cannot be used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeadLetterParameters {
    /// Divert them and go on, or stop.
    pub on_error: OnError,
}

/// What an unusable row does to the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// It goes to `<run_dir>/dead_letters` and the stream goes on.
    #[default]
    Divert,
    /// The run stops with its reason.
    Fail,
}
