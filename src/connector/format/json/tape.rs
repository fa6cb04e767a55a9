//! Any objects, by `arrow-json`: what it reads is a row, and what it says of the others is why they are none.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_json::reader::{Decoder, ReaderBuilder};
use arrow_schema::{ArrowError, SchemaRef};

use super::super::columns::{conformed, in_utc};

/// JSON that is nested deeper than this is nobody's row. The decoder's error messages recurse, so the stack is at stake.
const MOST_NESTED: usize = 64;

/// `arrow-json`'s decoder with the columns that are wanted.
pub(super) struct Tape {
    schema: SchemaRef,
    /// The decoder and how many rows it can take; `None` after a fault, which leaves half a row in it.
    decoder: Option<(Decoder, usize)>,
}

impl Tape {
    /// Reads objects into `schema`.
    pub(super) fn new(schema: SchemaRef) -> Self {
        Self { schema, decoder: None }
    }

    /// Exactly one row per payload, in order.
    ///
    /// # Errors
    /// What is wrong with one of them. The reader is as new after that.
    pub(super) fn read(&mut self, payloads: &[&[u8]]) -> Result<RecordBatch, String> {
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
