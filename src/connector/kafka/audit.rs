//! Reads topics for `evenkeel verify`: a consumer of its own, at read_committed, that shares nothing with the way rows take.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Headers as _;
use rdkafka::{Offset, TopicPartitionList};

use super::KafkaProperties;
use crate::connector::ConnectorError;

/// How long nothing may come before a topic counts as unreadable.
const PATIENCE: Duration = Duration::from_secs(60);

/// A message as a read-committed reader sees it.
#[derive(Clone, Copy, Debug)]
pub struct Audited<'a> {
    /// Its topic.
    pub topic: &'a str,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its payload.
    pub value: Option<&'a [u8]>,
    /// Its headers.
    pub headers: &'a [(String, Option<Vec<u8>>)],
}

/// Partitions from an offset up to another one, not included.
pub type Ranges = BTreeMap<(String, i32), (i64, i64)>;

/// All of a topic as it stands now.
///
/// # Errors
/// If no broker answers or there is no such topic.
pub fn whole(properties: &KafkaProperties, topic: &str) -> Result<Ranges, ConnectorError> {
    let consumer = consumer(properties)?;
    let fault = |error| ConnectorError::Kafka { problem: format!("cannot look at topic {topic}: {error}") };
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).map_err(fault)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic && !found.partitions().is_empty());
    let Some(found) = found else {
        let problem = "does not exist on these brokers (or may not be read)".to_owned();
        return Err(ConnectorError::NoInput { path: format!("topic {topic}"), problem });
    };
    let mut ranges = Ranges::new();
    for partition in found.partitions() {
        let marks = consumer.fetch_watermarks(topic, partition.id(), PATIENCE).map_err(fault)?;
        ranges.insert((topic.to_owned(), partition.id()), marks);
    }
    Ok(ranges)
}

/// The oldest offsets that are still there.
///
/// # Errors
/// If no broker answers.
pub fn oldest(properties: &KafkaProperties, ranges: &Ranges) -> Result<BTreeMap<(String, i32), i64>, ConnectorError> {
    let consumer = consumer(properties)?;
    let low = |(topic, partition): &(String, i32)| {
        let marks = consumer.fetch_watermarks(topic, *partition, PATIENCE);
        let fault = |error| ConnectorError::Kafka { problem: format!("cannot look at {topic}/{partition}: {error}") };
        Ok(((topic.clone(), *partition), marks.map_err(fault)?.0))
    };
    ranges.keys().map(low).collect()
}

/// Hands every committed message of `ranges` to `visit`, in the order of each partition.
///
/// # Errors
/// If they cannot be read to their ends.
pub fn read(
    properties: &KafkaProperties,
    ranges: &Ranges,
    mut visit: impl FnMut(Audited<'_>),
) -> Result<(), ConnectorError> {
    let consumer = consumer(properties)?;
    let fault = |error: KafkaError| ConnectorError::Kafka { problem: format!("cannot read: {error}") };
    // One partition after another: an end is then that of the partition that is read.
    for ((topic, partition), (from, to)) in ranges.iter().filter(|(_, (from, to))| from < to) {
        {
            let mut list = TopicPartitionList::new();
            list.add_partition_offset(topic, *partition, Offset::Offset(*from)).map_err(fault)?;
            consumer.assign(&list).map_err(fault)?;
        }
        let mut heard = Instant::now();
        loop {
            match consumer.poll(Duration::from_millis(500)) {
                Some(Ok(message)) => {
                    heard = Instant::now();
                    if message.offset() >= *to {
                        break;
                    }
                    let headers = message.headers().map_or_else(Vec::new, |headers| {
                        headers.iter().map(|h| (h.key.to_owned(), h.value.map(<[u8]>::to_vec))).collect()
                    });
                    visit(Audited {
                        topic,
                        partition: *partition,
                        offset: message.offset(),
                        value: message.payload(),
                        headers: &headers,
                    });
                    if message.offset() + 1 >= *to {
                        break;
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => break,
                Some(Err(error)) => tracing::warn!(%error, "kafka"),
                None => {}
            }
            if heard.elapsed() > PATIENCE {
                let problem = format!("{topic}/{partition} cannot be read to its end: no broker answers");
                return Err(ConnectorError::Kafka { problem });
            }
        }
    }
    Ok(())
}

fn consumer(properties: &KafkaProperties) -> Result<BaseConsumer<super::client::Listener>, ConnectorError> {
    let connection = KafkaProperties::default().or_connection_of(properties);
    let mut config = connection.client();
    config.set("group.id", "evenkeel-verify").set("client.id", "evenkeel-verify");
    config.set("enable.auto.commit", "false").set("enable.partition.eof", "true");
    config.set("isolation.level", "read_committed").set("auto.offset.reset", "earliest");
    let nobody: super::KafkaObserver = Arc::new(|_| {});
    config
        .create_with_context(super::client::Listener::new("verify", &nobody))
        .map_err(|error| ConnectorError::Kafka { problem: format!("cannot make a consumer: {error}") })
}
