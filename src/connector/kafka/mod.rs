//! Apache Kafka in and out.
//!
//! ```text
//!  brokers ─► reader (a thread and a consumer for each worker) ─► hub ─► source ─► flow ─► sinks ─► outbox ─► brokers
//!             polls, decodes, pauses when the hub is full        one order,                         one producer,
//!                                                                epochs                             one transaction
//! ```
//!
//! Partitions are assigned within the job, not by the brokers' group protocol: a job is one process, and which worker reads what
//! must not change while it runs. The group is real all the same: its committed offsets are the next messages to read, so that
//! lag shows where it is looked for. What a restart continues from is in the checkpoint; with exactly-once delivery the offsets
//! name the checkpoint they were committed with, and `checkpoint::restart` says what every gap between the steps leaves.

pub mod audit;
mod block;
mod client;
mod hub;
mod letters;
mod names;
mod offsets;
mod outbox;
mod pairs;
mod parameters;
mod properties;
mod reader;
mod sink;
mod source;
mod topics;

pub use client::{KafkaEvent, KafkaObserver};
pub use offsets::{GroupOffsets, KafkaOffsets};
pub use outbox::Outbox;
pub use pairs::{KafkaPairs, PAIR_REASONS, PairTopic, pair_json_schema};
pub use parameters::{Delivery, KafkaSinkParameters, KafkaSourceParameters};
pub use properties::KafkaProperties;
pub use sink::{KafkaDeadLetters, KafkaSink};
pub use source::{KafkaInput, KafkaPace, KafkaSource};

/// Whether the `topic` of a pipeline file, a name or a regular expression, means the topic `name` too.
#[must_use]
pub fn covers_topic(topic: &str, name: &str) -> bool {
    topics::Topics::parse(topic).is_ok_and(|topics| topics.covers(name))
}

/// What is wrong with a topic of a pipeline file, in words.
///
/// # Errors
/// If it is no topic name and, where that is allowed, no regular expression.
pub fn check_topic(text: &str, pattern: bool) -> Result<(), String> {
    match topics::Topics::parse(text)? {
        topics::Topics::Matching(_) if !pattern => Err(format!("\"{text}\" is a regular expression; name one topic")),
        _ => Ok(()),
    }
}
