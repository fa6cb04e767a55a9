//! The two things that no pipeline can be faster than: librdkafka reading a topic, and the model.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use evenkeel::data::{FeatureParameters, Records, Row};
use evenkeel::learner::{Frozen, Learner, Nursery, Part};
use evenkeel::network::{Backend, open};
use rdkafka::TopicPartitionList;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::Offset;

use super::kafka::shared;
use super::rows;
use super::support::cpu;
use super::support::replica::{feed, settings};
use super::topic::Topic;

/// Rows per second of librdkafka that reads a topic from the first message to the last and drops what it reads.
pub fn consume(topic: &Topic) -> f64 {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", shared().bootstrap())
        .set("group.id", "bench")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    let mut from_start = TopicPartitionList::new();
    from_start.add_partition_offset(&topic.name, 0, Offset::Beginning).unwrap();
    consumer.assign(&from_start).unwrap();
    let messages = topic.payloads.len() * topic.copies;
    let (mut count, mut start) = (0, Instant::now());
    while count < messages {
        if let Some(message) = consumer.poll(Duration::from_secs(10)) {
            message.unwrap();
            // Connecting is not reading.
            if count == 0 {
                start = Instant::now();
            }
            count += 1;
        }
    }
    topic.total() as f64 / start.elapsed().as_secs_f64()
}

/// A frozen model and rows for it.
pub struct Model {
    rows: Vec<Arc<Row>>,
    frozen: RefCell<Frozen>,
}

impl Model {
    /// Fits a model to rows of this width.
    pub fn new(width: usize) -> Self {
        let features = FeatureParameters {
            columns: vec!["features".to_owned()],
            key: vec!["device".to_owned()],
            time: "time".to_owned(),
            ..Default::default()
        };
        let records = Records {
            batch: rows::batch(width, 20_000),
            source: Arc::from("rows"),
            partition: 0,
            first_offset: 0,
            first_sequence: 0,
            picked: None,
            origins: None,
        };
        let rows = features.check().unwrap().open().featurize(&records).rows;
        let device = open(Backend::Flex).unwrap();
        let mut learner = Learner::new(Arc::new(settings(8, 50)), Part::WHOLE, Nursery::default(), device);
        feed(&mut learner, &rows[..1_000], 1_000);
        Self { rows, frozen: RefCell::new(Frozen::new(learner).unwrap()) }
    }

    /// Rows per second on one thread: of wall time, and of its time on a processor.
    pub fn rate(&self) -> (f64, f64) {
        let passes = 5;
        let (start, cpu) = (Instant::now(), cpu::of_this_thread());
        (0..passes).for_each(|_| feed(&mut *self.frozen.borrow_mut(), &self.rows, 4_096));
        let rows = (passes * self.rows.len()) as f64;
        (rows / start.elapsed().as_secs_f64(), rows / (cpu::of_this_thread() - cpu))
    }
}
