//! Which format, which columns, and where their schema is kept.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a row is written in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// One JSON object per message.
    Json,
    /// One Avro record per message: plain with a schema file, or Confluent's wire format with a registry.
    Avro,
    /// One Arrow IPC stream with one batch of rows per message.
    ArrowIpc,
}

/// Full Avro name of an assignment.
pub const ASSIGNMENT_RECORD: &str = "evenkeel.Assignment";
/// Full Avro name of a drift event.
pub const DRIFT_RECORD: &str = "evenkeel.DriftEvent";

/// What a decoder or an encoder must know.
#[derive(Clone, Debug)]
pub struct FormatOptions {
    /// The format.
    pub format: Format,
    /// The topic: names the registry's subject (`<topic>-value`) and stands in error messages.
    pub topic: String,
    /// Schema file: Avro (`.avsc`) or JSON Schema (`.json`). Needed to read JSON, and Avro without a registry.
    pub schema: Option<PathBuf>,
    /// The schema registry, for Avro.
    pub registry: Option<RegistryAddress>,
    /// The columns that are read, in this order; all of them if empty.
    pub columns: Vec<String>,
    /// Larger payloads are rejected unread.
    pub max_value_bytes: usize,
    /// Full Avro name of the rows that are written.
    pub record: String,
}

impl FormatOptions {
    /// Values up to this size are read unless told otherwise.
    pub const MAX_VALUE_BYTES: usize = 8 << 20;

    /// A format and a topic, and nothing else.
    pub fn new(format: Format, topic: &str) -> Self {
        Self {
            format,
            topic: topic.to_owned(),
            schema: None,
            registry: None,
            columns: Vec::new(),
            max_value_bytes: Self::MAX_VALUE_BYTES,
            record: "evenkeel.Row".to_owned(),
        }
    }

    /// The registry's subject for the values of the topic.
    pub fn subject(&self) -> String {
        format!("{}-value", self.topic)
    }
}

/// Where the schema registry is.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistryAddress {
    /// Base URL, such as `http://localhost:8081`.
    pub url: String,
    /// User and password of its basic authentication.
    pub credentials: Option<(String, String)>,
}

impl fmt::Debug for RegistryAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let credentials = self.credentials.as_ref().map(|_| "<redacted>");
        formatter.debug_struct("RegistryAddress").field("url", &self.url).field("credentials", &credentials).finish()
    }
}
