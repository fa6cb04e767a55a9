//! From topics to topics, on a real broker.

mod common;
mod support {
    pub mod kafka;
    pub mod stream;
}

use std::collections::BTreeMap;

use common::blocks;
use support::kafka::{read_topic, shared, tool};
use support::stream::{Line, free_port, get, header};

/// Every offset that was fed, once.
fn all_once(line: &Line, rows: usize) {
    let outcomes = line.outcomes();
    let twice: Vec<_> = outcomes.iter().filter(|(_, count)| **count != 1).collect();
    assert!(twice.is_empty(), "not once: {twice:?}");
    assert_eq!(outcomes.len(), rows);
}

#[test]
fn every_row_leaves_once_over_stops_and_restarts() {
    let line = Line::new(shared().bootstrap(), 4, "");
    let rows = blocks(1_200, 5);
    line.feed(&rows[..700], 4);
    line.run_until(700, &["pipeline.workers=2"]);
    line.feed(&rows[700..], 4);
    line.run_until(1_200, &["pipeline.workers=2"]);
    all_once(&line, 1_200);
    let assigned = line.assignments();
    // The rows of a key leave in their order, and versions never go back.
    let mut last: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for row in &assigned {
        let place = (row["offset"].as_i64().unwrap(), row["model_version"].as_i64().unwrap());
        let before = last.insert(row["key"].as_str().unwrap().to_owned(), place).unwrap_or((-1, 0));
        assert!(place.0 > before.0 && place.1 >= before.1, "{before:?} before {place:?}");
    }
    assert_eq!(last.len(), 4);
    assert_eq!(assigned[0]["source"].as_str(), Some(line.input.as_str()));
}

#[test]
fn a_tombstone_is_a_dead_letter() {
    let line = Line::new(shared().bootstrap(), 1, "");
    let rows = blocks(600, 6);
    line.feed(&rows[..300], 1);
    line.feed_raw(0, None);
    line.feed(&rows[300..], 1);
    line.run_until(601, &[]);
    all_once(&line, 601);
    let letters = line.dead_letters();
    assert_eq!((letters.len(), letters[0].value.as_deref()), (1, None));
    assert_eq!(header(&letters[0], "__connect.errors.offset"), "300");
    assert_eq!(header(&letters[0], "__connect.errors.exception.class.name"), "evenkeel.no_value");
}

#[test]
fn a_partition_without_rows_holds_nothing_back() {
    let line = Line::new(shared().bootstrap(), 4, "");
    let rows = blocks(900, 13);
    // All of the first rows are in one partition of four, and the worker of the others has none.
    line.feed(&rows[..300], 1);
    let running = line.scene.start(&["pipeline.workers=2"]);
    let running = line.await_outcomes(running, 300);
    line.feed(&rows[300..600], 4);
    let running = line.await_outcomes(running, 600);
    // Three that were busy fall silent.
    line.feed(&rows[600..], 1);
    let running = line.await_outcomes(running, 900);
    running.signal("TERM");
    assert_eq!(running.wait().code(), 0);
    assert_eq!(line.verify()["input_rows"], 900);
}

#[test]
fn a_slow_flow_holds_few_rows_and_loses_none() {
    let line = Line::new(shared().bootstrap(), 2, "");
    let rows = blocks(2_000, 8);
    line.feed(&rows, 2);
    let sets = ["source.kafka.buffer_rows=40", "source.kafka.batch_rows=16", "pipeline.workers=2"];
    line.run_until(2_000, &sets);
    all_once(&line, 2_000);
}

#[test]
fn rows_of_an_open_transaction_are_not_seen() {
    let line = Line::new(shared().bootstrap(), 1, "");
    line.feed(&blocks(400, 9), 1);
    // No checkpoint comes by itself.
    let sets = ["checkpoint.every_rows=100000", "checkpoint.every_s=50", "--log-level=debug"];
    let mut running = line.scene.start(&sets);
    while read_topic(&line.bootstrap, &line.output, false).len() < 300 {
        assert!(!running.ended_within(std::time::Duration::from_millis(100)), "{}", running.messages());
    }
    assert_eq!(line.assignments().len(), 0);
    running.signal("TERM");
    assert_eq!(running.wait().code(), 0);
    assert_eq!(line.assignments().len(), 400);
}

#[test]
fn partitions_that_come_later_are_read_from_their_beginning() {
    let line = Line::new(shared().bootstrap(), 1, "");
    let rows = blocks(600, 10);
    line.feed(&rows[..300], 1);
    let running = line.scene.start(&["source.kafka.properties.topic.metadata.refresh.interval.ms=500"]);
    let running = line.await_outcomes(running, 300);
    let arguments = ["--bootstrap-server", &line.bootstrap, "--alter", "--topic", &line.input, "--partitions", "3"];
    assert!(tool("org.apache.kafka.tools.TopicCommand", &arguments).status.success());
    line.feed(&rows[300..], 3);
    let running = line.await_outcomes(running, 600);
    running.signal("TERM");
    assert_eq!(running.wait().code(), 0);
    all_once(&line, 600);
    assert_eq!(line.verify()["input_rows"], 600);
}

#[test]
fn at_least_once_shows_rows_at_once_and_loses_none_in_a_crash() {
    let line = Line::new(shared().bootstrap(), 2, "");
    let rows = blocks(800, 11);
    line.feed(&rows, 2);
    let sets = ["source.kafka.delivery=at-least-once", "checkpoint.every_rows=300", "checkpoint.every_s=40"];
    let running = line.scene.start(&sets);
    // The last rows are visible without a checkpoint.
    let mut running = line.await_outcomes(running, 800);
    running.signal_if_alive("KILL");
    assert!(running.wait().was_killed());
    line.run_until(900, &sets);
    let outcomes = line.outcomes();
    assert!(outcomes.len() == 800 && outcomes.values().any(|count| *count == 2), "{}", outcomes.len());
    let ended = line.scene.command("verify", &sets);
    assert_eq!(ended.code(), 0, "{}", ended.err);
}

#[test]
fn every_partition_has_a_lag_and_it_comes_down_to_nothing() {
    let line = Line::new(shared().bootstrap(), 3, "");
    // The third partition stays empty.
    line.feed(&blocks(600, 12), 2);
    let port = free_port();
    let running = line.scene.start(&[&format!("serve.listen=127.0.0.1:{port}")]);
    let mut running = line.await_outcomes(running, 600);
    let start = std::time::Instant::now();
    let lag = |partition: i32| {
        let metrics = get(port, "/metrics")?;
        let of = |text: &&str| text.starts_with("evenkeel_source_lag_rows{") && text.contains(&line.input);
        let series = metrics.lines().filter(of).find(|text| text.contains(&format!("partition=\"{partition}\"")))?;
        series.rsplit(' ').next()?.parse::<f64>().ok()
    };
    while (0..3).any(|partition| lag(partition) != Some(0.0)) {
        assert!(!running.ended_within(std::time::Duration::from_millis(200)), "{}", running.messages());
        let lags: Vec<_> = (0..3).map(lag).collect();
        assert!(start.elapsed() < common::DEADLINE, "{lags:?}");
    }
    running.signal("TERM");
    let ended = running.wait();
    assert_eq!(ended.code(), 0);
    assert!(!ended.err.contains("end of partition"), "{}", ended.err);
}

#[test]
fn a_topic_that_does_not_exist_is_named() {
    let line = Line::new(shared().bootstrap(), 1, "");
    line.scene.run(&["source.kafka.topic=nowhere"]).says(66, &["topic nowhere", "create it"]);
    line.scene.run(&["sink.kafka.topic=nowhere"]).says(66, &["topic nowhere", "create it"]);
    let away = "source.kafka.properties.bootstrap.servers=127.0.0.1:1";
    line.scene.run(&[away]).says(69, &["cannot list topics"]);
}
