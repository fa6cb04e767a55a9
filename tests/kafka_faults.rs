//! Faults that no real broker can be asked for, from librdkafka's mock cluster: brokers that are down or slow, leaders that move,
//! coordinators that are not ready, answers that are final. A run goes on, or ends with a reason; no row is lost.
//!
//! The mock cluster has transactions but does not hide what is in them, and keeps no offsets of theirs: restarts are tested on a
//! real broker.

mod common;
mod support {
    pub mod kafka;
    pub mod stream;
}

use std::time::{Duration, Instant};

use common::{Running, blocks};
use rdkafka::mocking::{MockCluster, MockCoordinator};
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::RDKafkaApiKey::{
    AddOffsetsToTxn, AddPartitionsToTxn, EndTxn, Fetch, FindCoordinator, InitProducerId, OffsetCommit, OffsetFetch,
    Produce, TxnOffsetCommit,
};
use rdkafka::types::RDKafkaRespErr::{
    self, RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS as BUSY, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS as LOADING,
    RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE as UNAVAILABLE,
    RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED as NO_GROUP, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH as FENCED,
    RD_KAFKA_RESP_ERR_NOT_COORDINATOR as MOVED, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS as FEW_REPLICAS,
    RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION as NOT_LEADER, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT as LATE,
    RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED as NO_TOPIC,
    RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED as NO_ID,
};
use support::stream::{Line, Wire};

type Cluster = MockCluster<'static, DefaultProducerContext>;

const BROKERS: [i32; 3] = [1, 2, 3];

/// A cluster of three with the topics of a pipeline: two partitions of input.
fn scene() -> (Cluster, Line) {
    let cluster = MockCluster::new(3).unwrap();
    let topics = [("in", 2), ("out", 3), ("dead", 1)];
    topics.iter().for_each(|(topic, partitions)| cluster.create_topic(topic, *partitions, 3).unwrap());
    let names = topics.map(|(topic, _)| topic.to_owned());
    let line = Line::over(&cluster.bootstrap_servers(), names, Wire::Json, "");
    (cluster, line)
}

/// Every row once, and a good end.
fn ends_well(line: &Line, running: Running, rows: usize) -> String {
    let running = line.await_outcomes(running, rows);
    running.signal("TERM");
    let ended = running.wait();
    assert_eq!(ended.code(), 0, "{}", ended.err);
    let outcomes = line.outcomes();
    let twice: Vec<_> = outcomes.iter().filter(|(_, count)| **count != 1).collect();
    assert!(outcomes.len() == rows && twice.is_empty(), "{} rows, not once: {twice:?}", outcomes.len());
    ended.err
}

#[test]
fn brokers_that_are_down_for_a_while_cost_no_row() {
    let (cluster, line) = scene();
    let rows = blocks(1_200, 31);
    line.feed(&rows[..600], 2);
    let running = line.scene.start(&[]);
    let mut running = line.await_outcomes(running, 200);
    BROKERS.iter().for_each(|broker| cluster.broker_down(*broker).unwrap());
    assert!(!running.ended_within(Duration::from_secs(2)), "{}", running.messages());
    BROKERS.iter().for_each(|broker| cluster.broker_up(*broker).unwrap());
    line.feed(&rows[600..], 2);
    ends_well(&line, running, 1_200);
}

#[test]
fn slow_brokers_make_reading_pause_and_cost_no_row() {
    let (cluster, line) = scene();
    let rows = blocks(1_500, 32);
    line.feed(&rows[..300], 2);
    let sets = ["source.kafka.buffer_rows=40", "source.kafka.batch_rows=16", "--log-level=debug"];
    let running = line.scene.start(&sets);
    let mut running = line.await_outcomes(running, 300);
    // Every checkpoint waits for several answers, and the flow for the checkpoint.
    let slow = |delay| BROKERS.iter().for_each(|broker| cluster.broker_round_trip_time(*broker, delay).unwrap());
    slow(Duration::from_millis(400));
    line.feed(&rows[300..], 2);
    let pauses = |said: &str| -> Vec<u64> {
        let lines = said.lines().filter(|line| line.contains("paused: rows wait"));
        let fields = lines.map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        fields.map(|line| line["rows"].as_u64().unwrap()).collect()
    };
    let start = Instant::now();
    while pauses(&running.messages()).is_empty() {
        assert!(!running.ended_within(Duration::from_millis(100)), "{}", running.messages());
        assert!(start.elapsed() < common::DEADLINE, "it never paused: {}", running.messages());
    }
    slow(Duration::ZERO);
    let said = ends_well(&line, running, 1_500);
    // What waits is never more than the buffer and the batch that filled it.
    assert!(pauses(&said).iter().all(|rows| (40..40 + 16).contains(rows)), "{:?}", pauses(&said));
}

#[test]
fn leaders_and_coordinators_that_move_cost_no_row() {
    let (cluster, line) = scene();
    let rows = blocks(1_200, 33);
    let mut running = line.scene.start(&[]);
    for (round, some) in rows.chunks(200).enumerate() {
        let broker = |shift: usize| BROKERS[(round + shift) % BROKERS.len()];
        for (topic, partitions) in [("in", 2), ("out", 3), ("dead", 1)] {
            for partition in 0..partitions {
                cluster.partition_leader(topic, partition, Some(broker(partition as usize))).unwrap();
            }
        }
        cluster.coordinator(MockCoordinator::Transaction("evenkeel-in".to_owned()), broker(1)).unwrap();
        cluster.coordinator(MockCoordinator::Group("in".to_owned()), broker(2)).unwrap();
        line.feed(some, 2);
        running = line.await_outcomes(running, round * 200 + 100);
    }
    ends_well(&line, running, 1_200);
}

#[test]
fn answers_that_say_not_yet_are_waited_out() {
    let (cluster, line) = scene();
    let rows = blocks(800, 34);
    cluster.request_errors(FindCoordinator, &[UNAVAILABLE, LOADING]);
    cluster.request_errors(InitProducerId, &[LOADING, UNAVAILABLE, MOVED, BUSY]);
    cluster.request_errors(OffsetFetch, &[LOADING, MOVED]);
    line.feed(&rows[..400], 2);
    let running = line.scene.start(&[]);
    let running = line.await_outcomes(running, 400);
    cluster.request_errors(AddPartitionsToTxn, &[LOADING, UNAVAILABLE, MOVED, BUSY]);
    cluster.request_errors(AddOffsetsToTxn, &[LOADING, UNAVAILABLE, MOVED, BUSY]);
    cluster.request_errors(TxnOffsetCommit, &[LOADING, UNAVAILABLE, MOVED, LATE]);
    cluster.request_errors(EndTxn, &[LOADING, UNAVAILABLE, MOVED, BUSY]);
    cluster.request_errors(Produce, &[NOT_LEADER, FEW_REPLICAS, LATE]);
    cluster.request_errors(Fetch, &[NOT_LEADER, LATE]);
    line.feed(&rows[400..], 2);
    ends_well(&line, running, 800);
}

#[test]
fn answers_that_are_final_end_the_run_with_their_reason() {
    let table: [(_, RDKafkaRespErr, &[&str]); 5] = [
        (InitProducerId, NO_ID, &["cannot begin transactions", "Transactional Id authorization failed"]),
        (AddOffsetsToTxn, NO_GROUP, &["cannot send offsets to the transaction", "Group authorization failed"]),
        (EndTxn, FENCED, &["taken over", "transactional.id"]),
        (Produce, NO_TOPIC, &["error: kafka: ", "Topic authorization failed", "out"]),
        (AddPartitionsToTxn, NO_TOPIC, &["error: kafka: ", "Topic authorization failed", "out"]),
    ];
    let (cluster, line) = scene();
    line.feed(&blocks(300, 35), 2);
    for (request, error, words) in table {
        cluster.request_errors(request, &[error; 4]);
        line.scene.run(&["--fresh"]).says(69, words);
        cluster.clear_request_errors(request);
    }
    // Whatever it was, the next start goes well.
    line.run_until(300, &["--fresh"]);
}

#[test]
fn a_row_that_could_not_be_delivered_comes_again_at_least_once() {
    let (cluster, line) = scene();
    let rows = blocks(1_200, 36);
    let sets = ["source.kafka.delivery=at-least-once", "checkpoint.every_rows=100"];
    line.feed(&rows[..600], 2);
    line.run_until(600, &sets);
    line.feed(&rows[600..], 2);
    cluster.request_errors(Produce, &[NO_TOPIC; 4]);
    line.scene.run(&sets).says(69, &["error: kafka: ", "Topic authorization failed", "out"]);
    cluster.clear_request_errors(Produce);
    // Some rows may have left before the fault, and leave again.
    let mut running = line.scene.start(&sets);
    let start = Instant::now();
    while line.outcomes().len() < 1_200 {
        assert!(!running.ended_within(Duration::from_millis(100)), "{}", running.messages());
        assert!(start.elapsed() < common::DEADLINE, "{} rows left", line.outcomes().len());
    }
    running.signal("TERM");
    assert_eq!(running.wait().code(), 0);
}

#[test]
fn offsets_that_are_not_committed_are_told_and_stop_nothing() {
    let (cluster, line) = scene();
    let rows = blocks(900, 39);
    let sets = ["source.kafka.delivery=at-least-once", "checkpoint.every_rows=100"];
    line.feed(&rows[..300], 2);
    let running = line.scene.start(&sets);
    let running = line.await_outcomes(running, 300);
    cluster.request_errors(OffsetCommit, &[NO_GROUP; 2]);
    // What became of a commit is heard at a later one.
    line.feed(&rows[300..600], 2);
    let running = line.await_outcomes(running, 600);
    line.feed(&rows[600..], 2);
    let said = ends_well(&line, running, 900);
    assert!(said.contains("Offset commit (manual) failed") && said.contains("Group authorization failed"), "{said}");
}
