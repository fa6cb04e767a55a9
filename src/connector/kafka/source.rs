//! Topics as an input of the flow.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;

use super::KafkaSourceParameters;
use super::client::{Consumer, KafkaObserver, Listener, default};
use super::hub::{Hub, Room};
use super::pairs::KafkaPairs;
use super::reader::Reader;
use super::topics::{INPUT_KEY, PATIENCE, Topics, ask};
use crate::connector::format::{Decoder, decoder};
use crate::connector::{ConnectorError, Polled, Source};
use crate::data::{DeadLetter, PairBatch, Position};

/// How often new partitions are looked for, unless `topic.metadata.refresh.interval.ms` says so.
const REFRESH: Duration = Duration::from_secs(10);

/// The input of a job: one consumer for each worker, one order for all.
#[derive(Clone)]
pub struct KafkaInput {
    hub: Arc<Hub>,
    parameters: KafkaSourceParameters,
    group: String,
    topics: Topics,
    key: &'static str,
    peers: usize,
    observer: KafkaObserver,
}

/// How a job walks through its input.
#[derive(Clone, Debug)]
pub struct KafkaPace {
    /// Rows of all workers together in one epoch.
    pub epoch_rows: usize,
    /// Workers.
    pub peers: usize,
    /// The first epoch.
    pub epoch: u64,
    /// Where its first row is. Partitions that it does not name are read from their beginning.
    pub position: Position,
}

impl KafkaInput {
    /// An input that nobody reads yet. `group` is the consumer group.
    ///
    /// # Errors
    /// If `topic` is no topic and no regular expression.
    pub fn new(
        parameters: &KafkaSourceParameters,
        group: &str,
        pace: KafkaPace,
        observer: &KafkaObserver,
    ) -> Result<Self, ConnectorError> {
        let topics = Topics::parse(&parameters.topic)
            .map_err(|problem| ConnectorError::NoInput { path: parameters.topic.clone(), problem })?;
        let room = Room { rows: parameters.buffer_rows.max(1), bytes: parameters.buffer_mb.max(1) << 20 };
        Ok(Self {
            hub: Arc::new(Hub::new(pace.epoch_rows, pace.peers, room, pace.epoch, pace.position)),
            parameters: parameters.clone(),
            group: group.to_owned(),
            topics,
            key: INPUT_KEY,
            peers: pace.peers,
            observer: Arc::clone(observer),
        })
    }

    /// The same, named by another key of the pipeline file.
    pub(super) fn named_by(self, key: &'static str) -> Self {
        Self { key, ..self }
    }

    /// What the pipeline file calls it.
    pub(super) fn topic(&self) -> &str {
        &self.parameters.topic
    }

    /// Its topics.
    pub(super) fn topics(&self) -> &Topics {
        &self.topics
    }

    /// Where its rows meet.
    pub(super) fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Larger messages are rejected unread.
    pub(super) fn max_value_bytes(&self) -> usize {
        self.parameters.max_message_mb << 20
    }

    /// Starts to read `columns` of the partitions of `worker`.
    ///
    /// # Errors
    /// If no broker answers, there is no such topic, or the format cannot have these columns.
    pub fn open(&self, worker: usize, columns: &[String]) -> Result<KafkaSource, ConnectorError> {
        self.open_with(worker, decoder(&self.parameters.decoding(columns))?)
    }

    /// Starts to read the partitions of `worker` in one's own way.
    ///
    /// # Errors
    /// If no broker answers or there is no such topic.
    pub(super) fn open_with(&self, worker: usize, decoder: Box<dyn Decoder>) -> Result<KafkaSource, ConnectorError> {
        let consumer = consumer(&self.parameters, &self.group, &self.observer)?;
        let mut next = BTreeMap::new();
        for partition in self.topics.partitions(&consumer, PATIENCE, self.key)? {
            if partition.worker(self.peers) == worker {
                let place = self.hub.open(&partition, first_offset(&consumer, &partition.topic, partition.number)?);
                next.insert(partition, place.offset);
            }
        }
        consumer.context().answered();
        let given = self.parameters.properties.get("topic.metadata.refresh.interval.ms");
        let refresh = given.and_then(|text| text.parse().ok()).map_or(REFRESH, Duration::from_millis);
        let reader = Reader {
            hub: Arc::clone(&self.hub),
            worker,
            peers: self.peers,
            consumer,
            decoder,
            topics: self.topics.clone(),
            key: self.key,
            batch_rows: self.parameters.batch_rows.max(1),
            refresh,
            next,
        };
        let thread = std::thread::Builder::new()
            .name(format!("kafka reader {worker}"))
            .spawn(move || reader.run())
            .map_err(|error| ConnectorError::Kafka { problem: format!("cannot start a reading thread: {error}") })?;
        let (hub, thread) = (Arc::clone(&self.hub), Some(thread));
        let (letters, pairs, paired) = (Vec::new(), None, PairBatch::default());
        Ok(KafkaSource { hub, worker, letters, sequence: 0, pairs, paired, thread })
    }

    /// Where the input stands after `epoch`; earlier ones cannot be asked for afterwards.
    #[must_use]
    pub fn position_after(&self, epoch: u64) -> Position {
        self.hub.position_after(epoch)
    }
}

fn first_offset(consumer: &Consumer, topic: &str, partition: i32) -> Result<i64, ConnectorError> {
    let (low, _) =
        ask(consumer, &format!("read {topic}/{partition}"), || consumer.fetch_watermarks(topic, partition, PATIENCE))?;
    Ok(low)
}

/// A consumer that is told which partitions to read and never commits by itself.
///
/// # Errors
/// If librdkafka refuses the properties.
pub(super) fn consumer(
    parameters: &KafkaSourceParameters,
    group: &str,
    observer: &KafkaObserver,
) -> Result<Consumer, ConnectorError> {
    let mut config = parameters.properties.client();
    default(&mut config, "auto.offset.reset", "earliest");
    // How long the end of a partition takes to show.
    default(&mut config, "fetch.wait.max.ms", "100");
    default(&mut config, "statistics.interval.ms", "1000");
    // What waits for the workers is decoded; more of the same in front of that is only memory.
    default(&mut config, "queued.max.messages.kbytes", "16384");
    // That is decoded in a fraction of the second for which librdkafka would stop fetching once it is full.
    default(&mut config, "fetch.queue.backoff.ms", "10");
    // librdkafka asks again when it has an answer: with its megabyte the workers wait for the next one.
    default(&mut config, "max.partition.fetch.bytes", "4194304");
    default(&mut config, "client.id", "evenkeel");
    config.set("group.id", group);
    config.set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
    config.set("enable.partition.eof", "true");
    config
        .create_with_context(Listener::new("input", observer))
        .map_err(|error| ConnectorError::Kafka { problem: format!("cannot make a consumer: {error}") })
}

/// One worker's view of the input.
pub struct KafkaSource {
    hub: Arc<Hub>,
    worker: usize,
    letters: Vec<DeadLetter>,
    sequence: u64,
    pairs: Option<Box<KafkaPairs>>,
    /// What came with the epoch last read.
    paired: PairBatch,
    thread: Option<JoinHandle<()>>,
}

impl KafkaSource {
    /// The same with pairs beside it.
    #[must_use]
    pub fn with_pairs(mut self, pairs: KafkaPairs) -> Self {
        self.pairs = Some(Box::new(pairs));
        self
    }
}

impl Source for KafkaSource {
    fn read(&mut self, epoch: u64) -> Result<Polled, ConnectorError> {
        match self.hub.read(epoch, self.worker, Instant::now())? {
            None => Ok(Polled::Pending),
            Some(part) => {
                self.letters = part.letters;
                self.sequence = part.sequence;
                if let Some(pairs) = &mut self.pairs {
                    self.paired = pairs.read(epoch)?;
                }
                Ok(Polled::Rows(part.records))
            }
        }
    }

    fn cut(&mut self, epoch: u64) {
        self.hub.cut(epoch, Instant::now());
    }

    fn rejected(&mut self) -> Vec<DeadLetter> {
        std::mem::take(&mut self.letters)
    }

    fn pairs(&mut self) -> PairBatch {
        std::mem::take(&mut self.paired)
    }

    fn consumed(&self) -> Option<u64> {
        Some(self.sequence)
    }

    fn total_rows(&self) -> Option<u64> {
        None
    }
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        self.hub.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a reading thread panicked");
        }
    }
}
