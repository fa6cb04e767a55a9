//! One row of the stream: features, identity, and where in time it stands.

use std::sync::Arc;

use arrow_buffer::ScalarBuffer;
use serde::{Deserialize, Serialize};

/// Where an input row came from; the idempotency key of everything written about it. The rows of one Arrow IPC message share it.
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
    /// Raw (unscaled) features, all finite. They may lie among those of the rows that they came with, see [`kept`](Self::kept).
    #[serde(with = "little_endian")]
    pub features: ScalarBuffer<f32>,
}

impl Row {
    /// The row, to be kept for long: with features of its own, so that it does not keep the rows that it came with as well.
    #[must_use]
    pub fn kept(self: Arc<Self>) -> Arc<Self> {
        let block = self.features.inner().capacity();
        if block <= 2 * self.features.inner().len() {
            return self;
        }
        Arc::new(Self { features: self.features.to_vec().into(), ..Self::clone(&self) })
    }
}

/// Features as one block of bytes: a reservoir of them is written with every checkpoint.
mod little_endian {
    use arrow_buffer::ScalarBuffer;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(features: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = vec![0; size_of_val(features)];
        for (place, feature) in bytes.as_chunks_mut().0.iter_mut().zip(features) {
            *place = feature.to_le_bytes();
        }
        serializer.serialize_bytes(&bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ScalarBuffer<f32>, D::Error> {
        let bytes = <&[u8]>::deserialize(deserializer)?;
        Ok(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_is_kept_lets_go_of_the_rows_it_came_with() {
        let block = ScalarBuffer::from((0..1000).map(|i| i as f32).collect::<Vec<_>>());
        let coordinates = Coordinates { source: "topic".into(), partition: 2, offset: 7 };
        let (key, series, features) = ("a".into(), "".into(), block.slice(10, 5));
        let row = Arc::new(Row { coordinates, sequence: 1, key, series, event_time: Some(3), features });
        let kept = Arc::clone(&row).kept();
        assert_eq!(kept, row);
        assert_eq!(kept.features, [10.0, 11.0, 12.0, 13.0, 14.0]);
        assert!(kept.features.inner().capacity() < 100);
        // What is its own is not copied again.
        assert!(Arc::ptr_eq(&Arc::clone(&kept).kept(), &kept));
    }
}
