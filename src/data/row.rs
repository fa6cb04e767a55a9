//! One row of the stream: features, identity, and where in time it stands.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Where an input row came from; the idempotency key of everything written about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Coordinates {
    /// File path or topic.
    pub source: Arc<str>,
    /// Kafka partition; 0 for files.
    pub partition: i32,
    /// Row number in the file (from 0) or Kafka offset.
    pub offset: i64,
}

/// A row that can be learned from: immutable once made, shared by reference between the reservoir and the flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Where it came from.
    pub coordinates: Coordinates,
    /// Place in the order of the whole input: rows are learned from in this order, whichever worker read them.
    pub sequence: u64,
    /// The device, person or machine it belongs to; empty without a key. Several key columns are joined by `/`.
    pub key: Arc<str>,
    /// The unbroken run of its key that it belongs to; empty without a series column.
    pub series: Arc<str>,
    /// Event time in nanoseconds since the epoch, UTC.
    pub event_time: Option<i64>,
    /// Raw (unscaled) features, all finite.
    #[serde(with = "little_endian")]
    pub features: Vec<f32>,
}

/// Features as one block of bytes: a reservoir of them is written with every checkpoint.
mod little_endian {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(features: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = features.iter().flat_map(|x| x.to_le_bytes()).collect();
        serializer.serialize_bytes(&bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f32>, D::Error> {
        let bytes = <&[u8]>::deserialize(deserializer)?;
        Ok(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }
}
