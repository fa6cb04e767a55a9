//! An idempotent producer that keeps count.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};

use super::ReplayError;

/// How long a broker may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take to confirm what is under way at the end.
const LAST_PATIENCE: Duration = Duration::from_secs(60);

/// Publishes to one topic, in order, each message once.
pub(super) struct Publisher {
    producer: BaseProducer<Deliveries>,
    topic: String,
}

/// What the broker has said about messages.
#[derive(Default)]
struct Deliveries {
    delivered: AtomicU64,
    failure: Mutex<Option<String>>,
}

impl ClientContext for Deliveries {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka");
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        match result {
            Ok(_) => {
                self.delivered.fetch_add(1, Ordering::Relaxed);
            }
            Err((error, message)) => {
                let bytes = message.payload_len();
                let failure = format!("a message of {bytes} bytes was not taken: {error}");
                self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
            }
        }
    }
}

impl Publisher {
    /// Connects, and insists that the topic is there.
    pub(super) fn open(topic: &str, properties: &[(String, String)]) -> Result<Self, ReplayError> {
        let mut config = ClientConfig::new();
        // Keys go to the same partitions as those of Java's producers.
        config.set("enable.idempotence", "true").set("partitioner", "murmur2_random").set("linger.ms", "20");
        for (name, value) in properties {
            config.set(name, value);
        }
        let producer: BaseProducer<Deliveries> =
            config.create_with_context(Deliveries::default()).map_err(|error| match error {
                // Without the value: it may be a password.
                KafkaError::ClientConfig(_, problem, name, _) => ReplayError::Property { name, problem },
                other => unavailable(&config, other.to_string()),
            })?;
        let start = Instant::now();
        loop {
            let metadata = producer
                .client()
                .fetch_metadata(Some(topic), PATIENCE)
                .map_err(|error| unavailable(&config, format!("no answer: {error}; check that it runs")))?;
            match metadata.topics().first().and_then(|topic| topic.error()) {
                None if !metadata.topics().is_empty() => break,
                // A topic that was just created has no leader yet.
                _ if start.elapsed() < Duration::from_secs(5) => std::thread::sleep(Duration::from_millis(100)),
                _ => return Err(unavailable(&config, format!("there is no topic `{topic}`; create it first"))),
            }
        }
        Ok(Self { producer, topic: topic.to_owned() })
    }

    /// Hands a message over; waits while too many are under way.
    pub(super) fn send(&self, key: Option<&str>, payload: &[u8]) -> Result<(), ReplayError> {
        let mut record = BaseRecord::<str, [u8]>::to(&self.topic).payload(payload);
        record.key = key;
        loop {
            match self.producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    self.producer.poll(Duration::from_millis(50));
                    self.check()?;
                }
                Err((error, _)) => return Err(self.failed(error.to_string())),
            }
        }
        self.producer.poll(Duration::ZERO);
        Ok(())
    }

    /// Lets the producer work while nothing is due.
    pub(super) fn wait(&self, time: Duration) -> Result<(), ReplayError> {
        let start = Instant::now();
        self.producer.poll(time);
        // A report of delivery ends the poll early.
        std::thread::sleep(time.saturating_sub(start.elapsed()));
        self.check()
    }

    /// Waits until the broker has everything, and returns how many messages that were.
    pub(super) fn finish(&self) -> Result<u64, ReplayError> {
        let flushed = self.producer.flush(LAST_PATIENCE);
        self.check()?;
        flushed.map_err(|error| {
            let open = self.producer.in_flight_count();
            self.failed(format!("{open} messages are not confirmed: {error}"))
        })?;
        Ok(self.producer.context().delivered.load(Ordering::Relaxed))
    }

    fn check(&self) -> Result<(), ReplayError> {
        let failure = self.producer.context().failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        failure.map_or(Ok(()), |problem| Err(self.failed(problem)))
    }

    fn failed(&self, problem: String) -> ReplayError {
        ReplayError::Publish { topic: self.topic.clone(), problem }
    }
}

fn unavailable(config: &ClientConfig, problem: String) -> ReplayError {
    ReplayError::Unavailable { bootstrap: config.get("bootstrap.servers").unwrap_or_default().to_owned(), problem }
}
