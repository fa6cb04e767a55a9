//! What every Kafka client of ours has in common: its log, its errors, and whether brokers answer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::Message as _;
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{ProducerContext, ThreadedProducer};
use rdkafka::statistics::Statistics;

/// What is known about the connection to the brokers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KafkaEvent<'a> {
    /// A broker answers.
    Connected {
        /// Which client hears it: `input` or `output`.
        client: &'static str,
    },
    /// No broker answers any more.
    Disconnected {
        /// Which client hears nothing: `input` or `output`.
        client: &'static str,
        /// The last thing that went wrong.
        reason: &'a str,
    },
    /// How many messages of a partition have not been read.
    Lag {
        /// Its topic.
        topic: &'a str,
        /// Its number.
        partition: i32,
        /// Messages.
        rows: u64,
    },
}

/// Told about the connection, on threads of the clients.
pub type KafkaObserver = Arc<dyn Fn(KafkaEvent<'_>) + Send + Sync>;

/// A client's ears.
pub(super) struct Listener {
    client: &'static str,
    observer: KafkaObserver,
    connected: AtomicBool,
    last_error: Mutex<Option<String>>,
    /// The first message that could not be delivered.
    undelivered: Mutex<Option<String>>,
}

/// A consumer of ours.
pub(super) type Consumer = BaseConsumer<Listener>;
/// A producer of ours.
pub(super) type Producer = ThreadedProducer<Listener>;

/// Names of librdkafka that mean one property.
const ALIASES: [[&str; 2]; 1] = [["max.partition.fetch.bytes", "fetch.message.max.bytes"]];

/// Sets a property that the user has not set, under whatever name.
pub(super) fn default(config: &mut ClientConfig, name: &str, value: &str) {
    let aliases = ALIASES.iter().filter(|names| names.contains(&name)).flatten();
    if aliases.chain([&name]).all(|name| config.get(name).is_none()) {
        config.set(name, value);
    }
}

impl Listener {
    pub(super) fn new(client: &'static str, observer: &KafkaObserver) -> Self {
        Self {
            client,
            observer: Arc::clone(observer),
            connected: AtomicBool::new(false),
            last_error: Mutex::new(None),
            undelivered: Mutex::new(None),
        }
    }

    /// The last thing that a broker or the way to it was at fault for.
    pub(super) fn last_error(&self) -> Option<String> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, reason: &str) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
    }

    /// Why a message could not be delivered, if one could not.
    pub(super) fn undelivered(&self) -> Option<String> {
        self.undelivered.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A broker has answered, before the first statistics say so: one that goes away now is missed.
    pub(super) fn answered(&self) {
        self.tell(true);
    }

    fn tell(&self, connected: bool) {
        let client = self.client;
        if self.connected.swap(connected, Ordering::AcqRel) != connected {
            let reason = self.last_error().unwrap_or_else(|| "no broker answers".to_owned());
            (self.observer)(if connected {
                KafkaEvent::Connected { client }
            } else {
                KafkaEvent::Disconnected { client, reason: &reason }
            });
        }
    }
}

impl ClientContext for Listener {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // Why a transaction has failed is told nowhere else; calls that come after it only say that they came too late.
        if facility == "TXNERR" {
            let reason = message.split_once("]: ").map_or(message, |(_thread, reason)| reason);
            self.remember(reason);
        }
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                tracing::warn!(facility, "librdkafka: {message}");
            }
            // Offsets that are not committed stop nothing, and nobody else tells of them.
            RDKafkaLogLevel::Warning if facility == "COMMITFAIL" => tracing::warn!(facility, "librdkafka: {message}"),
            RDKafkaLogLevel::Warning => tracing::info!(facility, "librdkafka: {message}"),
            _ => tracing::debug!(facility, "librdkafka: {message}"),
        }
    }

    fn stats(&self, statistics: Statistics) {
        // The internal one is no broker and always up.
        let answers = |broker: &rdkafka::statistics::Broker| broker.source != "internal" && broker.state == "UP";
        self.tell(statistics.brokers.values().any(answers));
        for (topic, partitions) in &statistics.topics {
            // How far it is read, not how far it is committed: see `Reader::tell_lag`.
            for partition in partitions.partitions.values().filter(|partition| partition.consumer_lag_stored >= 0) {
                let rows = partition.consumer_lag_stored as u64;
                (self.observer)(KafkaEvent::Lag { topic, partition: partition.partition, rows });
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // The end of what is there is no fault; whoever reads is told by the poll.
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::PartitionEOF) {
            return;
        }
        tracing::warn!(%error, "kafka: {reason}");
        self.remember(reason);
    }
}

impl ConsumerContext for Listener {}

impl ProducerContext for Listener {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, message)) = result {
            let mut undelivered = self.undelivered.lock().unwrap_or_else(PoisonError::into_inner);
            undelivered.get_or_insert_with(|| format!("{error}, topic {}", message.topic()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_user_has_set_stays_under_whatever_name() {
        let mut config = ClientConfig::new();
        config.set("fetch.message.max.bytes", "7").set("client.id", "mine");
        for name in ["max.partition.fetch.bytes", "client.id", "linger.ms"] {
            default(&mut config, name, "5");
        }
        assert_eq!(config.get("max.partition.fetch.bytes"), None);
        assert_eq!(config.get("fetch.message.max.bytes"), Some("7"));
        assert_eq!((config.get("client.id"), config.get("linger.ms")), (Some("mine"), Some("5")));
    }
}
