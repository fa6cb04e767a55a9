//! Pairs from a topic beside the rows, on a real broker.

mod common;
mod support {
    pub mod kafka;
    pub mod stream;
}

use std::collections::BTreeSet;

use common::{DEADLINE, Ended, Reading, Running, blocks};
use evenkeel::checkpoint;
use serde_json::{Value, json};
use support::kafka::{self, Received, fresh_topic, shared};
use support::stream::{Line, header};

/// A pipeline whose rows are all remembered, with its topic of pairs.
struct Scene {
    line: Line,
    pairs: String,
    /// Partitions of the rows.
    partitions: i32,
    /// Partition, offset and class of each row that was fed.
    rows: Vec<(i32, i64, i32)>,
    next: Vec<i64>,
}

impl Scene {
    fn new(partitions: i32) -> Self {
        let line = Line::new(shared().bootstrap(), partitions, "");
        let pairs = fresh_topic(&line.bootstrap, "pairs", 2);
        Self { line, pairs, partitions, rows: Vec::new(), next: vec![0; partitions as usize] }
    }

    fn sets(&self) -> Vec<String> {
        let pairs = format!("supervision.pairs_topic={}", self.pairs);
        let all = ["model.objective=balanced", "learning.reservoir_rows=4000", "learning.refresh_steps=0", &pairs];
        all.map(str::to_owned).to_vec()
    }

    fn with(&self, more: &[&str]) -> Vec<String> {
        self.sets().into_iter().chain(more.iter().map(ToString::to_string)).collect()
    }

    fn feed(&mut self, rows: &[Reading]) {
        self.line.feed(rows, self.partitions);
        self.rows.extend(self.places(rows));
        for (partition, offset, _) in self.places(rows) {
            self.next[partition as usize] = offset + 1;
        }
    }

    /// Partition, offset and class of rows that are fed next.
    fn places(&self, rows: &[Reading]) -> Vec<(i32, i64, i32)> {
        let mut next = self.next.clone();
        let place = |row: &Reading| {
            let partition = row.key[1..].parse::<i32>().unwrap() % self.partitions;
            next[partition as usize] += 1;
            (partition, next[partition as usize] - 1, row.label)
        };
        rows.iter().map(place).collect()
    }

    /// A message that is no row; its place.
    fn poison(&mut self, partition: i32) -> (i32, i64, i32) {
        self.line.feed_raw(partition, Some(b"\xff\x00"));
        self.next[partition as usize] += 1;
        (partition, self.next[partition as usize] - 1, 0)
    }

    /// Says what is true of rows.
    fn say(&self, pairs: &[[(i32, i64, i32); 2]]) {
        let texts: Vec<String> = pairs.iter().map(|ends| pair(ends).to_string()).collect();
        self.publish(&texts.iter().map(|text| Some(text.as_bytes())).collect::<Vec<_>>());
    }

    fn publish(&self, values: &[Option<&[u8]>]) {
        let records = values.iter().zip(0..).map(|(value, number)| {
            let headers: &[(&str, &str)] = &[("by", "someone")];
            (number % 2, Some(&b"k"[..]), *value, headers)
        });
        kafka::produce(&self.line.bootstrap, &self.pairs, &records.collect::<Vec<_>>());
    }

    fn start(&self, sets: &[String]) -> Running {
        self.line.scene.start(&sets.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

fn pair(ends: &[(i32, i64, i32); 2]) -> Value {
    let [first, second] = ends;
    json!({
        "first_partition": first.0, "first_offset": first.1, "second_partition": second.0, "second_offset": second.1,
        "link": if first.2 == second.2 { "must" } else { "cannot" },
    })
}

/// What the last checkpoint that spoke of pairs said: taken, made, waiting, gone, dropped.
fn counts(ended: &Ended) -> [u64; 5] {
    let mut lines = ended.err.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let said = lines.find(|line| line["message"] == "pairs");
    ["taken", "made", "waiting", "gone", "dropped"]
        .map(|name| said.as_ref().map_or(0, |said| said[name].as_u64().unwrap()))
}

/// Every `step`th row with the one before it.
fn some(rows: &[(i32, i64, i32)], step: usize) -> Vec<[(i32, i64, i32); 2]> {
    rows.windows(2).step_by(step).map(|pair| [pair[1], pair[0]]).collect()
}

/// The dead letters of a topic.
fn letters(line: &Line, topic: &str) -> Vec<Received> {
    let mut letters = line.dead_letters();
    letters.retain(|letter| header(letter, "__connect.errors.topic") == topic);
    letters
}

#[test]
fn every_pair_is_taken_once_whatever_kills_the_run() {
    let mut scene = Scene::new(2);
    let stream = blocks(1_600, 31);
    let gaps = ["after-checkpoint", "half-checkpoint*2", "before-commit*2", "after-commit"];
    let sets = scene.with(&["pipeline.workers=2", "checkpoint.every_rows=96"]);
    let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
    let (mut taken, mut gone, mut bad) = (0, 0, 0);
    for (piece, gap) in stream.chunks(320).zip(gaps) {
        let lost = scene.poison(1);
        let places = scene.places(piece);
        // Half of what is said is about rows that are there, the other half about rows that will be.
        scene.feed(&piece[..160]);
        scene.say(&some(&places, 16));
        taken += some(&places, 16).len() as u64;
        scene.say(&[[places[0], lost]]);
        (taken, gone, bad) = (taken + 1, gone + 1, bad + 1);
        scene.publish(&[Some(b"{\"first_offset\": 1"), None]);
        scene.publish(&[Some(pair(&[places[0], places[1]]).to_string().replace("must", "maybe").as_bytes())]);
        bad += 3;
        let mut running = scene.line.scene.start_to_die(gap, &sets);
        scene.feed(&piece[160..]);
        assert!(running.ended_within(DEADLINE), "it never came to {gap}: {}", running.messages());
        assert!(running.wait().was_killed());
    }
    // Rows that are still to come, and one that never will.
    let next = scene.places(&stream[1_280..]);
    scene.say(&some(&next, 10));
    scene.say(&[[next[0], (0, 1_000_000, 0)]]);
    taken += some(&next, 10).len() as u64 + 1;
    let running = scene.start(&sets.iter().map(ToString::to_string).collect::<Vec<_>>());
    scene.feed(&stream[1_280..]);
    let running = scene.line.await_outcomes(running, 1_600 + bad);
    running.signal("TERM");
    let ended = running.wait();
    assert_eq!(ended.code(), 0, "{}", ended.err);
    assert!(ended.err.contains("\"message\":\"resuming\""), "{}", ended.err);
    assert_eq!(counts(&ended), [taken, taken - gone - 1, 1, gone, 0]);
    // The checkpoint stands behind the last message of each partition, and the output is what it is without pairs.
    let newest = checkpoint::list(&scene.line.scene.path("run/checkpoints")).unwrap().pop().unwrap();
    let position = newest.header.unwrap().pairs.unwrap();
    let ends: Vec<i64> = (0..2).map(|number| position.place(&scene.pairs, number).unwrap().offset).collect();
    let all = kafka::read_topic(&scene.line.bootstrap, &scene.pairs, true);
    let published = |number| all.iter().filter(|record| record.partition == number).count() as i64;
    assert_eq!(ends, [published(0), published(1)]);
    let assigned: BTreeSet<(i64, i64)> = scene.line.assignments().iter().map(place).collect();
    assert_eq!((assigned.len(), scene.line.assignments().len()), (1_600, 1_600));
    let bad_pairs = letters(&scene.line, &scene.pairs);
    let reasons = |name: &str| {
        let of =
            |letter: &&Received| header(letter, "__connect.errors.exception.class.name") == format!("evenkeel.{name}");
        bad_pairs.iter().filter(of).count()
    };
    assert_eq!((reasons("undecodable"), reasons("no_value"), reasons("unknown_link")), (4, 4, 4));
    for letter in &bad_pairs {
        let number = |name: &str| header(letter, name).parse::<i64>().unwrap();
        let place = (number("__connect.errors.partition"), number("__connect.errors.offset"));
        let whole = all.iter().find(|record| (i64::from(record.partition), record.offset) == place).unwrap();
        assert_eq!((&letter.key, &letter.value), (&whole.key, &whole.value));
        assert_eq!(header(letter, "by"), "someone");
    }
    let verdict = scene.line.scene.command("verify", &[&sets[..], &["--json"]].concat());
    assert_eq!(verdict.code(), 0, "{}{}", verdict.out, verdict.err);
    let verdict: Value = serde_json::from_str(&verdict.out).unwrap();
    assert_eq!((&verdict["problems"], &verdict["input_rows"]), (&json!([]), &json!(1_604)), "{verdict}");
}

fn place(row: &Value) -> (i64, i64) {
    (row["partition"].as_i64().unwrap(), row["offset"].as_i64().unwrap())
}

/// The distances of all rows by offset, of a run over rows and pairs that were there before it.
fn distances(stream: &[Reading], pairs: bool) -> Vec<f64> {
    let mut scene = Scene::new(1);
    scene.feed(stream);
    if pairs {
        // The partition goes without saying.
        let short = |ends: &[(i32, i64, i32); 2]| {
            let mut pair = pair(ends);
            let object = pair.as_object_mut().unwrap();
            object.retain(|name, _| !name.ends_with("_partition"));
            pair.to_string()
        };
        let texts: Vec<String> = some(&scene.rows, 3).iter().map(short).collect();
        scene.publish(&texts.iter().map(|text| Some(text.as_bytes())).collect::<Vec<_>>());
    }
    let running = scene.start(&scene.with(&["objective.beta=1.0"]));
    let running = scene.line.await_outcomes(running, stream.len());
    running.signal("TERM");
    let ended = running.wait();
    assert_eq!(ended.code(), 0, "{}", ended.err);
    let all = if pairs { some(&scene.rows, 3).len() as u64 } else { 0 };
    assert_eq!(counts(&ended), [all, all, 0, 0, 0]);
    let mut rows: Vec<_> =
        scene.line.assignments().iter().map(|row| (place(row), row["distance"].as_f64().unwrap())).collect();
    rows.sort_by_key(|(place, _)| *place);
    rows.into_iter().map(|(_, distance)| distance).collect()
}

#[test]
fn pairs_are_learned_from_and_an_empty_topic_changes_nothing() {
    let stream = blocks(640, 32);
    let apart = |one: &[f64], other: &[f64]| {
        assert_eq!((one.len(), other.len()), (640, 640));
        one.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    };
    let silent = distances(&stream, false);
    assert!(apart(&silent, &distances(&stream, false)) < 1e-3);
    assert!(apart(&silent, &distances(&stream, true)) > 1e-2);
}

#[test]
fn a_topic_of_pairs_that_is_not_there_is_named() {
    let scene = Scene::new(1);
    let sets = [&scene.sets()[..3], &["supervision.pairs_topic=nowhere".to_owned()]].concat();
    let ended = scene.start(&sets).wait();
    ended.says(66, &["topic nowhere", "create it", "supervision.pairs_topic"]);
}
