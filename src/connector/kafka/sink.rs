//! Topics as outputs of the flow.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, RecordBatch, StringArray, UInt32Array};
use arrow_schema::SchemaRef;
use arrow_select::take::take_record_batch;

use super::outbox::{Outbox, Outgoing};
use crate::connector::dead_record::{Failure, Stage, dead_record};
use crate::connector::format::{Encoder, FORMAT_REASONS, Format, FormatOptions, encoder};
use crate::connector::{ConnectorError, Sink};
use crate::data::DeadLetter;

/// One worker's writer of one kind of rows into a topic.
///
/// A row's key is the key of its message, so that the rows of one key stay in order; rows without a key keep to the partition
/// number they came from. An Arrow IPC message holds rows of one key.
pub struct KafkaSink {
    outbox: Arc<Outbox>,
    topic: Arc<str>,
    partitions: i32,
    format: Format,
    encoder: Box<dyn Encoder>,
    segment: u64,
    /// The worker whose rows must leave in turn with those of others; `None` where the order does not matter.
    worker: Option<usize>,
    /// What the epoch has given so far.
    given: Vec<Outgoing>,
}

impl KafkaSink {
    /// Writes rows of `schema` as `options` say, those of a `worker` in the order of the input over all workers.
    ///
    /// # Errors
    /// If the topic does not exist, or the rows have no place in the format.
    pub fn open(
        outbox: &Arc<Outbox>,
        options: &FormatOptions,
        schema: &SchemaRef,
        worker: Option<usize>,
    ) -> Result<Self, ConnectorError> {
        Ok(Self {
            outbox: Arc::clone(outbox),
            topic: Arc::from(options.topic.as_str()),
            partitions: outbox.partitions(&options.topic)?,
            format: options.format,
            encoder: encoder(options, schema)?,
            segment: outbox.segment(),
            worker,
            given: Vec::new(),
        })
    }

    /// Rows that go into one message, or that may: by key, else by partition.
    fn groups(&self, batch: &RecordBatch) -> Vec<(Route, RecordBatch)> {
        let routes = routes(batch, self.partitions);
        let mut groups: BTreeMap<&Route, Vec<u32>> = BTreeMap::new();
        for (row, route) in routes.iter().enumerate() {
            groups.entry(route).or_default().push(row as u32);
        }
        if groups.len() == 1 {
            return groups.into_keys().map(|route| (route.clone(), batch.clone())).collect();
        }
        let picked = |rows| take_record_batch(batch, &UInt32Array::from(rows)).expect("the rows are of this batch");
        groups.into_iter().map(|(route, rows)| (route.clone(), picked(rows))).collect()
    }

    fn send(&mut self, route: Route, value: Vec<u8>) -> Result<(), ConnectorError> {
        let message = Outgoing {
            topic: Arc::clone(&self.topic),
            partition: route.partition,
            key: route.key.map(String::into_bytes),
            value: Some(value),
            headers: Vec::new(),
        };
        if self.worker.is_some() {
            self.given.push(message);
            return Ok(());
        }
        self.outbox.send(self.segment, message)
    }
}

/// Where a row goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Route {
    key: Option<String>,
    partition: Option<i32>,
}

/// By the column `key`; rows whose key is empty by the column `partition`; rows that have neither anywhere.
fn routes(batch: &RecordBatch, partitions: i32) -> Vec<Route> {
    let keys: Option<&StringArray> = batch.column_by_name("key").and_then(|column| column.as_string_opt::<i32>());
    let numbers = batch.column_by_name("partition").and_then(|column| column.as_primitive_opt::<Int32Type>());
    let route = |row: usize| match (keys, numbers) {
        (Some(keys), _) if keys.is_valid(row) && !keys.value(row).is_empty() => {
            Route { key: Some(keys.value(row).to_owned()), partition: None }
        }
        (_, Some(numbers)) => Route { key: None, partition: Some(numbers.value(row) % partitions.max(1)) },
        _ => Route::default(),
    };
    (0..batch.num_rows()).map(route).collect()
}

impl Sink for KafkaSink {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ConnectorError> {
        if self.format != Format::ArrowIpc {
            let values = self.encoder.encode(batch)?;
            let routed = routes(batch, self.partitions).into_iter().zip(values);
            return routed.into_iter().try_for_each(|(route, value)| self.send(route, value));
        }
        for (route, rows) in self.groups(batch) {
            for value in self.encoder.encode(&rows)? {
                self.send(route.clone(), value)?;
            }
        }
        Ok(())
    }

    fn end_epoch(&mut self, epoch: u64) -> Result<(), ConnectorError> {
        match self.worker {
            Some(worker) => self.outbox.hand_in(epoch, worker, self.segment, std::mem::take(&mut self.given)),
            None => Ok(()),
        }
    }

    /// The transaction that the checkpoint ends makes it durable; what follows belongs to the next one.
    fn prepare(&mut self) -> Result<Vec<u8>, ConnectorError> {
        self.segment += 1;
        Ok(Vec::new())
    }

    fn commit(&mut self, _token: &[u8]) -> Result<(), ConnectorError> {
        Ok(())
    }
}

/// One worker's writer into the dead-letter topic: the messages as they came, with headers that say why.
pub struct KafkaDeadLetters {
    outbox: Arc<Outbox>,
    topic: Arc<str>,
    pipeline: String,
    worker: usize,
    segment: u64,
}

impl KafkaDeadLetters {
    /// Writes to `topic` for the pipeline of that name.
    ///
    /// # Errors
    /// If the topic does not exist.
    pub fn open(outbox: &Arc<Outbox>, topic: &str, pipeline: &str, worker: usize) -> Result<Self, ConnectorError> {
        outbox.partitions(topic)?;
        let (topic, pipeline) = (Arc::from(topic), pipeline.to_owned());
        Ok(Self { outbox: Arc::clone(outbox), topic, pipeline, worker, segment: outbox.segment() })
    }
}

impl Sink for KafkaDeadLetters {
    fn write(&mut self, _batch: &RecordBatch) -> Result<(), ConnectorError> {
        Err(ConnectorError::Kafka { problem: "a dead-letter topic takes messages, not rows".to_owned() })
    }

    fn write_dead_letters(&mut self, letters: &[DeadLetter]) -> Result<(), ConnectorError> {
        for letter in letters {
            let message = letter.origin.as_ref().map(crate::data::Origin::message).unwrap_or_default();
            let headers: Vec<(&str, Option<&[u8]>)> =
                message.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
            let failure = Failure {
                topic: &letter.coordinates.source,
                partition: letter.coordinates.partition,
                offset: letter.coordinates.offset,
                key: message.key,
                value: message.value,
                headers: &headers,
                stage: if FORMAT_REASONS.contains(&letter.reason) { Stage::Decode } else { Stage::Featurise },
                reason: letter.reason,
                detail: &letter.detail,
                pipeline: &self.pipeline,
                worker: self.worker,
            };
            let dead = dead_record(&failure, self.outbox.most_bytes());
            let topic = Arc::clone(&self.topic);
            let message = Outgoing { topic, partition: None, key: dead.key, value: dead.value, headers: dead.headers };
            self.outbox.send(self.segment, message)?;
        }
        Ok(())
    }

    fn prepare(&mut self) -> Result<Vec<u8>, ConnectorError> {
        self.segment += 1;
        Ok(Vec::new())
    }

    fn commit(&mut self, _token: &[u8]) -> Result<(), ConnectorError> {
        Ok(())
    }
}
