//! Every format from end to end: the same rows are assigned alike, and what is no row is a dead letter with its reason.

mod common;
mod support {
    pub mod kafka;
    pub mod stream;
}

use common::{PIPELINE, Reading, Scene, blocks};
use serde_json::Value;
use support::kafka::{Received, registry, shared};
use support::stream::{AVRO, Line, Wire, avro, framed, free_port, get, header, ipc, json, register, values};

#[test]
fn the_same_rows_from_a_topic_and_from_a_file_are_assigned_alike() {
    let rows = blocks(600, 7);
    let file = Scene::new(PIPELINE, &rows);
    file.succeed(&["pipeline.workers=1"]);
    let by_time = |mut rows: Vec<Value>| {
        // No two rows of a device are of the same time.
        rows.sort_by_key(|row| (row["event_time"].to_string(), row["key"].to_string()));
        rows.iter_mut().for_each(|row| {
            let row = row.as_object_mut().unwrap();
            ["source", "partition", "offset"].iter().for_each(|column| assert!(row.remove(*column).is_some()));
        });
        rows
    };
    let from_file = by_time(values(&file.assignments()));
    assert_eq!(from_file.len(), 600);
    for wire in [Wire::Json, Wire::Avro, Wire::Registry(registry().to_owned()), Wire::ArrowIpc] {
        let line = Line::written(shared().bootstrap(), wire.clone(), 1, "");
        line.feed(&rows, 1);
        line.run_until(600, &["checkpoint.every_rows=200", "checkpoint.every_s=5"]);
        let from_topic = by_time(line.assignments());
        assert_eq!(from_topic.len(), from_file.len(), "{wire:?}");
        // Every column, and every bit of it.
        for (row, (topic, file)) in from_topic.iter().zip(&from_file).enumerate() {
            assert_eq!(topic, file, "{wire:?}, row {row}");
        }
        let verdict = line.verify();
        assert_eq!((&verdict["input_rows"], &verdict["assigned_rows"]), (&600.into(), &600.into()), "{wire:?}");
    }
}

/// A message that gives no row.
struct Poison {
    value: Vec<u8>,
    /// As it is counted.
    reason: &'static str,
    /// Part of the sentence about it.
    detail: &'static str,
}

fn poison(value: Vec<u8>, reason: &'static str, detail: &'static str) -> Poison {
    Poison { value, reason, detail }
}

/// A row with another first feature.
fn with_feature(row: &Reading, feature: f32) -> Reading {
    let mut row = row.clone();
    row.features[0] = feature;
    row
}

fn counted(metrics: &str, reason: &str) -> usize {
    let series = metrics.lines().find(|line| {
        line.starts_with("evenkeel_dead_letters_total{") && line.contains(&format!("reason=\"{reason}\""))
    });
    series.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).unwrap_or(0.0) as usize
}

/// Runs a stream with poison in its middle: everything else is assigned, each poison is a dead letter as it came, with the
/// headers of Kafka Connect, and counted.
fn survives(line: &Line, poisons: &[Poison]) {
    let rows = blocks(400, 41);
    line.feed(&rows[..200], 1);
    let before = line.end_of_input();
    poisons.iter().for_each(|poison| line.feed_raw(0, Some(&poison.value)));
    line.feed(&rows[200..], 1);
    let port = free_port();
    let running = line.scene.start(&[&format!("serve.listen=127.0.0.1:{port}")]);
    let running = line.await_outcomes(running, 400 + poisons.len());
    let metrics = get(port, "/metrics").unwrap();
    running.signal("TERM");
    let ended = running.wait();
    assert_eq!(ended.code(), 0, "{}", ended.err);
    let verdict = line.verify();
    assert_eq!((&verdict["assigned_rows"], &verdict["dead_letters"]), (&400.into(), &poisons.len().into()));
    let mut letters = line.dead_letters();
    letters.sort_by_key(|letter| header(letter, "__connect.errors.offset").parse::<i64>().unwrap());
    assert_eq!(letters.len(), poisons.len());
    for (index, (letter, poison)) in letters.iter().zip(poisons).enumerate() {
        told(line, letter, poison, before + index as i64);
        let alike = poisons.iter().filter(|other| other.reason == poison.reason).count();
        assert_eq!(counted(&metrics, poison.reason), alike, "{}: {metrics}", poison.reason);
    }
}

fn told(line: &Line, letter: &Received, poison: &Poison, offset: i64) {
    let (reason, said) = (poison.reason, header(letter, "__connect.errors.exception.message"));
    assert_eq!(header(letter, "__connect.errors.exception.class.name"), format!("evenkeel.{reason}"), "{said}");
    assert!(said.contains(poison.detail), "{reason}: {said}");
    assert_eq!(header(letter, "__connect.errors.topic"), line.input);
    assert_eq!(header(letter, "__connect.errors.partition"), "0");
    assert_eq!(header(letter, "__connect.errors.offset"), offset.to_string());
    assert_eq!((letter.key.as_deref(), header(letter, "trace").as_str()), (Some(&b"raw"[..]), "7"));
    if reason == "too_large" {
        // No topic would take it; it stays where the headers say.
        assert_eq!(letter.value, None);
        assert_eq!(header(letter, "evenkeel.value.bytes"), poison.value.len().to_string());
    } else {
        assert_eq!(letter.value.as_ref(), Some(&poison.value), "{reason}");
    }
}

const TEN_MEGABYTES: usize = 10 << 20;

#[test]
fn poison_among_avro_records_of_a_registry_is_dead_lettered() {
    let line = Line::written(shared().bootstrap(), Wire::Registry(registry().to_owned()), 1, "");
    let row = &blocks(1, 40)[0];
    let good = line.value(row);
    // A later version of the schema, in which the key may be null.
    let later = AVRO.replace("\"key\",\"type\":\"string\"", "\"key\",\"type\":[\"null\",\"string\"]");
    let later = register(registry(), &line.input, &later);
    // The key and its length become the first branch of a union.
    let record = avro(row);
    let key = record.windows(3).position(|bytes| bytes == [4, b'd', b'0']).unwrap();
    let null = [&record[..key], &[0], &record[key + 3..]].concat();
    let frame = |record: &[u8]| framed(u32::from_be_bytes(good[1..5].try_into().unwrap()), record);
    survives(
        &line,
        &[
            poison(vec![0xff, 0x00, 0x7b, 0x99, 0x10, 0x42], "undecodable", "schema id"),
            poison(framed(0x7fff_fff0, &record), "unknown_schema", "no schema with id 2147483632"),
            poison(good[..good.len() - 3].to_vec(), "undecodable", ""),
            poison(frame(&avro(&with_feature(row, f32::NAN))), "not_finite", "NaN"),
            poison(frame(&avro(&with_feature(row, f32::NEG_INFINITY))), "not_finite", "inf"),
            poison(framed(later, &null), "null_key", "key"),
            poison(frame(&vec![0; TEN_MEGABYTES]), "too_large", "at most"),
        ],
    );
}

#[test]
fn poison_among_arrow_ipc_messages_is_dead_lettered() {
    let line = Line::written(shared().bootstrap(), Wire::ArrowIpc, 1, "");
    let row = &blocks(1, 40)[0];
    let good = ipc(std::slice::from_ref(row));
    survives(
        &line,
        &[
            poison((0..200_u8).map(|byte| byte.wrapping_mul(167)).collect(), "undecodable", ""),
            poison(good[..good.len() / 2].to_vec(), "undecodable", ""),
            poison(ipc(&[with_feature(row, f32::NAN)]), "not_finite", "NaN"),
            poison(ipc(&[with_feature(row, f32::INFINITY)]), "not_finite", "inf"),
            poison(vec![0; TEN_MEGABYTES], "too_large", "at most"),
        ],
    );
}

#[test]
fn poison_among_json_objects_is_dead_lettered() {
    let line = Line::new(shared().bootstrap(), 1, "");
    let row = json(&blocks(1, 40)[0]);
    let first = row.find("[").unwrap() + 1;
    let end = first + row[first..].find(',').unwrap();
    let with = |number: &str| format!("{}{number}{}", &row[..first], &row[end..]).into_bytes();
    survives(
        &line,
        &[
            poison(vec![0xff, 0x00, 0x7b], "undecodable", ""),
            poison(row.as_bytes()[..row.len() / 2].to_vec(), "undecodable", ""),
            poison(with("NaN"), "undecodable", ""),
            poison(with("1e999"), "not_finite", "inf"),
            poison(row.replace("\"d0\"", "null").into_bytes(), "undecodable", "key"),
            poison(vec![b' '; TEN_MEGABYTES], "too_large", "at most"),
        ],
    );
}
