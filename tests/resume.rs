//! Runs that are killed and started again come to the same end as runs that are left alone.

mod common;

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use common::{PIPELINE, Reading, Scene, WINDOWS, blocks};
use evenkeel::objective::Method;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Kills that hit a run at work, at least, for each number of workers.
const KILLS: usize = 20;

/// A stream with unusable rows, so that there are dead letters to lose.
fn rows(count: usize) -> Vec<Reading> {
    let mut rows = blocks(count, 5);
    rows.iter_mut().skip(7).step_by(101).for_each(|row| row.features[2] = f32::NAN);
    rows
}

/// How a run was interrupted.
#[derive(Debug, Default)]
struct Tally {
    /// Runs that were at work when they were told to go.
    interrupted: usize,
    /// Runs that went on from a checkpoint.
    resumed: usize,
    /// Whether there were drift events to lose.
    drift: bool,
}

fn newest_checkpoint(scene: &Scene) -> Option<OsString> {
    let entries = std::fs::read_dir(scene.path("run/checkpoints")).ok()?;
    let names = entries.map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().ends_with(".ek")).max()
}

/// Runs `sets` once undisturbed and once with about `times` interruptions; both must leave the same behind.
fn interrupt(pipeline: &str, rows: &[Reading], sets: &[&str], signal: &str, times: usize, seed: u64) -> Tally {
    let left_alone = Scene::new(pipeline, rows);
    let started = Instant::now();
    left_alone.succeed(sets);
    let takes = started.elapsed();
    let expected = left_alone.results();
    assert!(expected.2.is_some(), "there are dead letters to lose");

    let disturbed = Scene::new(pipeline, rows);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut tally = Tally { drift: expected.1.is_some(), ..Tally::default() };
    loop {
        let mut running = disturbed.start(sets);
        let mut over = tally.interrupted >= times;
        // Most interruptions come soon after a new checkpoint, so that all of them together fit into one run.
        if !over && rng.random_bool(0.9) {
            let known = newest_checkpoint(&disturbed);
            while newest_checkpoint(&disturbed) == known && !over {
                over = running.ended_within(Duration::from_millis(2));
            }
        }
        over = over || running.ended_within(takes.mul_f64(rng.random_range(0.0..0.05)));
        if !over {
            running.signal(signal);
        }
        let ended = running.wait();
        tally.resumed += usize::from(ended.err.contains("\"message\":\"resuming\""));
        let killed = if signal == "KILL" { ended.was_killed() } else { ended.out.contains("stopped") };
        if killed && !over {
            tally.interrupted += 1;
            continue;
        }
        // SIGTERM before the program has learned to catch it ends it like any other.
        if !over && ended.status.signal() == Some(15) {
            continue;
        }
        assert_eq!(ended.code(), 0, "{}", ended.err);
        break;
    }
    let found = disturbed.results();
    assert_eq!(found.0.num_rows(), expected.0.num_rows(), "assigned rows after {tally:?}");
    assert!(found == expected, "the results differ after {tally:?}");
    tally
}

fn survives(workers: usize) {
    let count = format!("pipeline.workers={workers}");
    let seed = 100 * workers as u64;
    let rows = rows(1600);
    // Files that are completed on the way, not only at the end; without challengers the drift monitor lives long enough to report.
    let rolled = ["sink.parquet.roll_s=1", "learning.refresh_steps=0", &count];
    // Challengers that take all of the updates between two of them.
    let challenged = ["learning.refresh_growth=1.05", "learning.candidates=2", "balance.max_share=0.4", &count];
    let twice = ["learning.passes=2", "model.objective=ae-cm", "balance.target=observed", &count];
    let tallies = [
        interrupt(PIPELINE, &rows, &rolled, "KILL", 9, seed),
        interrupt(WINDOWS, &rows, &[&count], "KILL", 6, seed + 1),
        interrupt(PIPELINE, &rows[..1000], &challenged, "KILL", 6, seed + 2),
        interrupt(PIPELINE, &rows[..800], &twice, "KILL", 6, seed + 3),
        interrupt(PIPELINE, &rows[..800], &[&count], "TERM", 4, seed + 4),
        interrupt(WINDOWS, &rows[..1200], &["learning.passes=2", &count], "TERM", 3, seed + 5),
    ];
    let mut killed: usize = tallies[..4].iter().map(|tally| tally.interrupted).sum();
    // A slow machine fits fewer interruptions into one run.
    for round in 10..13 {
        if killed < KILLS {
            killed += interrupt(PIPELINE, &rows, &[&count], "KILL", KILLS - killed, seed + round).interrupted;
        }
    }
    assert!(killed >= KILLS, "only {killed} kills hit a run: {tallies:?}");
    assert!(tallies[0].drift, "{tallies:?}");
    assert!(tallies.iter().all(|tally| tally.interrupted > 0 && tally.resumed > 0), "{tallies:?}");
}

/// The middle of refinement in the first fit and in challengers. One challenger follows another, each in flight for 16 updates of 32
/// rows, so that every checkpoint after the first fit holds one; by the time of the third there are several.
#[test]
fn a_run_killed_while_it_refines_comes_to_the_same_end() {
    let rows = rows(1600);
    for workers in 1..=3 {
        let workers = format!("pipeline.workers={workers}");
        let sets = ["model.refine=clusmatch", "refine.review_steps=5", "learning.warmup_steps=60", &workers];
        let left_alone = Scene::new(PIPELINE, &rows);
        left_alone.succeed(&sets);
        let expected = left_alone.results();
        for place in ["first-fit-refines", "challenger-refines", "challenger-refines*3"] {
            let disturbed = Scene::new(PIPELINE, &rows);
            let ended = disturbed.start_to_die(place, &sets).wait();
            assert!(ended.was_killed(), "{place}, {workers}: {}", ended.err);
            let ended = disturbed.succeed(&sets);
            let resumed = ended.err.contains("\"message\":\"resuming\"");
            assert!(resumed || !place.ends_with("*3"), "{place}, {workers}: {}", ended.err);
            assert!(disturbed.results() == expected, "{place}, {workers}: the results differ");
        }
    }
}

/// The second checkpoint mostly comes when there is a model, with a challenger in flight; the learner's own tests insist on that.
#[test]
fn every_objective_goes_on_from_a_checkpoint() {
    let rows = rows(800);
    for name in Method::NAMES {
        let objective = format!("model.objective={name}");
        let left_alone = Scene::new(PIPELINE, &rows);
        left_alone.succeed(&[&objective]);
        let disturbed = Scene::new(PIPELINE, &rows);
        let ended = disturbed.start_to_die("after-checkpoint*2", &[&objective]).wait();
        assert!(ended.was_killed(), "{name}: {}", ended.err);
        let ended = disturbed.succeed(&[&objective]);
        assert!(ended.err.contains("\"message\":\"resuming\""), "{name}: {}", ended.err);
        assert!(disturbed.results() == left_alone.results(), "{name}: the results differ");
    }
}

#[test]
fn one_worker_survives_kills() {
    survives(1);
}

#[test]
fn two_workers_survive_kills() {
    survives(2);
}

#[test]
fn three_workers_survive_kills() {
    survives(3);
}
