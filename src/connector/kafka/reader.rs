//! One worker's consumer, on a thread of its own: polls, decodes, hands over, and pauses while nobody keeps up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::Message as _;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::{Offset, TopicPartitionList};

use super::block::{Block, Partition};
use super::client::Consumer;
use super::hub::Hub;
use super::topics::Topics;
use crate::connector::ConnectorError;
use crate::connector::format::{Decoder, Message};
use crate::data::RawMessages;

/// How long a poll waits for a first message.
const POLL: Duration = Duration::from_millis(100);
/// How long a full hub is waited for before the brokers are asked to pause.
const HOLD: Duration = Duration::from_millis(500);
/// Bytes that are decoded at once.
const MOST_BYTES: usize = 2 << 20;
/// How long a question for new partitions may take: nothing is polled meanwhile.
const GLANCE: Duration = Duration::from_secs(5);

/// All that a reading thread needs.
pub(super) struct Reader {
    pub(super) hub: Arc<Hub>,
    pub(super) worker: usize,
    pub(super) peers: usize,
    pub(super) consumer: Consumer,
    pub(super) decoder: Box<dyn Decoder>,
    pub(super) topics: Topics,
    /// The key of the pipeline file that names them.
    pub(super) key: &'static str,
    pub(super) batch_rows: usize,
    /// How often new partitions are looked for.
    pub(super) refresh: Duration,
    /// The offset to fetch next of every assigned partition.
    pub(super) next: BTreeMap<Partition, i64>,
}

impl Reader {
    /// Reads until the hub is closed or the input cannot be read any more.
    pub(super) fn run(mut self) {
        if let Err(fault) = self.read() {
            self.hub.fail(fault);
        }
    }

    fn read(&mut self) -> Result<(), ConnectorError> {
        self.assign(&self.next.keys().cloned().collect::<Vec<_>>())?;
        let mut looked = Instant::now();
        while !self.hub.closed() {
            if looked.elapsed() >= self.refresh {
                self.look_for_partitions()?;
                looked = Instant::now();
            }
            if self.next.is_empty() {
                // A worker with nothing to read still looks for new partitions.
                std::thread::sleep(POLL.min(self.refresh));
                continue;
            }
            if !self.hub.room(self.worker, HOLD) {
                self.pause()?;
                continue;
            }
            self.batch()?;
        }
        Ok(())
    }

    fn list<'a>(&self, partitions: impl Iterator<Item = &'a Partition>) -> Result<TopicPartitionList, ConnectorError> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            let next = self.next.get(partition).copied().unwrap_or_default();
            list.add_partition_offset(&partition.topic, partition.number, Offset::Offset(next))
                .map_err(|error| ConnectorError::Kafka { problem: format!("cannot assign offset {next}: {error}") })?;
        }
        Ok(list)
    }

    /// Begins to read partitions, beside those that are read already. None is ever assigned twice: librdkafka stops a partition and
    /// starts it anew on a thread of its own, and what crosses that is lost or ends the process
    /// (<https://github.com/confluentinc/librdkafka/issues/5573>).
    fn assign(&self, partitions: &[Partition]) -> Result<(), ConnectorError> {
        let fault = |error| ConnectorError::Kafka { problem: format!("cannot assign partitions: {error}") };
        self.consumer.incremental_assign(&self.list(partitions.iter())?).map_err(fault)?;
        partitions.iter().for_each(|partition| self.tell_lag(partition));
        Ok(())
    }

    /// Lets librdkafka know how far a partition is read, for the lag in its statistics. Nothing is committed by that.
    fn tell_lag(&self, partition: &Partition) {
        let Some(next) = self.next.get(partition) else { return };
        // It takes the offset of the last message.
        if let Err(error) = self.consumer.store_offset(&partition.topic, partition.number, next - 1) {
            tracing::debug!(topic = &*partition.topic, partition = partition.number, %error, "no lag is known");
        }
    }

    /// Assigns partitions that have come since: they are read from their beginning.
    fn look_for_partitions(&mut self) -> Result<(), ConnectorError> {
        let found = match self.topics.partitions(&self.consumer, GLANCE, self.key) {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "cannot look for new partitions");
                return Ok(());
            }
        };
        let mut more = Vec::new();
        for partition in found.into_iter().filter(|partition| partition.worker(self.peers) == self.worker) {
            if self.next.contains_key(&partition) {
                continue;
            }
            let (low, _) = match self.consumer.fetch_watermarks(&partition.topic, partition.number, GLANCE) {
                Ok(marks) => marks,
                Err(error) => {
                    // A partition that was just created may have no leader yet; the next look finds it again.
                    tracing::warn!(topic = &*partition.topic, partition = partition.number, %error, "not readable yet");
                    continue;
                }
            };
            tracing::info!(topic = &*partition.topic, partition = partition.number, offset = low, "new partition");
            let place = self.hub.open(&partition, low);
            self.next.insert(partition.clone(), place.offset);
            more.push(partition);
        }
        if more.is_empty() { Ok(()) } else { self.assign(&more) }
    }

    /// Stops fetching until there is room again; what the brokers have to say is still heard.
    fn pause(&mut self) -> Result<(), ConnectorError> {
        let fault = |error| ConnectorError::Kafka { problem: format!("cannot pause or resume: {error}") };
        let list = self.list(self.next.keys())?;
        self.consumer.pause(&list).map_err(fault)?;
        let held = self.hub.held(self.worker);
        tracing::debug!(
            worker = self.worker,
            rows = held.rows,
            bytes = held.bytes,
            "paused: rows wait for the workers"
        );
        // librdkafka gives no message of a paused partition: what it has fetched it fetches again, after the last one it gave.
        while !self.hub.closed() && !self.hub.room(self.worker, Duration::ZERO) {
            self.batch()?;
        }
        if self.hub.closed() {
            return Ok(());
        }
        self.consumer.resume(&list).map_err(fault)
    }

    /// Reads what is there, up to a batch, decodes it and hands it over.
    fn batch(&mut self) -> Result<(), ConnectorError> {
        let mut ends = Vec::new();
        let mut polled: BTreeMap<Partition, Vec<BorrowedMessage<'_>>> = BTreeMap::new();
        let (mut count, mut bytes) = (0, 0);
        let mut patience = POLL;
        while count < self.batch_rows && bytes < MOST_BYTES {
            match self.consumer.poll(patience) {
                None => break,
                Some(Ok(message)) => {
                    count += 1;
                    bytes += message.payload_len() + message.key_len();
                    let is_of =
                        |known: &Partition| known.number == message.partition() && *known.topic == *message.topic();
                    let Some((partition, next)) = self.next.iter().find(|(known, _)| is_of(known)) else { continue };
                    if message.offset() >= *next {
                        polled.entry(partition.clone()).or_default().push(message);
                    }
                }
                Some(Err(KafkaError::PartitionEOF(number))) => ends.push(number),
                Some(Err(error)) => event(error, &self.hub)?,
            }
            patience = Duration::ZERO;
        }
        for (partition, messages) in polled {
            let Some(last) = messages.last().map(BorrowedMessage::offset) else { continue };
            let block = decode(self.decoder.as_mut(), &self.hub, &partition, &messages)?;
            drop(messages);
            if let Some(block) = block {
                self.hub.publish(block);
                self.next.insert(partition.clone(), last + 1);
                self.tell_lag(&partition);
            }
        }
        ends.into_iter().for_each(|number| self.hub.at_end(number));
        Ok(())
    }
}

/// Decodes messages of one partition; nothing if the hub was closed while the registry was out of reach.
fn decode(
    decoder: &mut dyn Decoder,
    hub: &Hub,
    partition: &Partition,
    messages: &[BorrowedMessage<'_>],
) -> Result<Option<Block>, ConnectorError> {
    let bytes = messages.iter().map(|message| message.payload_len() + message.key_len()).sum();
    let mut raw = RawMessages::with_capacity(messages.len(), bytes);
    let mut views = Vec::with_capacity(messages.len());
    for message in messages {
        let timestamp_ms = message.timestamp().to_millis();
        raw.push(message.key(), message.payload(), headers(message), timestamp_ms);
        views.push(Message {
            key: message.key(),
            value: message.payload(),
            partition: partition.number,
            offset: message.offset(),
            timestamp_ms,
        });
    }
    let decoded = loop {
        match decoder.decode(&views) {
            Ok(decoded) => break decoded,
            Err(error) if error.is_temporary() && !hub.closed() => {
                tracing::warn!(%error, "trying again");
                std::thread::sleep(Duration::from_secs(1));
            }
            Err(_) if hub.closed() => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    };
    let offsets = messages.iter().map(BorrowedMessage::offset).collect();
    Ok(Some(Block::new(partition.clone(), raw, offsets, decoded)))
}

fn headers(message: &BorrowedMessage<'_>) -> Vec<(String, Option<Vec<u8>>)> {
    let Some(headers) = message.headers() else { return Vec::new() };
    headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect()
}

/// What is not a message: most of it passes, some of it ends the run.
fn event(error: KafkaError, hub: &Hub) -> Result<(), ConnectorError> {
    let fatal = |problem: String| Err(ConnectorError::Kafka { problem });
    match &error {
        KafkaError::PartitionEOF(number) => {
            hub.at_end(*number);
            Ok(())
        }
        KafkaError::MessageConsumptionFatal(code) => fatal(format!("cannot read on: {code}")),
        KafkaError::MessageConsumption(code) => match code {
            RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange => fatal(format!(
                "the offsets to go on from are not there any more ({error}): the topic's retention has overtaken this \
                 pipeline; set \"auto.offset.reset\" to \"earliest\" to go on with what is left, or start anew with --fresh"
            )),
            RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownPartition => {
                fatal(format!("a topic or partition that was read is gone: {error}"))
            }
            RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
            | RDKafkaErrorCode::SaslAuthenticationFailed
            | RDKafkaErrorCode::Authentication => fatal(format!("not allowed to read: {error}")),
            _ => {
                tracing::warn!(%error, "kafka");
                Ok(())
            }
        },
        _ => {
            tracing::warn!(%error, "kafka");
            Ok(())
        }
    }
}
