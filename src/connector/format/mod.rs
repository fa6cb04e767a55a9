//! How rows are written in Kafka messages: JSON, Avro and Arrow IPC.
//!
//! A [`Decoder`] turns many messages into one [`RecordBatch`](arrow_array::RecordBatch) with arrow's own decoders, a column at a
//! time. A message that cannot be read is a [`Reject`] with a reason, and all its neighbours survive: a group that fails is
//! halved until the bad message stands alone. What no message can help, such as a registry that does not answer, is a
//! [`FormatError`]. An [`Encoder`] does the reverse.

mod codec;
mod error;
mod message;
mod options;
mod reasons;

pub use codec::{Decoder, Encoder};
pub use error::FormatError;
pub use message::{Decoded, Message, Reject};
pub use options::{Format, FormatOptions, RegistryAddress};
pub use reasons::FORMAT_REASONS;
