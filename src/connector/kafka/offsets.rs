//! The consumer group's committed offsets, and what is written beside them.
//!
//! ```text
//! offset   = the next message to read; a message of which some rows are left counts as unread
//! metadata = "evenkeel run=<run> checkpoint=<id>"
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{CommitMode, Consumer as _, ConsumerGroupMetadata};
use rdkafka::{Offset, TopicPartitionList};

use super::KafkaSourceParameters;
use super::client::{Consumer, KafkaObserver};
use super::source::consumer;
use super::topics::{INPUT_KEY, PATIENCE, Topics, ask};
use crate::connector::ConnectorError;
use crate::data::{Place, Position};

/// How many events are heard before a commit: a poll takes one, and does not say whether there was one.
const EVENTS: usize = 64;

/// What a group has committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupOffsets {
    /// Topic and partition → offset, where there is one.
    pub offsets: BTreeMap<(String, i32), i64>,
    /// Run and checkpoint that all of them name; nothing if they name none or not the same.
    pub named: Option<(String, u64)>,
}

/// A consumer that never reads: it asks for offsets and commits them.
pub struct KafkaOffsets {
    consumer: Consumer,
    group: String,
    topics: Topics,
    reset: String,
}

impl KafkaOffsets {
    /// Connects for `group`.
    ///
    /// # Errors
    /// If librdkafka refuses the properties.
    pub fn connect(
        parameters: &KafkaSourceParameters,
        group: &str,
        observer: &KafkaObserver,
    ) -> Result<Self, ConnectorError> {
        let topics = Topics::parse(&parameters.topic)
            .map_err(|problem| ConnectorError::NoInput { path: parameters.topic.clone(), problem })?;
        let mut quiet = parameters.clone();
        quiet.properties = quiet.properties.with("statistics.interval.ms", "0");
        let reset = parameters.properties.get("auto.offset.reset").unwrap_or("earliest").to_owned();
        Ok(Self { consumer: consumer(&quiet, group, observer)?, group: group.to_owned(), topics, reset })
    }

    /// All partitions of the input.
    ///
    /// # Errors
    /// If no broker answers or there is no such topic.
    pub fn partitions(&self) -> Result<Vec<(String, i32)>, ConnectorError> {
        let found = self.topics.partitions(&self.consumer, PATIENCE, INPUT_KEY)?;
        Ok(found.into_iter().map(|partition| (partition.topic.to_string(), partition.number)).collect())
    }

    /// Whether another topic is there; `key` of the pipeline file names it.
    ///
    /// # Errors
    /// If no broker answers or there is no such topic.
    pub fn require(&self, topic: &str, key: &str) -> Result<(), ConnectorError> {
        Topics::One(topic.to_owned()).partitions(&self.consumer, PATIENCE, key).map(|_| ())
    }

    /// What the group has committed for the partitions of the input. Open transactions of the group are waited for.
    ///
    /// # Errors
    /// If the brokers do not answer.
    pub fn committed(&self) -> Result<GroupOffsets, ConnectorError> {
        let mut asked = TopicPartitionList::new();
        for (topic, partition) in self.partitions()? {
            asked.add_partition(&topic, partition);
        }
        let what = format!("read the offsets of the consumer group {}", self.group);
        let answer = ask(&self.consumer, &what, || {
            let answer = self.consumer.committed_offsets(asked.clone(), PATIENCE)?;
            answer.elements().iter().try_for_each(|element| element.error())?;
            Ok(answer)
        })?;
        let mut offsets = BTreeMap::new();
        let mut names = Vec::new();
        for element in answer.elements() {
            if let Offset::Offset(offset) = element.offset() {
                offsets.insert((element.topic().to_owned(), element.partition()), offset);
                names.push(parse(element.metadata()));
            }
        }
        let first = names.first().cloned().flatten();
        let named = first.filter(|first| names.iter().all(|name| name.as_ref() == Some(first)));
        Ok(GroupOffsets { offsets, named })
    }

    /// Where a run begins: at what the group has committed, else where `auto.offset.reset` says.
    ///
    /// # Errors
    /// If the brokers do not answer, or `auto.offset.reset` is `error` and a partition has no offset.
    pub fn begin(&self, run: &str, committed: &GroupOffsets) -> Result<Position, ConnectorError> {
        let mut position = Position { run: run.to_owned(), ..Position::default() };
        for (topic, partition) in self.partitions()? {
            let known = committed.offsets.get(&(topic.clone(), partition)).copied();
            let offset = match (known, self.reset.as_str()) {
                (Some(offset), _) => offset,
                (None, "error") => {
                    return Err(ConnectorError::Kafka {
                        problem: format!(
                            "the consumer group {} has no offset for {topic}/{partition} and \"auto.offset.reset\" is \
                             \"error\": commit one, or set it to \"earliest\" or \"latest\"",
                            self.group
                        ),
                    });
                }
                (None, reset) => {
                    let (low, high) = ask(&self.consumer, &format!("read {topic}/{partition}"), || {
                        self.consumer.fetch_watermarks(&topic, partition, PATIENCE)
                    })?;
                    if reset == "latest" { high } else { low }
                }
            };
            position.set(&topic, partition, Place { offset, row: 0 });
        }
        Ok(position)
    }

    /// Commits a position without a transaction, for people and lag exporters; does not wait.
    ///
    /// # Errors
    /// If librdkafka refuses.
    pub fn commit(&self, position: &Position, id: u64) -> Result<(), ConnectorError> {
        let list = list(position, id)?;
        // Nothing is read here; polling only hears what became of earlier commits, among whatever else there was to tell.
        for _ in 0..EVENTS {
            if let Some(Err(error)) = self.consumer.poll(Duration::ZERO) {
                tracing::warn!(%error, "kafka");
            }
        }
        let fault = |error| ConnectorError::Kafka { problem: format!("cannot commit offsets: {error}") };
        self.consumer.commit(&list, CommitMode::Async).map_err(fault)
    }

    /// The same, and waits for the answer.
    ///
    /// # Errors
    /// If the brokers do not take it.
    pub fn commit_now(&self, position: &Position, id: u64) -> Result<(), ConnectorError> {
        let list = list(position, id)?;
        ask(&self.consumer, "commit offsets", || self.consumer.commit(&list, CommitMode::Sync))
    }

    /// What a transaction must know about the group.
    pub(super) fn group(&self) -> Result<ConsumerGroupMetadata, ConnectorError> {
        let missing = || ConnectorError::Kafka { problem: format!("the consumer group {} is unknown", self.group) };
        self.consumer.group_metadata().ok_or_else(missing)
    }
}

/// A position as a list of offsets that name `id`.
pub(super) fn list(position: &Position, id: u64) -> Result<TopicPartitionList, ConnectorError> {
    let metadata = format!("evenkeel run={} checkpoint={id}", position.run);
    let mut list = TopicPartitionList::new();
    for (topic, partition, place) in position.places() {
        let mut element = list.add_partition(topic, partition);
        let fault =
            |error| ConnectorError::Kafka { problem: format!("cannot commit offset {}: {error}", place.offset) };
        element.set_offset(Offset::Offset(place.offset)).map_err(fault)?;
        element.set_metadata(&metadata);
    }
    Ok(list)
}

/// Run and checkpoint that metadata names.
fn parse(metadata: &str) -> Option<(String, u64)> {
    let (run, checkpoint) = metadata.strip_prefix("evenkeel run=")?.split_once(" checkpoint=")?;
    Some((run.to_owned(), checkpoint.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_names_run_and_checkpoint() {
        let mut position = Position { run: "5f3a".to_owned(), ..Position::default() };
        position.set("t", 1, Place { offset: 7, row: 3 });
        let list = list(&position, 12).unwrap();
        let elements = list.elements();
        assert_eq!(elements[0].offset(), Offset::Offset(7));
        assert_eq!(parse(elements[0].metadata()), Some(("5f3a".to_owned(), 12)));
        for other in ["", "5", "evenkeel run=a", "evenkeel run=a checkpoint=x"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
