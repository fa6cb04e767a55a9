//! `[source.kafka]` and `[sink.kafka]`.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::KafkaProperties;
use crate::connector::format::{ASSIGNMENT_RECORD, DRIFT_RECORD, Format, FormatOptions, RegistryAddress};
use crate::data::Secret;

/// What readers of the output are promised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// Read-committed readers see the outcome of every input row once: outputs and offsets are committed together.
    #[default]
    ExactlyOnce,
    /// Outputs are visible at once, and those since the last checkpoint come again after a crash.
    AtLeastOnce,
}

/// `[source.kafka]`: rows from a topic, or from all topics that match.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KafkaSourceParameters {
    /// The topic; a regular expression if it begins with `^`.
    pub topic: String,
    /// How a row is written in a message.
    pub format: Format,
    /// Schema file: Avro (`.avsc`) or JSON Schema (`.json`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<PathBuf>,
    /// Base URL of the schema registry, for Avro.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    /// User of the schema registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry_user: Option<String>,
    /// Password of that user; also `registry_password_file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry_password: Option<Secret>,
    /// What readers of the output are promised.
    #[serde(default)]
    pub delivery: Delivery,
    /// Topic for messages that cannot be used; without it they go to `<run_dir>/dead_letters`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter_topic: Option<String>,
    /// How many messages are decoded at once; changes speed, never a result.
    #[serde(default = "batch_rows")]
    pub batch_rows: usize,
    /// Rows that may wait in memory for each worker; reading pauses when there are more.
    #[serde(default = "buffer_rows")]
    pub buffer_rows: usize,
    /// Megabytes that may wait in memory for each worker.
    #[serde(default = "buffer_mb")]
    pub buffer_mb: usize,
    /// Larger messages are dead letters, unread.
    #[serde(default = "max_message_mb")]
    pub max_message_mb: usize,
    /// librdkafka's properties, passed through unchanged.
    #[serde(default)]
    pub properties: KafkaProperties,
}

fn batch_rows() -> usize {
    1024
}

fn buffer_rows() -> usize {
    16_384
}

fn buffer_mb() -> usize {
    64
}

fn max_message_mb() -> usize {
    8
}

/// `[sink.kafka]`: assignments and drift events to topics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KafkaSinkParameters {
    /// Topic of the assignments.
    pub topic: String,
    /// How a row is written in a message.
    pub format: Format,
    /// Topic of the drift events; without it they go to `<run_dir>/drift`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_topic: Option<String>,
    /// Base URL of the schema registry, for Avro.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    /// User of the schema registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry_user: Option<String>,
    /// Password of that user; also `registry_password_file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry_password: Option<Secret>,
    /// librdkafka's properties, passed through unchanged; bootstrap.servers and security settings are the source's unless
    /// given here.
    #[serde(default)]
    pub properties: KafkaProperties,
}

fn address(url: Option<&String>, user: Option<&String>, password: Option<&Secret>) -> Option<RegistryAddress> {
    let credentials = user.map(|user| (user.clone(), password.map_or_else(String::new, |p| p.reveal().to_owned())));
    url.map(|url| RegistryAddress { url: url.clone(), credentials })
}

impl KafkaSourceParameters {
    /// The consumer group, `name` unless the properties give one.
    pub fn group<'a>(&'a self, name: &'a str) -> &'a str {
        self.properties.get("group.id").unwrap_or(name)
    }

    /// What the decoder of `columns` must know.
    pub fn decoding(&self, columns: &[String]) -> FormatOptions {
        FormatOptions {
            schema: self.schema.clone(),
            registry: address(self.registry.as_ref(), self.registry_user.as_ref(), self.registry_password.as_ref()),
            columns: columns.to_vec(),
            max_value_bytes: self.max_message_mb << 20,
            ..FormatOptions::new(self.format, &self.topic)
        }
    }
}

impl KafkaSinkParameters {
    /// What the encoder of the assignments must know.
    pub fn assignments(&self) -> FormatOptions {
        self.encoding(&self.topic, ASSIGNMENT_RECORD)
    }

    /// What the encoder of the drift events must know; `None` if they go to no topic.
    pub fn drift(&self) -> Option<FormatOptions> {
        self.drift_topic.as_ref().map(|topic| self.encoding(topic, DRIFT_RECORD))
    }

    fn encoding(&self, topic: &str, record: &str) -> FormatOptions {
        FormatOptions {
            record: record.to_owned(),
            registry: address(self.registry.as_ref(), self.registry_user.as_ref(), self.registry_password.as_ref()),
            ..FormatOptions::new(self.format, topic)
        }
    }

    /// The same with the connection of the source where it has none of its own.
    #[must_use]
    pub fn connected_like(&self, source: &KafkaProperties) -> Self {
        Self { properties: self.properties.or_connection_of(source), ..self.clone() }
    }

    /// How long a transaction may be open before the broker aborts it.
    pub fn transaction_timeout(&self) -> Duration {
        let given = self.properties.get("transaction.timeout.ms").and_then(|text| text.parse().ok());
        Duration::from_millis(given.unwrap_or(TRANSACTION_TIMEOUT_MS))
    }
}

/// librdkafka's default of a minute is short for a stream that stands still while a first model is fitted.
pub(super) const TRANSACTION_TIMEOUT_MS: u64 = 120_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_tables_are_complete() {
        let source: KafkaSourceParameters = toml::from_str("topic = 't'\nformat = 'arrow-ipc'").unwrap();
        assert_eq!((source.delivery, source.group("har")), (Delivery::ExactlyOnce, "har"));
        let sink: KafkaSinkParameters = toml::from_str("topic = 't'\nformat = 'json'").unwrap();
        assert_eq!(sink.transaction_timeout(), Duration::from_secs(120));
        assert!(sink.assignments().registry.is_none() && sink.drift().is_none());
    }

    #[test]
    fn each_topic_has_its_record() {
        let sink: KafkaSinkParameters = toml::from_str("topic = 't'\nformat = 'avro'\ndrift_topic = 'd'").unwrap();
        let (rows, events) = (sink.assignments(), sink.drift().unwrap());
        assert_eq!((rows.topic.as_str(), rows.record.as_str()), ("t", "evenkeel.Assignment"));
        assert_eq!((events.topic.as_str(), events.record.as_str()), ("d", "evenkeel.DriftEvent"));
    }

    #[test]
    fn credentials_of_the_registry_are_not_printed() {
        let text =
            "topic = 't'\nformat = 'avro'\nregistry = 'http://r'\nregistry_user = 'u'\nregistry_password = 'hunter2'";
        let source: KafkaSourceParameters = toml::from_str(text).unwrap();
        let printed = format!("{source:?} {:?} {}", source.decoding(&[]), toml::to_string(&source).unwrap());
        assert!(!printed.contains("hunter2"), "{printed}");
        let address = source.decoding(&[]).registry.unwrap();
        assert_eq!(address.credentials, Some(("u".to_owned(), "hunter2".to_owned())));
    }
}
