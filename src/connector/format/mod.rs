//! How rows are written in Kafka messages: JSON, Avro and Arrow IPC.
//!
//! A [`Decoder`] turns many messages into one [`RecordBatch`](arrow_array::RecordBatch) with arrow's own decoders, a column at a
//! time. A message that cannot be read is a [`Reject`] with a reason, and all its neighbours survive: a group that fails is
//! read again message by message. What no message can help, such as a registry that does not answer, is a
//! [`FormatError`]. An [`Encoder`] does the reverse.

mod arrow_ipc;
mod avro;
mod avro_encoder;
mod codec;
mod columns;
mod error;
mod isolate;
mod json;
mod json_columns;
mod message;
mod open;
mod options;
mod payload;
mod reasons;
mod registry;
#[cfg(test)]
mod sample;
mod schema_file;

pub use codec::{Decoder, Encoder};
pub use error::FormatError;
pub use message::{Decoded, Message, Reject};
pub use open::{avro_decoder, decoder, encoder, json_decoder};
pub use options::{ASSIGNMENT_RECORD, DRIFT_RECORD, Format, FormatOptions, RegistryAddress};
pub use reasons::FORMAT_REASONS;
pub use schema_file::{avro_schema, json_schema};
