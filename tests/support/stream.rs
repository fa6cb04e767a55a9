//! Streams of the test pipelines through topics: fed by librdkafka itself, read back the same way.

#![allow(dead_code, reason = "every test file uses its own part of this")]

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::builder::{Float32Builder, ListBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use evenkeel::connector::format::{self, Format, FormatOptions, Message, RegistryAddress};
use serde_json::Value;

use super::kafka::{self, Received};
use crate::common::{DEADLINE, PIPELINE, Reading, Running, Scene, columns};

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

/// The same for Avro.
pub const AVRO: &str = r#"{"type":"record","name":"Reading","fields":[
  {"name":"features","type":{"type":"array","items":"float"}},{"name":"key","type":"string"},
  {"name":"time","type":"long"},{"name":"label","type":"int"}]}"#;

/// How rows are written at both ends of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wire {
    Json,
    /// Plain records and schema files.
    Avro,
    /// With the headers of the registry at an address.
    Registry(String),
    /// Some rows in each message.
    ArrowIpc,
}

/// Rows of one Arrow IPC message.
const MESSAGE_ROWS: usize = 7;

/// A pipeline from a topic to topics, with its topics.
pub struct Line {
    pub scene: Scene,
    pub bootstrap: String,
    pub input: String,
    pub output: String,
    pub dead: String,
    wire: Wire,
    /// The registry's number of the input's schema.
    schema: u32,
}

impl Line {
    /// Fresh topics on a broker, the input with so many partitions; `extra` is added to the pipeline file.
    pub fn new(bootstrap: &str, partitions: i32, extra: &str) -> Self {
        Self::written(bootstrap, Wire::Json, partitions, extra)
    }

    /// The same with rows written in another way.
    pub fn written(bootstrap: &str, wire: Wire, partitions: i32, extra: &str) -> Self {
        let topic = |stem, partitions| kafka::fresh_topic(bootstrap, stem, partitions);
        Self::over(bootstrap, [topic("in", partitions), topic("out", 3), topic("dead", 1)], wire, extra)
    }

    /// Over topics that are there: input, output, dead letters.
    pub fn over(bootstrap: &str, topics: [String; 3], wire: Wire, extra: &str) -> Self {
        let [input, output, dead] = topics;
        let (ends, begin) = match &wire {
            Wire::Json => ("format = \"json\"".to_owned(), "schema = \"stream.schema.json\""),
            Wire::Avro => ("format = \"avro\"".to_owned(), "schema = \"stream.avsc\""),
            Wire::Registry(url) => (format!("format = \"avro\"\nregistry = \"{url}\""), ""),
            Wire::ArrowIpc => ("format = \"arrow-ipc\"".to_owned(), "schema = \"stream.schema.json\""),
        };
        let source = format!(
            "[source.kafka]\ntopic = \"{input}\"\n{ends}\n{begin}\ndead_letter_topic = \"{dead}\"\n\
             [source.kafka.properties]\n\"bootstrap.servers\" = \"{bootstrap}\"\n\"group.id\" = \"{input}\"\n\n\
             [sink.kafka]\ntopic = \"{output}\"\n{ends}\n\n{extra}\n"
        );
        let pipeline = PIPELINE.replace("[source.parquet]\npaths = [\"stream.parquet\"]\n", &source);
        let scene = Scene::empty(&pipeline);
        std::fs::write(scene.path("stream.schema.json"), SCHEMA).unwrap();
        std::fs::write(scene.path("stream.avsc"), AVRO).unwrap();
        let schema = match &wire {
            Wire::Registry(url) => register(url, &input, AVRO),
            _ => 0,
        };
        Self { scene, bootstrap: bootstrap.to_owned(), input, output, dead, wire, schema }
    }

    /// Publishes rows, dealt to partitions by their key (a device's number).
    pub fn feed(&self, rows: &[Reading], partitions: i32) {
        let partition = |row: &Reading| row.key[1..].parse::<i32>().unwrap() % partitions;
        let values: Vec<(i32, String, Vec<u8>)> = match &self.wire {
            Wire::ArrowIpc => (0..partitions)
                .flat_map(|number| {
                    let own: Vec<Reading> = rows.iter().filter(|row| partition(row) == number).cloned().collect();
                    let messages = own.chunks(MESSAGE_ROWS).map(|some| (number, some[0].key.clone(), ipc(some)));
                    messages.collect::<Vec<_>>()
                })
                .collect(),
            _ => rows.iter().map(|row| (partition(row), row.key.clone(), self.value(row))).collect(),
        };
        let records: Vec<_> = values
            .iter()
            .map(|(partition, key, value)| (*partition, Some(key.as_bytes()), Some(&value[..]), &[] as &[(&str, &str)]))
            .collect();
        kafka::produce(&self.bootstrap, &self.input, &records);
    }

    /// A row as a message.
    pub fn value(&self, row: &Reading) -> Vec<u8> {
        match &self.wire {
            Wire::Json => json(row).into_bytes(),
            Wire::Avro => avro(row),
            Wire::Registry(_) => framed(self.schema, &avro(row)),
            Wire::ArrowIpc => ipc(std::slice::from_ref(row)),
        }
    }

    /// Publishes one message as it is.
    pub fn feed_raw(&self, partition: i32, value: Option<&[u8]>) {
        kafka::produce(&self.bootstrap, &self.input, &[(partition, Some(b"raw"), value, &[("trace", "7")])]);
    }

    /// How many messages there are in the first partition of the input.
    pub fn end_of_input(&self) -> i64 {
        kafka::read_topic(&self.bootstrap, &self.input, true).iter().filter(|record| record.partition == 0).count()
            as i64
    }

    /// The assignments that a read-committed reader sees.
    pub fn assignments(&self) -> Vec<Value> {
        let read = kafka::read_topic(&self.bootstrap, &self.output, true);
        let mut messages = read.iter().map(|record| record.value.as_deref().unwrap());
        match &self.wire {
            Wire::Json => messages.map(|value| serde_json::from_slice(value).unwrap()).collect(),
            Wire::ArrowIpc => messages
                .flat_map(|value| StreamReader::try_new(value, None).unwrap())
                .flat_map(|batch| values(&batch.unwrap()))
                .collect(),
            Wire::Avro | Wire::Registry(_) => {
                let mut decoder = format::decoder(&self.avro_output()).unwrap();
                let message = |value| Message { key: None, value, partition: 0, offset: 0, timestamp_ms: None };
                let messages: Vec<Message<'_>> = messages.by_ref().map(|value| message(Some(value))).collect();
                let decoded = decoder.decode(&messages).unwrap();
                assert_eq!(decoded.rejects, []);
                values(&decoded.batch)
            }
        }
    }

    /// How the assignments are read; without a registry the repository's schema file says it, with the label beside.
    fn avro_output(&self) -> FormatOptions {
        let mut options = FormatOptions::new(Format::Avro, &self.output);
        if let Wire::Registry(url) = &self.wire {
            options.registry = Some(RegistryAddress { url: url.clone(), credentials: None });
            return options;
        }
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/assignments.avsc");
        let mut schema: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        schema["fields"].as_array_mut().unwrap().push(serde_json::json!({ "name": "label", "type": ["null", "int"] }));
        std::fs::write(self.scene.path("assignments.avsc"), schema.to_string()).unwrap();
        options.schema = Some(self.scene.path("assignments.avsc"));
        options
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

    /// Waits until so many rows and dead letters are visible; patience ends only when nothing more comes.
    pub fn await_outcomes(&self, mut running: Running, outcomes: usize) -> Running {
        let follower = kafka::Follower::new(&self.bootstrap, &[&self.output, &self.dead]);
        let (mut seen, mut progress) = (0, Instant::now());
        let rows = |topic: &str, value: Option<&[u8]>| match (&self.wire, value) {
            (Wire::ArrowIpc, Some(value)) if topic == self.output => {
                StreamReader::try_new(value, None).unwrap().map(|batch| batch.unwrap().num_rows()).sum()
            }
            _ => 1,
        };
        while seen < outcomes {
            let before = seen;
            follower.read(Duration::from_millis(100), |topic, value| seen += rows(topic, value));
            if seen > before {
                progress = Instant::now();
            }
            let ended = running.ended_within(Duration::ZERO);
            assert!(seen >= outcomes || !ended, "it ended after {seen} of {outcomes}: {}", running.messages());
            assert!(progress.elapsed() < DEADLINE, "{seen} of {outcomes} left: {}", running.messages());
        }
        running
    }

    /// What the independent reader says: that every row of the input is there once.
    pub fn verify(&self) -> Value {
        let ended = self.scene.command("verify", &["--json"]);
        assert_eq!(ended.code(), 0, "{}{}", ended.out, ended.err);
        let verdict: Value = serde_json::from_str(&ended.out).unwrap();
        let count = |name: &str| verdict[name].as_u64().unwrap();
        assert_eq!(count("assigned_rows") + count("dead_letters"), count("input_rows"), "{verdict}");
        assert_eq!((&verdict["problems"], &verdict["unchecked"]), (&serde_json::json!([]), &serde_json::json!([])));
        verdict
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

/// A row as JSON.
pub fn json(row: &Reading) -> String {
    let Reading { key, time, label, features } = row;
    serde_json::json!({ "features": features, "key": key, "time": time, "label": label }).to_string()
}

/// A row as a plain Avro record, by hand.
pub fn avro(row: &Reading) -> Vec<u8> {
    /// Zigzag, then seven bits a byte.
    fn long(number: i64, out: &mut Vec<u8>) {
        let mut rest = ((number << 1) ^ (number >> 63)) as u64;
        while rest >= 0x80 {
            out.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        out.push(rest as u8);
    }
    let mut out = Vec::new();
    long(row.features.len() as i64, &mut out);
    row.features.iter().for_each(|feature| out.extend(feature.to_le_bytes()));
    long(0, &mut out);
    long(row.key.len() as i64, &mut out);
    out.extend(row.key.as_bytes());
    long(row.time, &mut out);
    long(i64::from(row.label), &mut out);
    out
}

/// A record with the header of a registry.
pub fn framed(schema: u32, record: &[u8]) -> Vec<u8> {
    [&[0], &schema.to_be_bytes()[..], record].concat()
}

/// Rows as an Arrow IPC stream.
pub fn ipc(rows: &[Reading]) -> Vec<u8> {
    let columns = columns(rows).into_iter().take(4);
    let batch = RecordBatch::try_from_iter(columns.map(|(name, array)| match name.as_str() {
        // As the schema file has it: of any length.
        "features" => (name, arrow_list(rows)),
        _ => (name, array),
    }));
    let batch = batch.unwrap();
    let mut writer = StreamWriter::try_new(Vec::new(), batch.schema_ref()).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

fn arrow_list(rows: &[Reading]) -> ArrayRef {
    let mut lists = ListBuilder::new(Float32Builder::new());
    for row in rows {
        lists.values().append_slice(&row.features);
        lists.append(true);
    }
    Arc::new(lists.finish())
}

/// Rows of a table as JSON, in which numbers that differ are written differently.
pub fn values(batch: &RecordBatch) -> Vec<Value> {
    let mut encoder = format::encoder(&FormatOptions::new(Format::Json, "rows"), &batch.schema()).unwrap();
    let rows = encoder.encode(batch).unwrap();
    rows.iter().map(|row| serde_json::from_slice(row).unwrap()).collect()
}

/// Registers the schema of a topic's values and returns its number.
pub fn register(registry: &str, topic: &str, schema: &str) -> u32 {
    let body = serde_json::json!({ "schema": schema }).to_string();
    let post = ureq::post(format!("{registry}/subjects/{topic}-value/versions"));
    let mut answer = post.header("Content-Type", "application/vnd.schemaregistry.v1+json").send(body).unwrap();
    let answer: Value = serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
    answer["id"].as_u64().unwrap() as u32
}

/// The last header of a name, as text.
pub fn header(record: &Received, name: &str) -> String {
    let (_, value) = record.headers.iter().rfind(|(header, _)| header == name).unwrap_or_else(|| panic!("no {name}"));
    String::from_utf8(value.clone().unwrap()).unwrap()
}
