//! Rows as Arrow IPC streams, one batch of rows per message, by `arrow-ipc`.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_buffer::Buffer;
use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, Schema, SchemaRef};
use arrow_select::concat::concat_batches;

use super::columns::{conform, select};
use super::isolate::{contained, shortened};
use super::payload::payloads;
use super::{Decoded, Decoder, Encoder, FormatError, Message, Reject};

/// Reads one Arrow IPC stream per message: a schema, then the rows.
pub(super) struct ArrowIpcDecoder {
    topic: String,
    most_bytes: usize,
    columns: Vec<String>,
    /// The wanted columns; until a schema file or a first message tells them, any will do.
    schema: Option<SchemaRef>,
}

impl ArrowIpcDecoder {
    /// Reads `columns` (all if empty), which must be as in `schema` if that is known.
    pub(super) fn new(topic: &str, columns: &[String], schema: Option<SchemaRef>, most_bytes: usize) -> Self {
        Self { topic: topic.to_owned(), most_bytes, columns: columns.to_vec(), schema }
    }

    fn read(&self, payload: &[u8]) -> Result<RecordBatch, String> {
        let mut buffer = Buffer::from(payload);
        let mut decoder = StreamDecoder::new();
        let mut batches = Vec::with_capacity(1);
        while !buffer.is_empty() {
            batches.extend(decoder.decode(&mut buffer).map_err(said)?);
        }
        let sent = decoder.schema().ok_or_else(|| "it is no Arrow IPC stream: it has no schema".to_owned())?;
        decoder.finish().map_err(said)?;
        let wanted = match &self.schema {
            Some(schema) => Arc::clone(schema),
            None => Arc::new(bare(&select(&sent, &self.columns)?)),
        };
        let mut arrays = Vec::with_capacity(wanted.fields().len());
        let batch = concat_batches(&sent, &batches).map_err(said)?;
        // Columns of no width cost nothing to send, and so could claim any number of rows.
        if batch.num_rows() > payload.len().saturating_mul(8) {
            return Err(format!("{} rows cannot be in {} bytes", batch.num_rows(), payload.len()));
        }
        for field in wanted.fields() {
            let array =
                batch.column_by_name(field.name()).ok_or_else(|| format!("column `{}` is missing", field.name()))?;
            arrays.push(conform(array, field)?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(wanted, arrays, &options).map_err(said)
    }
}

/// Without metadata, which may differ from message to message.
fn bare(schema: &Schema) -> Schema {
    Schema::new(schema.fields().clone())
}

fn said(error: ArrowError) -> String {
    match error {
        ArrowError::IpcError(text) | ArrowError::ParseError(text) | ArrowError::InvalidArgumentError(text) => text,
        other => other.to_string(),
    }
}

impl Decoder for ArrowIpcDecoder {
    fn decode(&mut self, messages: &[Message<'_>]) -> Result<Decoded, FormatError> {
        let mut rejects = Vec::new();
        let (mut batches, mut origins) = (Vec::with_capacity(messages.len()), Vec::new());
        for (message, payload) in payloads(messages, self.most_bytes, &mut rejects) {
            match contained(|| self.read(payload)) {
                Ok(batch) => {
                    self.schema.get_or_insert_with(|| batch.schema());
                    origins.extend(std::iter::repeat_n(message, batch.num_rows()));
                    batches.push(batch);
                }
                Err(detail) => rejects.push(Reject { message, reason: "undecodable", detail: shortened(detail) }),
            }
        }
        rejects.sort_by_key(|reject| reject.message);
        let schema = self.schema.clone().unwrap_or_else(|| Arc::new(Schema::empty()));
        let batch = match <[RecordBatch; 1]>::try_from(batches) {
            Ok([only]) => only,
            Err(batches) => concat_batches(&schema, &batches)
                .map_err(|error| FormatError::Options { topic: self.topic.clone(), problem: error.to_string() })?,
        };
        Ok(Decoded { batch, origins, rejects })
    }

    fn schema(&self) -> Option<SchemaRef> {
        self.schema.clone()
    }
}

/// Writes a batch as one Arrow IPC stream.
pub(super) struct ArrowIpcEncoder {
    topic: String,
}

impl ArrowIpcEncoder {
    /// Writes rows for a topic.
    pub(super) fn new(topic: &str) -> Self {
        Self { topic: topic.to_owned() }
    }
}

impl Encoder for ArrowIpcEncoder {
    fn encode(&mut self, batch: &RecordBatch) -> Result<Vec<Vec<u8>>, FormatError> {
        if batch.num_rows() == 0 {
            return Ok(Vec::new());
        }
        let failed = |error: ArrowError| FormatError::Encode { topic: self.topic.clone(), problem: error.to_string() };
        let mut payload = Vec::with_capacity(batch.get_array_memory_size() + 1024);
        let mut writer = StreamWriter::try_new(&mut payload, batch.schema_ref()).map_err(failed)?;
        writer.write(batch).map_err(failed)?;
        writer.finish().map_err(failed)?;
        drop(writer);
        Ok(vec![payload])
    }
}

#[cfg(test)]
mod tests;
