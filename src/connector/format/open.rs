//! From options to a decoder or an encoder.

use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};

use super::arrow_ipc::{ArrowIpcDecoder, ArrowIpcEncoder};
use super::avro::AvroDecoder;
use super::avro_encoder::AvroEncoder;
use super::columns::select;
use super::json::{JsonDecoder, JsonEncoder};
use super::registry::Registry;
use super::schema_file::{self, SchemaFile};
use super::{Decoder, Encoder, Format, FormatError, FormatOptions};

/// A decoder for messages as `options` say.
///
/// # Errors
/// If a schema is missing, cannot be used or lacks a column; if the registry does not answer.
pub fn decoder(options: &FormatOptions) -> Result<Box<dyn Decoder>, FormatError> {
    let topic = options.topic.as_str();
    let file = options.schema.as_deref().map(schema_file::read).transpose()?;
    let named = options.schema.as_ref().map_or_else(|| options.subject(), |path| path.display().to_string());
    let wrong = |problem: String| FormatError::Schema { file: named.clone(), problem };
    let needs = |problem: &str| FormatError::Options { topic: topic.to_owned(), problem: problem.to_owned() };
    let selected = |file: &SchemaFile| -> Result<SchemaRef, FormatError> {
        let columns = select(&file.columns, &options.columns).map_err(wrong)?;
        // Metadata says nothing about rows and would differ between formats.
        Ok(Arc::new(Schema::new(columns.fields().clone())))
    };
    if options.registry.is_some() && options.format != Format::Avro {
        return Err(needs("only Avro has a schema registry; leave `registry` out"));
    }
    match options.format {
        Format::Json => {
            let file = file.ok_or_else(|| needs("JSON does not say its types; name a `schema` file"))?;
            Ok(Box::new(JsonDecoder::new(topic, selected(&file)?, options.max_value_bytes)))
        }
        Format::ArrowIpc => {
            let schema = file.as_ref().map(selected).transpose()?;
            Ok(Box::new(ArrowIpcDecoder::new(topic, &options.columns, schema, options.max_value_bytes)))
        }
        Format::Avro => {
            let avro =
                file.map(|file| file.avro.ok_or_else(|| wrong("it is a JSON Schema; Avro is needed".to_owned())));
            let avro = avro.transpose()?;
            let most_bytes = options.max_value_bytes;
            let decoder = match (&options.registry, avro) {
                (None, None) => return Err(needs("Avro needs a `schema` file or a `registry`")),
                (None, Some(schema)) => AvroDecoder::plain(topic, &schema, &options.columns, most_bytes),
                (Some(address), schema) => {
                    let registry = Registry::new(address);
                    let schema = match schema {
                        Some(schema) => schema,
                        None => registry.latest(&options.subject())?.ok_or_else(|| FormatError::Registry {
                            url: address.url.clone(),
                            problem: format!(
                                "it has no subject `{}`; produce to the topic first or name a `schema` file",
                                options.subject()
                            ),
                            temporary: false,
                        })?,
                    };
                    AvroDecoder::framed(topic, &schema, &options.columns, most_bytes, registry)
                }
            };
            Ok(Box::new(decoder.map_err(wrong)?))
        }
    }
}

/// A decoder for JSON messages of which the columns are known; those that are larger are rejected unread.
pub fn json_decoder(topic: &str, columns: SchemaRef, max_value_bytes: usize) -> Box<dyn Decoder> {
    Box::new(JsonDecoder::new(topic, columns, max_value_bytes))
}

/// A decoder for Avro messages of which the schema is known: that of the record itself, or with a registry the one that every
/// writer's is resolved to.
///
/// # Errors
/// If `schema` is no Avro record, or lacks a column.
pub fn avro_decoder(options: &FormatOptions, schema: &str) -> Result<Box<dyn Decoder>, FormatError> {
    let (topic, columns, most_bytes) = (options.topic.as_str(), options.columns.as_slice(), options.max_value_bytes);
    let decoder = match &options.registry {
        None => AvroDecoder::plain(topic, schema, columns, most_bytes),
        Some(address) => AvroDecoder::framed(topic, schema, columns, most_bytes, Registry::new(address)),
    };
    let wrong = |problem| FormatError::Schema { file: options.record.clone(), problem };
    Ok(Box::new(decoder.map_err(wrong)?))
}

/// An encoder for batches of `schema`. Of the options the format, the topic, the registry and the name of the record matter.
///
/// # Errors
/// If a column has no place in the format; if the registry refuses the schema or does not answer.
pub fn encoder(options: &FormatOptions, schema: &SchemaRef) -> Result<Box<dyn Encoder>, FormatError> {
    let topic = options.topic.as_str();
    Ok(match options.format {
        Format::Json => Box::new(JsonEncoder::new(topic)),
        Format::ArrowIpc => Box::new(ArrowIpcEncoder::new(topic)),
        Format::Avro => {
            let registry = options.registry.as_ref().map(Registry::new);
            Box::new(AvroEncoder::new(options, schema, registry.as_ref())?)
        }
    })
}
