//! What leaves: one producer for the whole job, whose transactions end with checkpoints.
//!
//! Every worker writes in **segments**, one for each checkpoint. Transaction `n` holds segment `n` of every worker and the
//! offsets of checkpoint `n`. A worker may be some epochs further than the slowest one and so begin a segment whose
//! transaction is not open yet; its messages wait here until the one before is committed. The flow keeps workers at most a few
//! epochs apart, which bounds what waits.
//!
//! Rows of one key may be assigned by several workers. They leave in the order of the input all the same: what the workers hand
//! in for an epoch is sent in the order of the workers, epoch by epoch.
//!
//! What a crash between the steps leaves is told in `checkpoint::restart`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _};
use rdkafka::types::RDKafkaRespErr;

use super::client::{KafkaObserver, Listener, Producer, default};
use super::offsets::{KafkaOffsets, list};
use super::parameters::TRANSACTION_TIMEOUT_MS;
use super::{Delivery, KafkaProperties};
use crate::connector::ConnectorError;
use crate::data::Position;
use crate::telemetry::failpoint;

/// How long one call may wait before it is repeated.
const CALL: Duration = Duration::from_secs(10);
/// How long a full queue is waited for before it is looked at again.
const BREATH: Duration = Duration::from_millis(5);

/// Kilobytes that wait for the brokers before the flow waits for them as well.
const QUEUE_KBYTES: usize = 65_536;

/// How many breaths the reason of a failure is waited for.
const HEARINGS: usize = 200;

/// A message to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) topic: Arc<str>,
    pub(super) partition: Option<i32>,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Vec<(String, Option<Vec<u8>>)>,
}

/// The one producer of a job.
pub struct Outbox {
    producer: Producer,
    /// The transactional id, where there are transactions.
    id: Option<String>,
    most_bytes: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The segment whose messages may be sent.
    open: u64,
    /// Messages of later segments.
    waiting: Vec<(u64, Outgoing)>,
    /// The epoch and the worker whose messages come next.
    turn: (u64, usize),
    /// Workers.
    peers: usize,
    /// What is handed in and has to wait for its turn: epoch and worker, segment, messages.
    handed_in: BTreeMap<(u64, usize), (u64, Vec<Outgoing>)>,
}

impl Outbox {
    /// Connects. With exactly-once delivery this fences any other process with the same id and ends its transaction; nothing
    /// is open until [`begin`](Self::begin).
    ///
    /// # Errors
    /// If librdkafka refuses the properties or no broker answers.
    pub fn connect(
        properties: &KafkaProperties,
        delivery: Delivery,
        name: &str,
        observer: &KafkaObserver,
    ) -> Result<Self, ConnectorError> {
        let mut config = properties.client();
        // The same key goes to the same partition whichever client writes it: Java's choice.
        default(&mut config, "partitioner", "murmur2_random");
        default(&mut config, "linger.ms", "5");
        default(&mut config, "client.id", "evenkeel");
        // Tells whether a broker answers.
        default(&mut config, "statistics.interval.ms", "1000");
        // A commit waits this long between two of its requests.
        default(&mut config, "retry.backoff.ms", "10");
        default(&mut config, "enable.idempotence", "true");
        let limit = properties.get("message.max.bytes").and_then(|text| text.parse().ok()).unwrap_or(1_000_000_usize);
        // What waits for slow brokers; librdkafka would let it grow to a gigabyte. A largest message must fit.
        default(&mut config, "queue.buffering.max.kbytes", &QUEUE_KBYTES.max(limit.div_ceil(1024) + 1).to_string());
        let id = if delivery == Delivery::ExactlyOnce {
            default(&mut config, "transactional.id", name);
            default(&mut config, "transaction.timeout.ms", &TRANSACTION_TIMEOUT_MS.to_string());
            config.get("transactional.id").map(str::to_owned)
        } else {
            config.remove("transactional.id");
            None
        };
        let producer: Producer = config
            .create_with_context(Listener::new("output", observer))
            .map_err(|error| ConnectorError::Kafka { problem: format!("cannot make a producer: {error}") })?;
        // Headers take room as well.
        let outbox = Self { producer, id, most_bytes: limit.saturating_sub(4_096), state: Mutex::default() };
        if outbox.id.is_some() {
            outbox.repeat("begin transactions", || outbox.producer.init_transactions(CALL))?;
        }
        Ok(outbox)
    }

    /// Whether messages become visible with checkpoints.
    pub fn is_transactional(&self) -> bool {
        self.id.is_some()
    }

    /// Number of partitions of a topic.
    ///
    /// # Errors
    /// If no broker answers or there is no such topic.
    pub fn partitions(&self, topic: &str) -> Result<i32, ConnectorError> {
        // To ask for one topic would create it where brokers do that.
        let asked = self.producer.client().fetch_metadata(None, super::topics::PATIENCE);
        let metadata = asked.map_err(|error| self.fault(&format!("look for topic {topic}"), &error))?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        let missing = found.is_none_or(|found| found.partitions().is_empty());
        let code = found.and_then(rdkafka::metadata::MetadataTopic::error);
        if missing || code.is_some_and(|code| code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR) {
            return Err(ConnectorError::NoInput {
                path: format!("topic {topic}"),
                problem: "is to be written to and does not exist on these brokers (or may not be written): create it"
                    .to_owned(),
            });
        }
        self.producer.context().answered();
        Ok(found.map_or(0, |found| found.partitions().len() as i32))
    }

    /// Opens the first transaction.
    ///
    /// # Errors
    /// If another process has taken over.
    pub fn begin(&self) -> Result<(), ConnectorError> {
        match self.id {
            Some(_) => self.producer.begin_transaction().map_err(|error| self.fault("begin a transaction", &error)),
            None => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The segment whose messages may be sent.
    pub(super) fn segment(&self) -> u64 {
        self.lock().open
    }

    /// Sends a message, or keeps it until the transaction of its segment is open.
    pub(super) fn send(&self, segment: u64, message: Outgoing) -> Result<(), ConnectorError> {
        let mut state = self.lock();
        if self.id.is_some() && segment != state.open {
            state.waiting.push((segment, message));
            return Ok(());
        }
        self.produce(&message)
    }

    /// Before the workers start: how many there are, and their first epoch.
    pub fn expect(&self, peers: usize, epoch: u64) {
        let mut state = self.lock();
        (state.peers, state.turn) = (peers.max(1), (epoch, 0));
    }

    /// Takes in all that `worker` has for `epoch`, and sends what is next in turn.
    pub(super) fn hand_in(
        &self,
        epoch: u64,
        worker: usize,
        segment: u64,
        messages: Vec<Outgoing>,
    ) -> Result<(), ConnectorError> {
        let mut state = self.lock();
        state.handed_in.insert((epoch, worker), (segment, messages));
        loop {
            let turn = state.turn;
            let Some((segment, messages)) = state.handed_in.remove(&turn) else { return Ok(()) };
            state.turn = if turn.1 + 1 < state.peers { (turn.0, turn.1 + 1) } else { (turn.0 + 1, 0) };
            if self.id.is_some() && segment != state.open {
                state.waiting.extend(messages.into_iter().map(|message| (segment, message)));
            } else {
                messages.iter().try_for_each(|message| self.produce(message))?;
            }
        }
    }

    fn produce(&self, message: &Outgoing) -> Result<(), ConnectorError> {
        let mut record = BaseRecord::<[u8], [u8]>::to(&message.topic);
        record.partition = message.partition;
        record.key = message.key.as_deref();
        record.payload = message.value.as_deref();
        if !message.headers.is_empty() {
            let headers = OwnedHeaders::new_with_capacity(message.headers.len());
            record.headers = Some(
                message
                    .headers
                    .iter()
                    .fold(headers, |headers, (key, value)| headers.insert(Header { key, value: value.as_deref() })),
            );
        }
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    self.delivered()?;
                    record = back;
                    std::thread::sleep(BREATH);
                }
                Err((error @ KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge), _)) => {
                    let bytes = message.value.as_ref().map_or(0, Vec::len);
                    let problem = format!(
                        "cannot write a message of {bytes} bytes to {}: {error}; raise \"message.max.bytes\" here and \
                         max.message.bytes of the topic",
                        message.topic
                    );
                    return Err(ConnectorError::Kafka { problem });
                }
                Err((error, _)) => return Err(self.fault(&format!("write to {}", message.topic), &error)),
            }
        }
    }

    /// The largest message that may be sent.
    pub(super) fn most_bytes(&self) -> usize {
        self.most_bytes
    }

    /// Fails if a message could not be delivered.
    fn delivered(&self) -> Result<(), ConnectorError> {
        match self.producer.context().undelivered() {
            None => Ok(()),
            Some(problem) => Err(self.fatal(format!("a message could not be delivered: {problem}"))),
        }
    }

    /// Waits until everything that was sent is on the brokers.
    ///
    /// # Errors
    /// If a message could not be delivered.
    pub fn flush(&self) -> Result<(), ConnectorError> {
        loop {
            let flushed = self.producer.flush(CALL);
            self.delivered()?;
            match flushed {
                Ok(()) => return Ok(()),
                // Still on the way: the brokers are slow or away. It is librdkafka that gives up, after message.timeout.ms.
                Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::OperationTimedOut) => {
                    tracing::warn!("messages are still on the way to the brokers");
                }
                Err(error) => return Err(self.fault("deliver messages", &error)),
            }
        }
    }

    /// Commits the open transaction: the messages of its segment, and `position` as the offsets of checkpoint `id`, which must
    /// be durable. Opens the next one and sends what was waiting for it.
    ///
    /// # Errors
    /// If another process has taken over, or the brokers have given the transaction up.
    pub fn commit(&self, offsets: &KafkaOffsets, position: &Position, id: u64) -> Result<(), ConnectorError> {
        let list = list(position, id)?;
        let group = offsets.group()?;
        self.flush()?;
        failpoint("before-offsets");
        self.repeat("send offsets to the transaction", || {
            self.producer.send_offsets_to_transaction(&list, &group, CALL)
        })?;
        failpoint("before-commit");
        self.repeat("commit the transaction", || self.producer.commit_transaction(CALL))?;
        failpoint("after-commit");
        let mut state = self.lock();
        self.begin()?;
        state.open += 1;
        let open = state.open;
        let (due, later) = state.waiting.drain(..).partition(|(segment, _)| *segment == open);
        state.waiting = later;
        let due: Vec<(u64, Outgoing)> = due;
        due.iter().try_for_each(|(_, message)| self.produce(message))?;
        failpoint("after-begin");
        Ok(())
    }

    /// Repeats a call for as long as librdkafka says that this may help.
    fn repeat(&self, what: &str, call: impl Fn() -> Result<(), KafkaError>) -> Result<(), ConnectorError> {
        loop {
            match call() {
                Ok(()) => return Ok(()),
                Err(KafkaError::Transaction(error)) if error.is_retriable() => {
                    tracing::warn!(reason = error.string(), "cannot {what} yet; trying again");
                }
                Err(error) => return Err(self.fault(what, &error)),
            }
        }
    }

    fn fault(&self, what: &str, error: &KafkaError) -> ConnectorError {
        let code = match error {
            KafkaError::Transaction(error) => Some(error.code()),
            other => other.rdkafka_error_code(),
        };
        let text = match error {
            KafkaError::Transaction(error) => error.string(),
            other => other.to_string(),
        };
        let mut known = self.producer.context().last_error();
        // Too late for a transaction that has failed: the reason is on its way.
        for _ in 0..HEARINGS {
            if known.is_some() || code != Some(RDKafkaErrorCode::State) {
                break;
            }
            std::thread::sleep(BREATH);
            known = self.producer.context().last_error();
        }
        let known = known.map_or_else(String::new, |reason| format!(" ({reason})"));
        if is_fenced(code) { self.fatal_fenced() } else { self.fatal(format!("cannot {what}: {text}{known}")) }
    }

    /// The problem, or that another process has taken over if that is what is behind it.
    fn fatal(&self, problem: String) -> ConnectorError {
        match self.producer.client().fatal_error() {
            Some((code, _)) if is_fenced(Some(code)) => self.fatal_fenced(),
            Some((_, reason)) => ConnectorError::Kafka { problem: format!("{problem}: {reason}") },
            None => ConnectorError::Kafka { problem },
        }
    }

    fn fatal_fenced(&self) -> ConnectorError {
        ConnectorError::Fenced { id: self.id.clone().unwrap_or_default() }
    }
}

fn is_fenced(code: Option<RDKafkaErrorCode>) -> bool {
    use RDKafkaErrorCode::{Fenced, InvalidProducerEpoch, ProducerFenced};
    matches!(code, Some(Fenced | ProducerFenced | InvalidProducerEpoch))
}
