//! Crashes of the program and of the broker: whatever happens, a read-committed reader sees every row once.

mod common;
mod support {
    pub mod kafka;
    pub mod stream;
}

use std::time::{Duration, Instant};

use common::{Running, blocks};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use support::kafka::{Broker, shared};
use support::stream::{Line, free_port, get};

/// Every step between two checkpoints, in order.
const GAPS: [&str; 7] = [
    "before-checkpoint",
    "half-checkpoint",
    "after-checkpoint",
    "before-offsets",
    "before-commit",
    "after-commit",
    "after-begin",
];

/// What the independent reader says, and that it is told of every row.
fn verify(line: &Line, workers: &str, rows: u64) {
    let ended = line.scene.command("verify", &[workers, "--json"]);
    assert_eq!(ended.code(), 0, "{}{}", ended.out, ended.err);
    let verdict: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(verdict["input_rows"], rows, "{verdict}");
    assert_eq!(
        verdict["assigned_rows"].as_u64().unwrap() + verdict["dead_letters"].as_u64().unwrap(),
        rows,
        "{verdict}"
    );
    assert_eq!((&verdict["problems"], &verdict["unchecked"]), (&serde_json::json!([]), &serde_json::json!([])));
}

/// Runs a stream to its end through kills, at each gap in turn and at random times between. Before each kill a piece of the
/// stream is fed, so that there is something to commit and every gap is come to.
fn kill_matrix(rows: usize, kills: usize, workers: usize) {
    let line = Line::new(shared().bootstrap(), 4, "");
    let stream = blocks(rows, 21);
    let poison: &[u8] = &[0xff, 0x00];
    let workers = format!("pipeline.workers={workers}");
    let sets = [workers.as_str(), "checkpoint.every_rows=100"];
    let mut rng = ChaCha8Rng::seed_from_u64(rows as u64);
    let piece = rows / (kills + 1);
    // Long pieces have many checkpoints.
    let latest = if piece >= 1_000 { 5 } else { 1 };
    for (kill, fresh) in stream.chunks(piece).take(kills).enumerate() {
        line.feed(fresh, 4);
        if kill == kills / 2 {
            line.feed_raw(1, Some(poison));
        }
        let ended = if kill % 2 == 0 {
            let place = format!("{}*{}", GAPS[kill / 2 % GAPS.len()], rng.random_range(1..=latest));
            let mut running = line.scene.start_to_die(&place, &sets);
            let died = running.ended_within(Duration::from_secs(60));
            running.signal_if_alive("KILL");
            assert!(died, "it never came to {place}: {}", running.messages());
            running.wait()
        } else {
            let mut running = line.scene.start(&sets);
            running.ended_within(Duration::from_millis(rng.random_range(300..3_000)));
            running.signal_if_alive("KILL");
            running.wait()
        };
        assert!(ended.was_killed(), "it ended by itself: {}", ended.err);
    }
    line.feed(&stream[piece * kills..], 4);
    line.run_until(rows + 1, &sets);
    verify(&line, &workers, rows as u64 + 1);
    let outcomes = line.outcomes();
    assert!(outcomes.len() == rows + 1 && outcomes.values().all(|count| *count == 1));
}

#[test]
fn no_row_is_lost_or_doubled_by_a_handful_of_kills() {
    kill_matrix(2_400, 14, 2);
}

/// The whole matrix: `cargo test --release --test kafka_crashes -- --ignored`.
#[test]
#[ignore = "takes long"]
fn no_row_is_lost_or_doubled_by_fifty_kills_over_200_000_rows() {
    for workers in [1, 2] {
        kill_matrix(200_000, 50, workers);
    }
}

#[test]
fn a_second_copy_takes_over_and_the_first_one_says_so() {
    let line = Line::new(shared().bootstrap(), 2, "");
    let rows = blocks(900, 22);
    line.feed(&rows[..400], 2);
    line.run_until(400, &[]);
    let mut first = line.scene.start(&[]);
    line.feed(&rows[400..600], 2);
    first = line.await_outcomes(first, 600);
    // The same pipeline from a copy of its folder: what moving a volume to another host does.
    let wait = Instant::now();
    while line.scene.command("verify", &[]).code() != 0 {
        assert!(wait.elapsed() < Duration::from_secs(60));
    }
    let copied =
        std::process::Command::new("cp").arg("-r").args([line.scene.path("run"), line.scene.path("other")]).status();
    assert!(copied.unwrap().success());
    let mut second = line.scene.start(&["pipeline.run_dir=other"]);
    // Rows that the first one still committed would be in its folder and not in the copy.
    while !second.messages().contains("resuming") {
        assert!(!second.ended_within(Duration::from_millis(50)), "{}", second.messages());
    }
    line.feed(&rows[600..], 2);
    let second = line.await_outcomes(second, 900);
    let ended = first.wait();
    ended.says(69, &["taken over", "transactional.id"]);
    second.signal("TERM");
    assert_eq!(second.wait().code(), 0);
    assert!(line.outcomes().values().all(|count| *count == 1));
}

#[test]
fn a_copy_without_the_checkpoints_is_refused_and_fences_nobody() {
    let line = Line::new(shared().bootstrap(), 1, "");
    let rows = blocks(700, 23);
    line.feed(&rows[..400], 1);
    let first = line.scene.start(&[]);
    let first = line.await_outcomes(first, 400);
    line.scene.run(&["pipeline.run_dir=elsewhere"]).says(78, &["which is not in the checkpoint folder", "--fresh"]);
    line.feed(&rows[400..], 1);
    let first = line.await_outcomes(first, 700);
    first.signal("TERM");
    assert_eq!(first.wait().code(), 0);
}

/// The answer of `/readyz`.
fn readiness(port: u16) -> Option<u16> {
    get(port, "/readyz")?.split(' ').nth(1)?.parse().ok()
}

fn await_readiness(running: &mut Running, port: u16, wanted: u16) {
    let start = Instant::now();
    while readiness(port) != Some(wanted) {
        assert!(!running.ended_within(Duration::from_millis(200)), "{}", running.messages());
        assert!(start.elapsed() < Duration::from_secs(60), "/readyz is {:?}, not {wanted}", readiness(port));
    }
}

/// Takes the broker away for so long while rows are on the way.
fn outage(away: Duration) {
    let broker = Broker::start();
    let line = Line::new(broker.bootstrap(), 2, "");
    let rows = blocks(1_600, 24);
    line.feed(&rows[..800], 2);
    let port = free_port();
    let mut running = line.scene.start(&[&format!("serve.listen=127.0.0.1:{port}")]);
    await_readiness(&mut running, port, 200);
    broker.kill();
    await_readiness(&mut running, port, 503);
    assert!(!running.ended_within(away), "{}", running.messages());
    broker.restart();
    line.feed(&rows[800..], 2);
    let mut running = line.await_outcomes(running, 1_600);
    await_readiness(&mut running, port, 200);
    running.signal("TERM");
    assert_eq!(running.wait().code(), 0);
    let outcomes = line.outcomes();
    assert!(outcomes.len() == 1_600 && outcomes.values().all(|count| *count == 1));
}

#[test]
fn a_broker_that_crashes_and_comes_back_costs_no_row() {
    outage(Duration::from_secs(1));
}

#[test]
#[ignore = "takes long"]
fn an_outage_of_thirty_seconds_costs_no_row() {
    outage(Duration::from_secs(30));
}
