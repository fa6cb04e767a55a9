//! Rows as Avro records, one per message.

use std::collections::HashMap;

use arrow_array::RecordBatch;
use arrow_avro::errors::AvroError;
use arrow_avro::schema::{AvroSchema, FingerprintStrategy, SCHEMA_METADATA_KEY};
use arrow_avro::writer::format::{AvroBinaryFormat, AvroSoeFormat};
use arrow_avro::writer::{Encoder as RecordEncoder, WriterBuilder};
use arrow_schema::{Schema, SchemaRef};

use super::registry::Registry;
use super::{Encoder, FormatError, FormatOptions, avro_schema};

/// Writes one Avro record per row: plain, or with the header of a registry.
pub(super) struct AvroEncoder {
    topic: String,
    schema: SchemaRef,
    encoder: RecordEncoder,
}

impl AvroEncoder {
    /// Writes batches of `schema`; with a registry it is registered first, as the value of the topic.
    ///
    /// # Errors
    /// If a column has no Avro type, or the registry refuses the schema or does not answer.
    pub(super) fn new(
        options: &FormatOptions,
        schema: &SchemaRef,
        registry: Option<&Registry>,
    ) -> Result<Self, FormatError> {
        let topic = options.topic.as_str();
        let failed = |problem: String| FormatError::Encode { topic: topic.to_owned(), problem };
        let text = avro_schema(&options.record, schema).map_err(failed)?;
        let id = registry.map(|registry| registry.register(&options.subject(), &text)).transpose()?;
        let metadata: HashMap<String, String> =
            [(SCHEMA_METADATA_KEY.to_owned(), AvroSchema::new(text).json_string)].into();
        let builder = WriterBuilder::new(Schema::new_with_metadata(schema.fields().clone(), metadata));
        let encoder = match id {
            Some(id) => builder.with_fingerprint_strategy(FingerprintStrategy::Id(id)).build_encoder::<AvroSoeFormat>(),
            None => builder.build_encoder::<AvroBinaryFormat>(),
        };
        let encoder = encoder.map_err(|error| failed(error.to_string()))?;
        Ok(Self { topic: topic.to_owned(), schema: schema.clone(), encoder })
    }
}

impl Encoder for AvroEncoder {
    fn encode(&mut self, batch: &RecordBatch) -> Result<Vec<Vec<u8>>, FormatError> {
        let failed = |problem: String| FormatError::Encode { topic: self.topic.clone(), problem };
        if batch.schema_ref().fields() != self.schema.fields() {
            return Err(failed("the columns are not those that the topic was opened with".to_owned()));
        }
        let encoded = self.encoder.encode(batch).map_err(|error: AvroError| failed(error.to_string()));
        let rows = self.encoder.flush();
        encoded?;
        Ok(rows.iter().map(|row| row.to_vec()).collect())
    }
}
