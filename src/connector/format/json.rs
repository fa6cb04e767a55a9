//! Rows as JSON objects, one per message, by `arrow-json`.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_json::reader::{Decoder as TapeDecoder, ReaderBuilder};
use arrow_json::writer::{LineDelimited, WriterBuilder};
use arrow_schema::{ArrowError, SchemaRef};

use super::columns::{conformed, in_utc};
use super::isolate::{GroupReader, isolate};
use super::payload::payloads;
use super::{Decoded, Decoder, Encoder, FormatError, Message};

/// JSON that is nested deeper than this is nobody's row. The decoder's error messages recurse, so the stack is at stake.
const MOST_NESTED: usize = 64;

/// Reads one JSON object per message. Members that are no column are passed over; a missing column is null.
pub(super) struct JsonDecoder {
    topic: String,
    most_bytes: usize,
    rows: Rows,
}

struct Rows {
    schema: SchemaRef,
    /// The decoder and how many rows it can take; `None` after a fault, which leaves half a row in it.
    decoder: Option<(TapeDecoder, usize)>,
}

impl JsonDecoder {
    /// Reads objects into `schema`.
    pub(super) fn new(topic: &str, schema: SchemaRef, most_bytes: usize) -> Self {
        Self { topic: topic.to_owned(), most_bytes, rows: Rows { schema, decoder: None } }
    }
}

impl Decoder for JsonDecoder {
    fn decode(&mut self, messages: &[Message<'_>]) -> Result<Decoded, FormatError> {
        let mut rejects = Vec::new();
        let group = payloads(messages, self.most_bytes, &mut rejects);
        let (batch, origins) = isolate(&mut self.rows, &group, &mut rejects)
            .map_err(|error| FormatError::Options { topic: self.topic.clone(), problem: error.to_string() })?;
        rejects.sort_by_key(|reject| reject.message);
        let batch = batch.unwrap_or_else(|| RecordBatch::new_empty(self.rows.schema.clone()));
        Ok(Decoded { batch, origins, rejects })
    }

    fn schema(&self) -> Option<SchemaRef> {
        Some(self.rows.schema.clone())
    }
}

impl GroupReader for Rows {
    fn read(&mut self, payloads: &[&[u8]]) -> Result<RecordBatch, String> {
        for payload in payloads {
            nesting(payload)?;
        }
        let (mut decoder, capacity) = match self.decoder.take() {
            Some((decoder, capacity)) if capacity >= payloads.len() => (decoder, capacity),
            _ => {
                let capacity = payloads.len().next_power_of_two();
                let builder = ReaderBuilder::new(Arc::new(in_utc(&self.schema))).with_batch_size(capacity);
                (builder.build_decoder().map_err(said)?, capacity)
            }
        };
        for (row, payload) in payloads.iter().enumerate() {
            let read = decoder.decode(payload).map_err(said)?;
            // A row may neither begin in one message and end in the next, nor may a message hold two.
            if read != payload.len() || decoder.has_partial_record() || decoder.len() != row + 1 {
                return Err(shape(payload));
            }
        }
        let batch = decoder.flush().map_err(said)?.ok_or_else(|| "it holds no object".to_owned())?;
        self.decoder = Some((decoder, capacity));
        conformed(&batch, &self.schema)
    }
}

fn said(error: ArrowError) -> String {
    match error {
        ArrowError::JsonError(text) | ArrowError::InvalidArgumentError(text) => text,
        other => other.to_string(),
    }
}

fn shape(payload: &[u8]) -> String {
    if payload.iter().all(u8::is_ascii_whitespace) {
        "it is empty, one JSON object is needed".to_owned()
    } else {
        format!("its {} bytes are not exactly one JSON object", payload.len())
    }
}

/// Counts brackets, and looks at strings only if there are suspiciously many.
fn nesting(payload: &[u8]) -> Result<(), String> {
    let opens = |byte: u8| matches!(byte, b'[' | b'{');
    if payload.iter().filter(|byte| opens(**byte)).count() <= MOST_NESTED {
        return Ok(());
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for &byte in payload {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MOST_NESTED {
            return Err(format!("it is nested more than {MOST_NESTED} levels deep"));
        }
    }
    Ok(())
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
