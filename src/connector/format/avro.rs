//! Rows as Avro records, one per message, by `arrow-avro`: plain, or in the wire format of a schema registry.
//!
//! Confluent's wire format is a zero byte, the id of the writer's schema (4 bytes, big-endian), the record. A plain record has no
//! header at all and is read by the schema file alone. Every writer's schema is resolved to one reader's schema as the Avro
//! specification says, so that rows of different writers have the same columns.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_avro::errors::AvroError;
use arrow_avro::reader::{Decoder as RecordDecoder, ReaderBuilder};
use arrow_avro::schema::{AvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use serde_json::Value;

use super::columns::{conformed, select};
use super::isolate::{GroupReader, contained, isolate, shortened};
use super::payload::payloads;
use super::registry::Registry;
use super::{Decoded, Decoder, FormatError, Message, Reject};

/// Magic byte and schema id.
const HEADER_BYTES: usize = 5;
/// The header that every record gets before it is decoded: its writer is known by then.
const HEADER: [u8; HEADER_BYTES] = [0, 0x9e, 0x37, 0x79, 0xb1];
/// Ids that random bytes claim to have are remembered too; so many of them at most.
const MOST_WRITERS: usize = 4096;

/// Reads one Avro record per message.
pub(super) struct AvroDecoder {
    topic: String,
    most_bytes: usize,
    reader: AvroSchema,
    schema: SchemaRef,
    framing: Framing,
    /// What is known of each schema id.
    writers: HashMap<u32, Writer>,
}

enum Framing {
    /// No header: all records are written with the reader's schema.
    Plain,
    /// With a header; the ids are looked up here.
    Registry(Registry),
}

enum Writer {
    Known(Box<Rows>),
    Unknown(String),
}

impl AvroDecoder {
    /// Reads plain records that were written with `schema`, of which `columns` are kept.
    ///
    /// # Errors
    /// If `schema` is not an Avro record, or lacks a column.
    pub(super) fn plain(topic: &str, schema: &str, columns: &[String], most_bytes: usize) -> Result<Self, String> {
        let mut decoder = Self::new(topic, schema, columns, most_bytes, Framing::Plain)?;
        let rows = Rows::new(schema, &decoder.reader, &decoder.schema, 0)?;
        decoder.writers.insert(0, Writer::Known(Box::new(rows)));
        Ok(decoder)
    }

    /// Reads records with the header of a registry into `columns` of `schema`.
    ///
    /// # Errors
    /// If `schema` is not an Avro record, or lacks a column.
    pub(super) fn framed(
        topic: &str,
        schema: &str,
        columns: &[String],
        most_bytes: usize,
        registry: Registry,
    ) -> Result<Self, String> {
        Self::new(topic, schema, columns, most_bytes, Framing::Registry(registry))
    }

    fn new(topic: &str, schema: &str, columns: &[String], most_bytes: usize, framing: Framing) -> Result<Self, String> {
        let (reader, schema) = projected(schema, columns)?;
        Ok(Self { topic: topic.to_owned(), most_bytes, reader, schema, framing, writers: HashMap::new() })
    }

    /// Asks the registry for every id that is not known yet.
    fn meet(&mut self, ids: impl Iterator<Item = u32>) -> Result<(), FormatError> {
        let Framing::Registry(registry) = &self.framing else { return Ok(()) };
        if self.writers.len() >= MOST_WRITERS {
            self.writers.retain(|_, writer| matches!(writer, Writer::Known(_)));
        }
        for id in ids {
            if self.writers.contains_key(&id) {
                continue;
            }
            let writer = match registry.schema(id)? {
                None => Writer::Unknown(format!("the registry has no schema with id {id}")),
                Some(schema) => match Rows::new(&schema, &self.reader, &self.schema, HEADER_BYTES) {
                    Ok(rows) => Writer::Known(Box::new(rows)),
                    Err(problem) => Writer::Unknown(format!("schema {id} cannot be read as the wanted one: {problem}")),
                },
            };
            self.writers.insert(id, writer);
        }
        Ok(())
    }

    /// The schema id of each payload; those that have none are rejected.
    fn identify<'a>(&self, group: Vec<(usize, &'a [u8])>, rejects: &mut Vec<Reject>) -> Vec<(u32, usize, &'a [u8])> {
        let mut found = Vec::with_capacity(group.len());
        for (message, payload) in group {
            match (&self.framing, payload) {
                (Framing::Plain, _) => found.push((0, message, payload)),
                (Framing::Registry(_), [0, a, b, c, d, ..]) => {
                    found.push((u32::from_be_bytes([*a, *b, *c, *d]), message, payload));
                }
                _ => rejects.push(Reject {
                    message,
                    reason: "undecodable",
                    detail: format!(
                        "its {} bytes do not begin with a zero byte and the 4 bytes of a schema id",
                        payload.len()
                    ),
                }),
            }
        }
        found
    }
}

impl Decoder for AvroDecoder {
    fn decode(&mut self, messages: &[Message<'_>]) -> Result<Decoded, FormatError> {
        let mut rejects = Vec::new();
        let group = payloads(messages, self.most_bytes, &mut rejects);
        let group = self.identify(group, &mut rejects);
        self.meet(group.iter().map(|(id, ..)| *id))?;
        let failed = |error: ArrowError| FormatError::Options { topic: self.topic.clone(), problem: error.to_string() };
        let (mut batches, mut origins) = (Vec::with_capacity(1), Vec::with_capacity(group.len()));
        for run in group.chunk_by(|(one, ..), (other, ..)| one == other) {
            match self.writers.get_mut(&run[0].0) {
                Some(Writer::Known(rows)) => {
                    let run: Vec<(usize, &[u8])> =
                        run.iter().map(|&(_, message, payload)| (message, payload)).collect();
                    let (batch, read) = isolate(rows.as_mut(), &run, &mut rejects).map_err(failed)?;
                    batches.extend(batch);
                    origins.extend(read);
                }
                Some(Writer::Unknown(detail)) => {
                    let detail = shortened(detail.clone());
                    let reject = |&(_, message, _): &(u32, usize, &[u8])| Reject {
                        message,
                        reason: "unknown_schema",
                        detail: detail.clone(),
                    };
                    rejects.extend(run.iter().map(reject));
                }
                None => unreachable!("every id has been looked up"),
            }
        }
        rejects.sort_by_key(|reject| reject.message);
        let batch = match <[RecordBatch; 1]>::try_from(batches) {
            Ok([only]) => only,
            Err(batches) => concat_batches(&self.schema, &batches).map_err(failed)?,
        };
        Ok(Decoded { batch, origins, rejects })
    }

    fn schema(&self) -> Option<SchemaRef> {
        Some(Arc::clone(&self.schema))
    }
}

/// Records of one writer.
struct Rows {
    writer: AvroSchema,
    reader: AvroSchema,
    schema: SchemaRef,
    /// How many bytes of a message come before its record.
    skip: usize,
    /// A record behind [`HEADER`], as the decoder wants it.
    framed: Vec<u8>,
    /// The decoder and how many rows it can take; `None` after a fault, which leaves half a row in it.
    decoder: Option<(RecordDecoder, usize)>,
}

impl Rows {
    fn new(writer: &str, reader: &AvroSchema, schema: &SchemaRef, skip: usize) -> Result<Self, String> {
        let (writer, reader, schema) = (AvroSchema::new(writer.to_owned()), reader.clone(), Arc::clone(schema));
        let decoder = open(&writer, Some(&reader), 1)?;
        Ok(Self { writer, reader, schema, skip, framed: Vec::new(), decoder: Some((decoder, 1)) })
    }
}

impl GroupReader for Rows {
    fn read(&mut self, payloads: &[&[u8]]) -> Result<RecordBatch, String> {
        // Behind a complete record the decoder would take another header for the beginning of the next message. It looks no
        // further than the last row it has room for, so that such a message can be read alone.
        let doubtful = payloads.iter().any(|payload| payload.ends_with(&HEADER));
        if doubtful && payloads.len() > 1 {
            return Err("a record must be read alone".to_owned());
        }
        let fits = |capacity: usize| if doubtful { capacity == 1 } else { capacity >= payloads.len() };
        let (mut decoder, capacity) = match self.decoder.take() {
            Some((decoder, capacity)) if fits(capacity) => (decoder, capacity),
            _ => {
                let capacity = payloads.len().next_power_of_two();
                (open(&self.writer, Some(&self.reader), capacity)?, capacity)
            }
        };
        for (row, payload) in payloads.iter().enumerate() {
            self.framed.clear();
            self.framed.extend_from_slice(&HEADER);
            self.framed.extend_from_slice(payload.get(self.skip..).unwrap_or_default());
            let read = decoder.decode(&self.framed).map_err(told)?;
            if read != self.framed.len() || capacity - decoder.capacity() != row + 1 {
                return Err(format!("its {} bytes are not exactly one record of the schema", payload.len()));
            }
        }
        let batch = decoder.flush().map_err(told)?.ok_or_else(|| "it holds no record".to_owned())?;
        self.decoder = Some((decoder, capacity));
        // The decoder's own schema also has metadata, and writes the time zone in another way.
        conformed(&batch, &self.schema)
    }
}

fn open(writer: &AvroSchema, reader: Option<&AvroSchema>, capacity: usize) -> Result<RecordDecoder, String> {
    let [_, id @ ..] = HEADER;
    let mut store = SchemaStore::new_with_type(FingerprintAlgorithm::Id);
    store.set(Fingerprint::Id(u32::from_be_bytes(id)), writer.clone()).map_err(said)?;
    let mut builder = ReaderBuilder::new().with_batch_size(capacity).with_writer_schema_store(store);
    if let Some(reader) = reader {
        builder = builder.with_reader_schema(reader.clone());
    }
    contained(|| builder.build_decoder().map_err(said))
}

/// The Arrow columns of an Avro record.
///
/// # Errors
/// If it is no record, or holds a type without an Arrow one.
pub(super) fn arrow_schema(schema: &AvroSchema) -> Result<Schema, String> {
    let decoder = open(schema, None, 1)?;
    Ok(Schema::new(decoder.schema().fields().iter().map(bare).collect::<Vec<_>>()))
}

/// The field without the metadata that Avro adds, with its instants in UTC by name.
fn bare(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, Some("UTC".into())),
        DataType::List(item) => DataType::List(bare(item)),
        other => other.clone(),
    };
    Arc::new(Field::new(field.name(), data_type, field.is_nullable()))
}

/// The reader's schema with only these columns, in this order, and its Arrow columns.
fn projected(schema: &str, columns: &[String]) -> Result<(AvroSchema, SchemaRef), String> {
    let whole = AvroSchema::new(schema.to_owned());
    let arrow = select(&arrow_schema(&whole)?, columns)?;
    if columns.is_empty() {
        return Ok((whole, Arc::new(arrow)));
    }
    let mut record: Value = serde_json::from_str(schema).map_err(|error| error.to_string())?;
    let fields = record.get_mut("fields").and_then(Value::as_array_mut).ok_or("it has no `fields`")?;
    let named = |column: &String| fields.iter().find(|field| field.get("name").and_then(Value::as_str) == Some(column));
    let wanted: Vec<Value> = columns.iter().filter_map(named).cloned().collect();
    *fields = wanted;
    Ok((AvroSchema::new(record.to_string()), Arc::new(arrow)))
}

fn said(error: ArrowError) -> String {
    match error {
        ArrowError::AvroError(text) | ArrowError::ParseError(text) | ArrowError::SchemaError(text) => text,
        other => other.to_string(),
    }
}

fn told(error: AvroError) -> String {
    said(error.into())
}

#[cfg(test)]
mod tests;
