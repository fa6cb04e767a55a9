//! The two traits that every format implements.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::{Decoded, FormatError, Message};

/// Reads messages of one format and one set of columns.
pub trait Decoder: Send {
    /// Rows of all messages that can be read; the others are rejected one by one.
    ///
    /// The same messages give the same rows however they are grouped into calls.
    ///
    /// # Errors
    /// Only if the fault is not in a message. After a [temporary](FormatError::is_temporary) one the call can be repeated.
    fn decode(&mut self, messages: &[Message<'_>]) -> Result<Decoded, FormatError>;

    /// The columns of every batch; `None` as long as no message has told them (Arrow IPC without a schema file).
    fn schema(&self) -> Option<SchemaRef>;
}

/// Writes batches of one schema.
pub trait Encoder: Send {
    /// One payload per row, or one for the whole batch (Arrow IPC).
    ///
    /// # Errors
    /// If a column has no place in the format, or the registry refuses the schema or does not answer.
    fn encode(&mut self, batch: &RecordBatch) -> Result<Vec<Vec<u8>>, FormatError>;
}
