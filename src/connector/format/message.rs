//! What a decoder gets and gives.

use arrow_array::RecordBatch;

/// One record as consumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its key; for the error messages only.
    pub key: Option<&'a [u8]>,
    /// Its payload; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Its partition.
    pub partition: i32,
    /// Its offset in the partition.
    pub offset: i64,
    /// When it was produced, if the broker says so.
    pub timestamp_ms: Option<i64>,
}

/// Rows of some messages and what could not be read.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The rows, in the order of the messages.
    pub batch: RecordBatch,
    /// Index of the message of each row; ascending. JSON and Avro have one row per message, Arrow IPC any number.
    pub origins: Vec<usize>,
    /// The messages that gave no row because of a fault; ascending.
    pub rejects: Vec<Reject>,
}

/// A message that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Its index among the messages.
    pub message: usize,
    /// One of [`FORMAT_REASONS`](super::FORMAT_REASONS).
    pub reason: &'static str,
    /// One sentence: what was found, what was expected.
    pub detail: String,
}
