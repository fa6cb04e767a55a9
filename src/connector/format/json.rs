//! Rows as JSON objects, one per message.
//!
//! What a row is, and what is wrong with a message that is none, `arrow-json` says. Objects that are written plainly, and that is
//! nearly all of them, are read into the same columns in one pass over their bytes, in less than a quarter of the time.

mod column;
mod cursor;
mod lists;
mod number;
mod plain;
mod tape;
mod values;

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_json::writer::{LineDelimited, WriterBuilder};
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::interleave::interleave_record_batch;

use self::plain::Plain;
use self::tape::Tape;
use super::columns::{conformed, in_utc};
use super::isolate::{GroupReader, isolate};
use super::payload::payloads;
use super::{Decoded, Decoder, Encoder, FormatError, Message};

/// Reads one JSON object per message. Members that are no column are passed over; a missing column is null.
pub(super) struct JsonDecoder {
    topic: String,
    most_bytes: usize,
    schema: SchemaRef,
    rows: Rows,
}

struct Rows {
    /// Reads most rows, and fast; `None` for columns that it does not know.
    plain: Option<Plain>,
    /// Reads the others.
    tape: Tape,
}

impl JsonDecoder {
    /// Reads objects into `schema`.
    pub(super) fn new(topic: &str, schema: SchemaRef, most_bytes: usize) -> Self {
        let rows = Rows { plain: Plain::new(Arc::clone(&schema)), tape: Tape::new(Arc::clone(&schema)) };
        Self { topic: topic.to_owned(), most_bytes, schema, rows }
    }
}

impl Decoder for JsonDecoder {
    fn decode(&mut self, messages: &[Message<'_>]) -> Result<Decoded, FormatError> {
        let mut rejects = Vec::new();
        let group = payloads(messages, self.most_bytes, &mut rejects);
        let (batch, origins) = isolate(&mut self.rows, &group, &mut rejects)
            .map_err(|error| FormatError::Options { topic: self.topic.clone(), problem: error.to_string() })?;
        rejects.sort_by_key(|reject| reject.message);
        let batch = batch.unwrap_or_else(|| RecordBatch::new_empty(self.schema.clone()));
        Ok(Decoded { batch, origins, rejects })
    }

    fn schema(&self) -> Option<SchemaRef> {
        Some(self.schema.clone())
    }
}

impl GroupReader for Rows {
    fn read(&mut self, payloads: &[&[u8]]) -> Result<RecordBatch, String> {
        let Some(plain) = &mut self.plain else { return self.tape.read(payloads) };
        let (batch, others) = plain.read(payloads).map_err(|error| error.to_string())?;
        if others.is_empty() {
            return Ok(batch);
        }
        let left: Vec<&[u8]> = others.iter().map(|place| payloads[*place]).collect();
        let left = self.tape.read(&left)?;
        if batch.num_rows() == 0 {
            return Ok(left);
        }
        // Back into the order of the messages.
        let (mut taken, mut next) = ([0, 0], others.iter().peekable());
        let rows = (0..payloads.len()).map(|place| {
            let from = usize::from(next.next_if(|other| **other == place).is_some());
            taken[from] += 1;
            (from, taken[from] - 1)
        });
        let rows: Vec<_> = rows.collect();
        interleave_record_batch(&[&batch, &left], &rows).map_err(|error| error.to_string())
    }
}

/// Writes one JSON object per row: numbers in their shortest exact form, instants as RFC 3339 text, nulls as null. JSON has no
/// NaN and no infinity; they are null.
pub(super) struct JsonEncoder {
    topic: String,
}

impl JsonEncoder {
    /// Writes rows for a topic.
    pub(super) fn new(topic: &str) -> Self {
        Self { topic: topic.to_owned() }
    }
}

impl Encoder for JsonEncoder {
    fn encode(&mut self, batch: &RecordBatch) -> Result<Vec<Vec<u8>>, FormatError> {
        let failed = |error: ArrowError| FormatError::Encode { topic: self.topic.clone(), problem: error.to_string() };
        let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(Vec::new());
        let batch = conformed(batch, &Arc::new(in_utc(batch.schema_ref())))
            .map_err(|problem| FormatError::Encode { topic: self.topic.clone(), problem })?;
        writer.write(&batch).map_err(failed)?;
        writer.finish().map_err(failed)?;
        let mut lines = writer.into_inner();
        // Line breaks in strings are escaped, so that those that are there end a row.
        if lines.last() == Some(&b'\n') {
            lines.pop();
        }
        if batch.num_rows() == 0 {
            return Ok(Vec::new());
        }
        Ok(lines.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect())
    }
}

#[cfg(test)]
mod tests;
