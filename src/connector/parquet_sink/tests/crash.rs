//! Crashes after every step and in any order: what is visible at the end is every row once.

use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use tempfile::{TempDir, tempdir};

use super::super::disk::harness;
use super::*;

const TOTAL: i64 = 40;

/// Writes what is left of the rows, with a checkpoint after every third batch; some files end between two checkpoints.
fn run_to_the_end(dir: &Path, saved: &mut Saved) -> Result<(), ConnectorError> {
    let mut sink = open(dir, Roll { bytes: 2_000, age: Duration::MAX }, saved.token.as_deref())?;
    let mut next = saved.next;
    let mut checkpoint = |sink: &mut ParquetSink, next| {
        let token = sink.prepare()?;
        *saved = Saved { next, token: Some(token.clone()) };
        sink.commit(&token)
    };
    while next < TOTAL {
        sink.write(&rows(next..next + 2))?;
        next += 2;
        if next % 6 == 0 {
            checkpoint(&mut sink, next)?;
        }
    }
    sink.finish()?;
    checkpoint(&mut sink, next)
}

fn crash(power: bool) {
    if power {
        harness::lose_power()
    } else {
        harness::survive()
    }
    harness::disarm();
}

#[test]
fn a_stop_after_any_step_and_again_in_the_repair_loses_no_row() {
    harness::stop_after(u64::MAX);
    run_to_the_end(tempdir().unwrap().path(), &mut Saved::default()).unwrap();
    let steps = u64::MAX - harness::disarm().unwrap();
    harness::survive();
    assert!(steps > 50, "{steps} steps are too few to have several files");

    for (power, stop, again) in [false, true].into_iter().flat_map(|power| {
        (0..steps).flat_map(move |stop| (stop % 4..12).step_by(4).map(move |again| (power, stop, again)))
    }) {
        let dir = tempdir().unwrap();
        let mut saved = Saved::default();
        harness::stop_after(stop);
        run_to_the_end(dir.path(), &mut saved).unwrap_err();
        crash(power);
        harness::stop_after(again);
        run_to_the_end(dir.path(), &mut saved).ok();
        crash(power);
        let seen = visible(dir.path());
        assert!(seen.len() as i64 <= saved.next, "rows are visible that no checkpoint covers");
        assert_eq!(seen, (0..seen.len() as i64).collect::<Vec<_>>());
        check_manifest(dir.path());
        run_to_the_end(dir.path(), &mut saved).unwrap();
        assert_eq!(visible(dir.path()), (0..TOTAL).collect::<Vec<_>>(), "stopped after {stop} and {again} steps");
        check_rest(dir.path());
        assert_eq!(files_in(dir.path().join("_spool")) + files_in(dir.path().join("_pending")), 0);
    }
}

#[derive(Clone, Debug)]
enum Act {
    Write(u8),
    Checkpoint,
    /// `prepare`, and the checkpoint never becomes durable.
    PrepareOnly,
    /// The checkpoint becomes durable, and the crash comes before `commit`.
    Uncommitted,
    Roll,
    Crash,
    /// Stop after some steps of what follows, and of the restart.
    StopAfter(u8, u8),
    /// The newest checkpoints are damaged.
    FallBack(usize),
}

fn acts() -> impl Strategy<Value = Vec<(Act, bool)>> {
    let act = prop_oneof![
        6 => (1u8..12).prop_map(Act::Write),
        4 => Just(Act::Checkpoint),
        1 => Just(Act::PrepareOnly),
        1 => Just(Act::Uncommitted),
        1 => Just(Act::Roll),
        1 => Just(Act::Crash),
        2 => (0u8..25, 0u8..12).prop_map(|(stop, again)| Act::StopAfter(stop, again)),
        1 => (1usize..3).prop_map(Act::FallBack),
    ];
    prop::collection::vec((act, any::<bool>()), 1..40)
}

/// A run of one sink and its checkpoints; every failure is followed by a restart from the newest checkpoint.
struct World {
    dir: TempDir,
    roll: Roll,
    saved: Vec<Saved>,
    sink: ParquetSink,
    next: i64,
    stop_in_repair: Option<u64>,
}

impl World {
    fn new(roll: Roll) -> Self {
        let dir = tempdir().unwrap();
        let sink = open(dir.path(), roll, None).unwrap();
        Self { dir, roll, saved: vec![Saved::default()], sink, next: 0, stop_in_repair: None }
    }

    fn restart(&mut self, power: bool) {
        crash(power);
        let newest = self.saved.last().unwrap().clone();
        let seen = visible(self.dir.path());
        assert_eq!(seen, (0..seen.len() as i64).collect::<Vec<_>>());
        check_manifest(self.dir.path());
        if let Some(stop) = self.stop_in_repair.take() {
            harness::stop_after(stop);
            let stopped = open(self.dir.path(), self.roll, newest.token.as_deref());
            drop(stopped);
            crash(power);
        }
        self.sink = open(self.dir.path(), self.roll, newest.token.as_deref()).unwrap();
        self.next = newest.next;
        check_rest(self.dir.path());
        assert!(visible(self.dir.path()).len() as i64 <= self.next);
    }

    fn checkpoint(&mut self, commit: bool) -> Result<(), ConnectorError> {
        let token = self.sink.prepare()?;
        self.saved.push(Saved { next: self.next, token: Some(token.clone()) });
        if commit {
            self.sink.commit(&token)?;
            self.sink.commit(&token)?;
        }
        Ok(())
    }

    fn act(&mut self, act: &Act, power: bool) {
        let outcome = match act {
            Act::Write(n) => {
                let end = self.next + i64::from(*n);
                let outcome = self.sink.write(&rows(self.next..end));
                self.next = end;
                outcome
            }
            Act::Checkpoint => self.checkpoint(true),
            Act::PrepareOnly => self.sink.prepare().map(drop),
            Act::Uncommitted => {
                let _stopped_or_not = self.checkpoint(false);
                return self.restart(power);
            }
            Act::Roll => self.sink.finish(),
            Act::Crash => return self.restart(power),
            Act::StopAfter(stop, again) => {
                harness::stop_after(u64::from(*stop));
                self.stop_in_repair = Some(u64::from(*again));
                Ok(())
            }
            Act::FallBack(damaged) => {
                // Without a token there is nothing to go back to.
                let oldest = usize::from(self.saved[0].token.is_none());
                let kept = self.saved.len().saturating_sub(*damaged).max(oldest + 1).min(self.saved.len());
                self.saved.truncate(kept);
                return self.restart(power);
            }
        };
        if outcome.is_err() {
            self.restart(power);
        }
        let surplus = self.saved.len().saturating_sub(3);
        self.saved.drain(..surplus);
    }
}

/// The acts, then a last write and the end: every row is visible exactly once.
fn play(acts: &[(Act, bool)], roll: u64) {
    harness::survive();
    let mut world = World::new(Roll { bytes: roll, age: Duration::MAX });
    for (act, power) in acts {
        world.act(act, *power);
    }
    world.restart(false);
    world.act(&Act::Write(5), false);
    world.sink.finish().unwrap();
    world.checkpoint(true).unwrap();
    assert_eq!(visible(world.dir.path()), (0..world.next).collect::<Vec<_>>());
    check_rest(world.dir.path());
    assert_eq!(files_in(world.dir.path().join("_spool")) + files_in(world.dir.path().join("_pending")), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_row_is_visible_once_whatever_happened_before_the_end(acts in acts(), roll in 2_000u64..20_000) {
        play(&acts, roll);
    }
}

#[test]
fn two_falls_back_in_a_row_end_inside_a_frame() {
    use Act::{Checkpoint, FallBack, Roll, Uncommitted, Write};
    let acts = [Write(1), Uncommitted, Write(1), Checkpoint, Checkpoint, Roll, Uncommitted, FallBack(2), FallBack(1)];
    play(&acts.map(|act| (act, false)), 2_000);
}
