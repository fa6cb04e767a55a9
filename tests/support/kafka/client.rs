//! Small things that tests do with topics, by librdkafka itself and not by the code under test.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{Header, Headers, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::Offset;
use rdkafka::{Message as _, TopicPartitionList};

const PATIENCE: Duration = Duration::from_secs(60);

/// A record that was read back.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    pub partition: i32,
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    pub timestamp_ms: Option<i64>,
}

/// Creates a topic.
pub fn create_topic(bootstrap: &str, topic: &str, partitions: i32) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create().unwrap();
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1)).set("max.message.bytes", "20000000");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let created = runtime.block_on(admin.create_topics([&new], &AdminOptions::new())).unwrap();
    created.into_iter().next().unwrap().unwrap();
}

/// Creates a topic with a name that no other test has.
pub fn fresh_topic(bootstrap: &str, stem: &str, partitions: i32) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let topic = format!("{stem}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    create_topic(bootstrap, &topic, partitions);
    topic
}

/// Produces records (partition, key, value, headers) and waits until the broker has them.
#[allow(clippy::type_complexity, reason = "a table of records")]
pub fn produce(bootstrap: &str, topic: &str, records: &[(i32, Option<&[u8]>, Option<&[u8]>, &[(&str, &str)])]) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("enable.idempotence", "true")
        .set("message.max.bytes", "20000000")
        .create()
        .unwrap();
    for (partition, key, value, headers) in records {
        let headers = headers
            .iter()
            .fold(OwnedHeaders::new(), |all, (name, text)| all.insert(Header { key: name, value: Some(*text) }));
        let mut record = BaseRecord::<[u8], [u8]>::to(topic).partition(*partition).headers(headers);
        record.key = *key;
        record.payload = *value;
        while let Err((error, back)) = producer.send(record) {
            assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::QueueFull), "{error}");
            record = back;
            producer.poll(Duration::from_millis(50));
        }
        producer.poll(Duration::ZERO);
    }
    producer.flush(PATIENCE).unwrap();
    assert_eq!(producer.in_flight_count(), 0);
}

/// Reads everything that is in a topic now, partition by partition; `committed` leaves open and aborted transactions out.
pub fn read_topic(bootstrap: &str, topic: &str, committed: bool) -> Vec<Received> {
    let isolation = if committed { "read_committed" } else { "read_uncommitted" };
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "test-reader")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", isolation)
        .create()
        .unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
    let partitions: Vec<i32> = metadata.topics()[0].partitions().iter().map(|partition| partition.id()).collect();
    let mut assignment = TopicPartitionList::new();
    for partition in &partitions {
        assignment.add_partition_offset(topic, *partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&assignment).unwrap();
    let (mut found, mut open) = (Vec::new(), partitions.len());
    let start = Instant::now();
    while open > 0 {
        assert!(start.elapsed() < PATIENCE, "{topic} cannot be read to its end");
        match consumer.poll(Duration::from_millis(200)) {
            None => {}
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(error)) => panic!("{error}"),
            Some(Ok(message)) => found.push(Received {
                partition: message.partition(),
                offset: message.offset(),
                key: message.key().map(<[u8]>::to_vec),
                value: message.payload().map(<[u8]>::to_vec),
                headers: message.headers().map_or_else(Vec::new, |headers| {
                    headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect()
                }),
                timestamp_ms: message.timestamp().to_millis(),
            }),
        }
    }
    found.sort_by_key(|record| (record.partition, record.offset));
    found
}

/// Reads topics as they grow, as a read-committed reader sees them.
pub struct Follower {
    consumer: BaseConsumer,
}

impl Follower {
    /// From the beginning of topics, of which the partitions are known by now.
    pub fn new(bootstrap: &str, topics: &[&str]) -> Self {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("group.id", "test-follower")
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .create()
            .unwrap();
        let mut assignment = TopicPartitionList::new();
        for topic in topics {
            let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
            for partition in metadata.topics()[0].partitions() {
                assignment.add_partition_offset(topic, partition.id(), Offset::Beginning).unwrap();
            }
        }
        consumer.assign(&assignment).unwrap();
        Self { consumer }
    }

    /// Hands over topic and value of what comes within `time`.
    pub fn read(&self, time: Duration, mut visit: impl FnMut(&str, Option<&[u8]>)) {
        let start = Instant::now();
        while let Some(left) = time.checked_sub(start.elapsed()) {
            // Brokers that are away come back, or the test runs out of patience.
            let Some(Ok(message)) = self.consumer.poll(left) else { continue };
            visit(message.topic(), message.payload());
        }
    }
}
