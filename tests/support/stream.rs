//! Streams of the test pipelines through topics: fed by librdkafka itself, read back the same way.

#![allow(dead_code, reason = "every test file uses its own part of this")]

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use serde_json::Value;

use super::kafka::{self, Received};
use crate::common::{PIPELINE, Reading, Scene};

/// What the messages look like.
const SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "properties": {
    "features": { "type": "array", "items": { "type": "number", "format": "float" } },
    "key": { "type": "string" },
    "time": { "type": "integer", "format": "int64" },
    "label": { "type": "integer", "format": "int32" }
  },
  "required": ["features", "key", "time", "label"]
}"#;

/// A pipeline from a topic to topics, with its topics.
pub struct Line {
    pub scene: Scene,
    pub bootstrap: String,
    pub input: String,
    pub output: String,
    pub dead: String,
}

impl Line {
    /// Fresh topics on a broker, the input with so many partitions; `extra` is added to the pipeline file.
    pub fn new(bootstrap: &str, partitions: i32, extra: &str) -> Self {
        let topic = |stem, partitions| kafka::fresh_topic(bootstrap, stem, partitions);
        let (input, output, dead) = (topic("in", partitions), topic("out", 3), topic("dead", 1));
        let source = format!(
            "[source.kafka]\ntopic = \"{input}\"\nformat = \"json\"\nschema = \"stream.schema.json\"\n\
             dead_letter_topic = \"{dead}\"\n[source.kafka.properties]\n\"bootstrap.servers\" = \"{bootstrap}\"\n\
             \"group.id\" = \"{input}\"\n\n[sink.kafka]\ntopic = \"{output}\"\nformat = \"json\"\n\n{extra}\n"
        );
        let pipeline = PIPELINE.replace("[source.parquet]\npaths = [\"stream.parquet\"]\n", &source);
        let scene = Scene::empty(&pipeline);
        std::fs::write(scene.path("stream.schema.json"), SCHEMA).unwrap();
        Self { scene, bootstrap: bootstrap.to_owned(), input, output, dead }
    }

    /// Publishes rows, dealt to partitions by their key (a device's number).
    pub fn feed(&self, rows: &[Reading], partitions: i32) {
        let values: Vec<(i32, String, String)> = rows
            .iter()
            .map(|row| (row.key[1..].parse::<i32>().unwrap() % partitions, row.key.clone(), json(row)))
            .collect();
        let records: Vec<_> = values
            .iter()
            .map(|(partition, key, value)| {
                (*partition, Some(key.as_bytes()), Some(value.as_bytes()), &[] as &[(&str, &str)])
            })
            .collect();
        kafka::produce(&self.bootstrap, &self.input, &records);
    }

    /// Publishes one message as it is.
    pub fn feed_raw(&self, partition: i32, value: Option<&[u8]>) {
        kafka::produce(&self.bootstrap, &self.input, &[(partition, Some(b"raw"), value, &[("trace", "7")])]);
    }

    /// The assignments that a read-committed reader sees.
    pub fn assignments(&self) -> Vec<Value> {
        let read = kafka::read_topic(&self.bootstrap, &self.output, true);
        read.iter().map(|record| serde_json::from_slice(record.value.as_ref().unwrap()).unwrap()).collect()
    }

    /// The dead letters that a read-committed reader sees.
    pub fn dead_letters(&self) -> Vec<Received> {
        kafka::read_topic(&self.bootstrap, &self.dead, true)
    }

    /// Runs until so many rows and dead letters have left, stops it, and insists on a good end.
    pub fn run_until(&self, outcomes: usize, sets: &[&str]) {
        let running = self.scene.start(sets);
        let running = self.await_outcomes(running, outcomes);
        running.signal("TERM");
        let ended = running.wait();
        assert_eq!(ended.code(), 0, "{}", ended.err);
    }

    /// Waits until so many rows and dead letters are visible.
    pub fn await_outcomes(&self, mut running: crate::common::Running, outcomes: usize) -> crate::common::Running {
        let start = std::time::Instant::now();
        loop {
            let seen = self.assignments().len() + self.dead_letters().len();
            if seen >= outcomes {
                return running;
            }
            let ended = running.ended_within(std::time::Duration::from_millis(200));
            assert!(!ended, "it ended after {seen} of {outcomes}: {}", running.messages());
            assert!(start.elapsed() < crate::common::DEADLINE, "{seen} of {outcomes} left: {}", running.messages());
        }
    }

    /// How often each row (partition, offset) has left, as an assignment or as a dead letter.
    pub fn outcomes(&self) -> BTreeMap<(i64, i64), usize> {
        let mut counts = BTreeMap::new();
        for row in self.assignments() {
            *counts.entry((row["partition"].as_i64().unwrap(), row["offset"].as_i64().unwrap())).or_default() += 1;
        }
        for letter in self.dead_letters() {
            let number = |name: &str| header(&letter, name).parse::<i64>().unwrap();
            let place = (number("__connect.errors.partition"), number("__connect.errors.offset"));
            *counts.entry(place).or_default() += 1;
        }
        counts
    }
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What the metrics server at a port answers, if it does: head and body.
pub fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// A row as a message.
pub fn json(row: &Reading) -> String {
    let Reading { key, time, label, features } = row;
    serde_json::json!({ "features": features, "key": key, "time": time, "label": label }).to_string()
}

/// The last header of a name, as text.
pub fn header(record: &Received, name: &str) -> String {
    let (_, value) = record.headers.iter().rfind(|(header, _)| header == name).unwrap_or_else(|| panic!("no {name}"));
    String::from_utf8(value.clone().unwrap()).unwrap()
}
