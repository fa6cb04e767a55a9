//! `evenkeel replay` against a real broker: what is in the files is in the topic, once and in order.

mod common;
mod support;

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Float32Array, RecordBatch, UInt32Array};
use arrow_schema::{DataType, Field, Schema};
use arrow_select::take::take_record_batch;
use evenkeel::connector::format::{Decoder, Format, FormatOptions, Message, RegistryAddress, decoder};
use parquet::arrow::ArrowWriter;
use support::kafka::{Received, fresh_topic, read_topic, registry, shared, tool};
use tempfile::TempDir;

/// Rows of the files, in the order of their time; equal times in the order of the files.
struct Stream {
    folder: TempDir,
    rows: RecordBatch,
}

impl Stream {
    /// Two files whose times interleave, neither of them sorted.
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let readings = common::blocks(1000, 5);
        let (mut late, mut early) = (readings.clone(), readings);
        late.retain(|reading| reading.time / common::STEP_NS % 2 == 1);
        early.retain(|reading| reading.time / common::STEP_NS % 2 == 0);
        late.reverse();
        common::write_columns(&folder.path().join("a.parquet"), common::columns(&late));
        common::write_columns(&folder.path().join("b.parquet"), common::columns(&early));
        late.extend(early);
        let columns: Vec<(String, ArrayRef)> = common::columns(&late);
        let fields: Vec<Field> =
            columns.iter().map(|(name, array)| Field::new(name, array.data_type().clone(), true)).collect();
        let arrays = columns.into_iter().map(|(_, array)| array).collect();
        let whole = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
        let mut order: Vec<u32> = (0..whole.num_rows() as u32).collect();
        order.sort_by_key(|row| late[*row as usize].time);
        let rows = take_record_batch(&whole, &UInt32Array::from(order)).unwrap();
        Self { folder, rows }
    }

    fn files(&self) -> [PathBuf; 2] {
        ["a.parquet", "b.parquet"].map(|name| self.folder.path().join(name))
    }

    fn replay(&self, topic: &str, more: &[&str]) -> Output {
        let files = self.files();
        let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        replay(&files, topic, more)
    }

    /// What a decoder without schema file is to read: the rows of `picked`, as written.
    fn expected(&self, picked: impl Fn(&str) -> bool) -> RecordBatch {
        let keys = common::texts(&self.rows, "key");
        let rows: Vec<u32> = (0..keys.len() as u32).filter(|row| picked(&keys[*row as usize])).collect();
        take_record_batch(&self.rows, &UInt32Array::from(rows)).unwrap()
    }
}

fn replay(files: &[&Path], topic: &str, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
    command.arg("replay").args(files).args(["--topic", topic]);
    if !more.contains(&"--bootstrap-server") {
        command.args(["--bootstrap-server", shared().bootstrap()]);
    }
    command.args(more).output().unwrap()
}

fn succeeded(output: Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

fn decode(decoder: &mut dyn Decoder, records: &[Received]) -> RecordBatch {
    let messages: Vec<Message> = records
        .iter()
        .map(|record| Message {
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            partition: record.partition,
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
        })
        .collect();
    let decoded = decoder.decode(&messages).unwrap();
    assert!(decoded.rejects.is_empty(), "{:?}", decoded.rejects);
    decoded.batch
}

fn times(batch: &RecordBatch) -> Vec<i64> {
    batch.column_by_name("time").unwrap().as_primitive::<Int64Type>().values().to_vec()
}

fn key(record: &Received) -> String {
    String::from_utf8(record.key.clone().unwrap()).unwrap()
}

#[test]
fn json_rows_arrive_once_and_in_the_order_of_their_time() {
    let stream = Stream::new();
    let topic = fresh_topic(shared().bootstrap(), "json", 1);
    let said = succeeded(stream.replay(&topic, &["--key", "key", "--time", "time", "--json"]));
    assert_eq!((said["rows"].as_u64(), said["messages"].as_u64()), (Some(1000), Some(1000)));
    let records = read_topic(shared().bootstrap(), &topic, true);
    assert_eq!(records.len(), 1000);
    let schema = stream.folder.path().join("schema.json");
    let text = evenkeel::connector::format::json_schema("row", &stream.rows.schema()).unwrap();
    std::fs::write(&schema, text).unwrap();
    let mut options = FormatOptions::new(Format::Json, &topic);
    options.schema = Some(schema);
    options.columns = stream.rows.schema().fields().iter().map(|field| field.name().clone()).collect();
    let batch = decode(decoder(&options).unwrap().as_mut(), &records);
    assert_eq!(batch, stream.rows);
    let keys: Vec<String> = records.iter().map(key).collect();
    assert_eq!(keys, common::texts(&batch, "key"));
}

#[test]
fn what_a_file_says_about_its_columns_does_not_matter() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("units.parquet");
    let unit = HashMap::from([("unit".to_owned(), "g".to_owned())]);
    let field = Field::new("x", DataType::Float32, false).with_metadata(unit);
    let schema = Arc::new(Schema::new(vec![field]));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(Float32Array::from(vec![1.0, 2.0]))]).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), schema, None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let topic = fresh_topic(shared().bootstrap(), "units", 1);
    succeeded(replay(&[&path], &topic, &["--json"]));
    let values: Vec<_> =
        read_topic(shared().bootstrap(), &topic, true).into_iter().map(|record| record.value.unwrap()).collect();
    assert_eq!(values, [b"{\"x\":1.0}", b"{\"x\":2.0}"]);
}

#[test]
fn avro_rows_arrive_through_the_registry() {
    let stream = Stream::new();
    let topic = fresh_topic(shared().bootstrap(), "avro", 1);
    succeeded(stream.replay(&topic, &["--time", "time", "--format", "avro", "--registry", registry(), "--json"]));
    let records = read_topic(shared().bootstrap(), &topic, true);
    assert!(records.iter().all(|record| record.key.is_none()));
    let mut options = FormatOptions::new(Format::Avro, &topic);
    options.registry = Some(RegistryAddress { url: registry().to_owned(), credentials: None });
    options.columns = ["x1", "time", "key"].map(str::to_owned).to_vec();
    let batch = decode(decoder(&options).unwrap().as_mut(), &records);
    for column in &options.columns {
        assert_eq!(batch.column_by_name(column), stream.rows.column_by_name(column), "{column}");
    }
}

#[test]
fn an_arrow_ipc_message_has_rows_of_one_key_only() {
    let stream = Stream::new();
    let topic = fresh_topic(shared().bootstrap(), "ipc", 3);
    let more = ["--key", "key", "--time", "time", "--format", "arrow-ipc", "--message-rows", "64", "--json"];
    let said = succeeded(stream.replay(&topic, &more));
    let records = read_topic(shared().bootstrap(), &topic, true);
    assert_eq!(said["messages"].as_u64(), Some(records.len() as u64));
    let mut decoder = decoder(&FormatOptions::new(Format::ArrowIpc, &topic)).unwrap();
    for name in ["d0", "d1", "d2", "d3"] {
        let own: Vec<Received> = records.iter().filter(|record| key(record) == name).cloned().collect();
        assert!(own.iter().all(|record| record.partition == own[0].partition), "{name} is on one partition");
        let batch = decode(decoder.as_mut(), &own);
        assert!(own.len() >= batch.num_rows() / 64);
        assert_eq!(batch.columns(), stream.expected(|key| key == name).columns(), "{name}");
    }
}

#[test]
fn a_limit_a_rate_and_a_speed_change_no_row() {
    let stream = Stream::new();
    for tempo in [["--rate", "20000"], ["--speed", "100x"]] {
        let topic = fresh_topic(shared().bootstrap(), "tempo", 1);
        let more = [&["--time", "time", "--limit", "137", "--format", "arrow-ipc", "--json"][..], &tempo].concat();
        assert_eq!(succeeded(stream.replay(&topic, &more))["rows"].as_u64(), Some(137));
        let records = read_topic(shared().bootstrap(), &topic, true);
        let batch = decode(decoder(&FormatOptions::new(Format::ArrowIpc, &topic)).unwrap().as_mut(), &records);
        assert_eq!(times(&batch), times(&stream.rows)[..137]);
    }
}

#[test]
fn without_a_time_column_the_files_are_read_as_they_are() {
    let stream = Stream::new();
    let topic = fresh_topic(shared().bootstrap(), "plain", 1);
    let said = String::from_utf8(stream.replay(&topic, &["--format", "arrow-ipc"]).stdout).unwrap();
    assert!(said.starts_with("1000 rows in ") && said.contains(&topic), "{said}");
    let records = read_topic(shared().bootstrap(), &topic, true);
    let batch = decode(decoder(&FormatOptions::new(Format::ArrowIpc, &topic)).unwrap().as_mut(), &records);
    assert!(times(&batch)[..500].is_sorted_by(|a, b| a >= b), "the first file goes backwards");
}

#[test]
fn kafkas_own_console_consumer_reads_the_rows() {
    let stream = Stream::new();
    let topic = fresh_topic(shared().bootstrap(), "console", 1);
    succeeded(stream.replay(&topic, &["--key", "key", "--time", "time", "--limit", "2", "--json"]));
    let arguments = ["--bootstrap-server", shared().bootstrap(), "--topic", &topic, "--from-beginning"];
    let arguments = [&arguments[..], &["--max-messages", "2", "--timeout-ms", "30000"]].concat();
    let output = tool("org.apache.kafka.tools.consumer.ConsoleConsumer", &arguments);
    let said = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<serde_json::Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((rows.len(), rows[0]["time"].as_i64()), (2, Some(0)));
}

#[test]
fn what_cannot_be_replayed_is_named() {
    let stream = Stream::new();
    let topic = fresh_topic(shared().bootstrap(), "refused", 1);
    let folder = stream.folder.path();
    let config = folder.join("client.properties");
    std::fs::write(&config, "message.max.bytez=hunter2\n").unwrap();
    let config = config.to_str().unwrap();
    let nobody = ["--bootstrap-server", "127.0.0.1:1"];
    let cases: [(Output, i32, &str); 5] = [
        (stream.replay("nobody", &[]), 69, "there is no topic `nobody`"),
        (stream.replay(&topic, &nobody), 69, "127.0.0.1:1"),
        (stream.replay(&topic, &["--key", "kez"]), 65, "did you mean `key`?"),
        (stream.replay(&topic, &["--command-config", config]), 78, "kafka property `message.max.bytez`"),
        (replay(&[&folder.join("c.parquet")], &topic, &[]), 66, "c.parquet"),
    ];
    for (output, code, words) in cases {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(words) && !said.contains("hunter2"), "`{words}` is not in: {said}");
    }
}
