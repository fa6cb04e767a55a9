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

/// A stream and how it is cut short.
struct Matrix {
    rows: usize,
    kills: usize,
    workers: usize,
    /// Rows between two checkpoints.
    every_rows: usize,
    /// Checkpoints that a life gets to at most before a gap ends it.
    latest: u64,
}

/// Runs a stream to its end through kills, at each gap in turn and at random times between. Before each kill a piece of the
/// stream is fed, so that there is something to commit and every gap is come to.
fn kill_matrix(matrix: &Matrix) {
    let Matrix { rows, kills, workers, every_rows, latest } = *matrix;
    let line = Line::new(shared().bootstrap(), 4, "");
    let stream = blocks(rows, 21);
    let poison: &[u8] = &[0xff, 0x00];
    let workers = format!("pipeline.workers={workers}");
    let sets = [workers.as_str(), &format!("checkpoint.every_rows={every_rows}")];
    let mut rng = ChaCha8Rng::seed_from_u64(rows as u64);
    let piece = rows / (kills + 1);
    let begun = Instant::now();
    let mut last_checkpoints = Vec::new();
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
        last_checkpoints.push(newest_checkpoint(&line));
    }
    line.feed(&stream[piece * kills..], 4);
    line.run_until(rows + 1, &sets);
    let verdict = line.verify();
    assert_eq!((&verdict["input_rows"], &verdict["dead_letters"]), (&(rows + 1).into(), &1.into()), "{verdict}");
    let outcomes = line.outcomes();
    assert!(outcomes.len() == rows + 1 && outcomes.values().all(|count| *count == 1));
    // The kills are spread over the stream: state was kept between them.
    let kept = last_checkpoints.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!(kept > kills / 4, "{last_checkpoints:?}");
    println!(
        "{kills} kills, {} rows, {workers}: every row once after {:.0} s; newest checkpoint at each kill: {last_checkpoints:?}",
        rows + 1,
        begun.elapsed().as_secs_f64()
    );
}

/// The number of the newest checkpoint file, 0 if there is none.
fn newest_checkpoint(line: &Line) -> u64 {
    let Ok(files) = std::fs::read_dir(line.scene.path("run/checkpoints")) else { return 0 };
    let names = files.map(|file| file.unwrap().file_name().to_string_lossy().into_owned());
    let numbers = names.filter_map(|name| name.strip_prefix("checkpoint-")?.strip_suffix(".ek")?.parse().ok());
    numbers.max().unwrap_or(0)
}

#[test]
fn no_row_is_lost_or_doubled_by_a_handful_of_kills() {
    kill_matrix(&Matrix { rows: 2_400, kills: 14, workers: 2, every_rows: 100, latest: 1 });
}

/// The whole matrix: `cargo test --release --test kafka_crashes -- --ignored --nocapture`.
#[test]
#[ignore = "takes long"]
fn no_row_is_lost_or_doubled_by_fifty_kills_over_200_000_rows() {
    for workers in [1, 2] {
        // Each gap is come to at four different checkpoints.
        kill_matrix(&Matrix { rows: 200_000, kills: 56, workers, every_rows: 250, latest: 10 });
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
