//! The flow with a small model between an input and an output in memory.
//!
//! Timing is different in every run: `EVENKEEL_ROUNDS=100 cargo test --lib flow` repeats each test as often.

mod averager;
mod rig;

use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, Int64Array, RecordBatch};
use averager::State;
use rig::{Fault, Kept, Ran, Rig, batches, sum};

use super::FlowError;
use crate::connector::OnError;
use crate::data::Row;
use crate::replica::{Arrival, ReplicaError};

/// Rows of the four partitions of most tests.
const PARTITIONS: [usize; 4] = [13, 1, 22, 15];
const ROWS: usize = 51;
/// Epochs of four rows, and the empty one at the end.
const EPOCHS: u64 = 14;

fn again(test: impl Fn()) {
    let rounds = std::env::var("EVENKEEL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(2);
    (0..rounds).for_each(|_: u32| test());
}

fn rig(peers: usize) -> Rig {
    Rig::new(peers, batches(&PARTITIONS))
}

/// A row as it arrives from [`batches`].
fn arrival(row: Row) -> Arrival {
    let labels: ArrayRef = Arc::new(Int64Array::from(vec![row.coordinates.offset]));
    let extras = RecordBatch::try_from_iter_with_nullable([("label", labels, true)]).unwrap();
    Arrival { row: Arc::new(row), extras: Some((Arc::new(extras), 0)) }
}

fn state(snapshot: &[u8]) -> State {
    postcard::from_bytes(snapshot).unwrap()
}

fn last(ran: &Ran) -> &Kept {
    ran.kept.last().unwrap()
}

fn each_offset_once(ran: &Ran, rows: usize) {
    let offsets: Vec<i64> = ran.sorted().iter().map(|row| row.0).collect();
    assert_eq!(offsets, (0..rows as i64).collect::<Vec<_>>());
}

#[test]
fn replicas_agree_after_every_epoch_and_with_those_of_any_number_of_workers() {
    again(|| {
        let one = rig(1).run();
        for peers in [1, 2, 3, 5] {
            let ran = rig(peers).run();
            ran.result.unwrap();
            assert_eq!(ran.states.len() as u64, EPOCHS);
            for (epoch, states) in ran.states {
                assert_eq!(states.len(), peers);
                assert!(states.values().all(|state| *state == one.states[&epoch][&0]), "epoch {epoch}");
            }
        }
    });
}

#[test]
fn totals_hold_every_row_once() {
    again(|| {
        for (peers, owned) in [(1, false), (2, false), (3, false), (3, true)] {
            let ran = Rig { owned, ..rig(peers) }.run();
            ran.result.as_ref().unwrap();
            let end = state(&last(&ran).replica);
            assert_eq!((end.rows, end.sum), (ROWS as u64, sum(ROWS)));
        }
    });
}

#[test]
fn every_row_is_emitted_once_with_its_own_columns_and_the_same_label_by_any_worker() {
    again(|| {
        let one = rig(1).run().sorted();
        for (peers, owned) in [(1, false), (2, false), (3, false), (2, true), (3, true)] {
            let ran = Rig { owned, ..rig(peers) }.run();
            each_offset_once(&ran, ROWS);
            assert!(ran.sorted().iter().all(|(offset, _, _, label)| offset == label));
            assert_eq!(ran.sorted(), one);
        }
    });
}

#[test]
fn each_worker_writes_its_rows_in_the_order_of_the_input() {
    again(|| {
        for owned in [false, true] {
            let ran = Rig { owned, ..rig(3) }.run();
            for rows in ran.visible() {
                assert!(rows.is_sorted_by_key(|row| row.0) && !rows.is_empty());
            }
        }
    });
}

#[test]
fn only_one_worker_writes_drift_events() {
    assert_eq!(rig(3).run().count(1) as u64, EPOCHS);
}

#[test]
fn every_epoch_is_reported_by_every_worker() {
    let ran = rig(3).run();
    assert_eq!(ran.reports.len() as u64, 3 * EPOCHS);
    assert_eq!(ran.reports.iter().map(|report| report.input_rows).sum::<u64>(), ROWS as u64);
    assert_eq!(ran.reports.iter().map(|report| report.assigned_rows).sum::<u64>(), ROWS as u64);
    assert!(ran.reports.iter().all(|report| report.status.is_some() == (report.worker == 0)));
}

#[test]
fn checkpoints_hold_the_state_after_their_epoch() {
    again(|| {
        for peers in [1, 2, 3] {
            let ran = rig(peers).run();
            let epochs: Vec<u64> = ran.kept.iter().map(|kept| kept.epoch).collect();
            assert_eq!(epochs, [2, 5, 8, 11, 13]);
            for kept in &ran.kept {
                let rows = ROWS.min(4 * (kept.epoch as usize + 1));
                let state = state(&kept.replica);
                assert_eq!((state.epochs, state.rows, state.sum), (kept.epoch + 1, rows as u64, sum(rows)));
                assert_eq!(kept.replica, ran.states[&kept.epoch][&0]);
                assert_eq!((kept.locals.len(), kept.status.rows), (peers, rows as u64));
                assert_eq!(kept.finished, kept.epoch == 13);
            }
        }
    });
}

#[test]
fn a_run_resumed_from_any_checkpoint_ends_like_an_uninterrupted_one() {
    again(|| {
        for (peers, passes, owned) in [(1, 1, false), (2, 1, true), (3, 1, false), (3, 2, true)] {
            let rig = || Rig { passes, owned, paired: passes == 1, ..rig(peers) };
            let whole = rig().run();
            whole.result.as_ref().unwrap();
            for crash in 1..whole.kept.len() {
                let crashed = Rig { fault: Fault::Keep(crash), ..rig() }.run();
                assert!(matches!(crashed.result, Err(FlowError::Checkpoint(_))), "{:?}", crashed.result);
                assert!(crashed.count(0) < whole.count(0));
                let (resume, outputs) = (crashed.kept.last().cloned(), crashed.outputs);
                let resumed = Rig { resume, outputs, ..rig() }.run();
                resumed.result.as_ref().unwrap();
                assert_eq!(last(&resumed).replica, last(&whole).replica);
                assert_eq!(resumed.visible(), whole.visible());
                assert_eq!((resumed.count(1), resumed.count(2)), (whole.count(1), whole.count(2)));
            }
        }
    });
}

#[test]
fn pairs_come_to_every_replica_with_the_epoch_they_were_read_with() {
    again(|| {
        let alone = state(&last(&rig(2).run()).replica).mark;
        for peers in [1, 2, 3] {
            let ran = Rig { paired: true, ..rig(peers) }.run();
            ran.result.as_ref().unwrap();
            for states in ran.states.values() {
                assert!(states.values().all(|state| *state == states[&0]));
            }
            let end = state(&last(&ran).replica);
            // One an epoch: the first epochs have four rows each, and the pair names the epoch.
            assert_eq!(end.pairs, (0..EPOCHS).map(|epoch| (epoch, epoch as i64)).collect::<Vec<_>>());
            assert_ne!(end.mark, alone);
            // What is no pair is a dead letter, and neither is an input row.
            assert_eq!(ran.count(2) as u64, EPOCHS.div_ceil(3));
            let rejected = ran.reports.iter().map(|report| report.rejected.get("unknown_link").copied().unwrap_or(0));
            assert_eq!(rejected.sum::<u64>(), EPOCHS.div_ceil(3));
            assert_eq!(ran.reports.iter().map(|report| report.input_rows).sum::<u64>(), ROWS as u64);
        }
    });
}

#[test]
fn nothing_is_visible_that_no_checkpoint_covers() {
    again(|| {
        let crashed = Rig { fault: Fault::Keep(0), ..rig(3) }.run();
        assert_eq!((crashed.count(0), crashed.count(1)), (0, 0));
        let crashed = Rig { fault: Fault::Keep(1), ..rig(3) }.run();
        // Epochs 0 to 2, of which the last is still held.
        assert!(crashed.count(0) <= 8, "{}", crashed.count(0));
    });
}

#[test]
fn a_stop_ends_the_run_after_an_epoch_with_a_checkpoint_to_go_on_from() {
    again(|| {
        for peers in [1, 2, 3] {
            let whole = rig(peers).run();
            let stopped = Rig { stop_at: Some(4), ..rig(peers) }.run();
            stopped.result.as_ref().unwrap();
            let kept = last(&stopped).clone();
            assert!(!kept.finished && (4..EPOCHS - 1).contains(&kept.epoch), "stopped after epoch {}", kept.epoch);
            assert_eq!(stopped.states.len() as u64, kept.epoch + 1, "epochs after the last were begun");
            each_offset_once(&stopped, 4 * kept.epoch as usize);
            let resumed = Rig { resume: Some(kept), outputs: stopped.outputs, ..rig(peers) }.run();
            assert_eq!(resumed.visible(), whole.visible());
            assert_eq!(last(&resumed).replica, last(&whole).replica);
        }
    });
}

#[test]
fn a_stop_at_the_end_of_the_input_changes_nothing() {
    again(|| {
        let ran = Rig { stop_at: Some(EPOCHS - 1), ..rig(2) }.run();
        ran.result.as_ref().unwrap();
        assert!(last(&ran).finished);
        each_offset_once(&ran, ROWS);
    });
}

#[test]
fn a_fault_of_one_worker_ends_all_and_is_returned() {
    again(|| {
        for peers in [1, 2, 3] {
            for worker in [0, peers - 1] {
                let run = |fault| Rig { fault, ..rig(peers) }.run().result.unwrap_err();
                assert!(matches!(run(Fault::Start(worker)), FlowError::Connector(_)));
                for epoch in [0, 6] {
                    assert!(run(Fault::Read(worker, epoch)).to_string().contains("reading is broken"));
                    let model = run(Fault::Model(worker, epoch));
                    assert!(matches!(model, FlowError::Replica(ReplicaError::Model(_))), "{model:?}");
                }
                for (fault, text) in [
                    (Fault::Write(worker), "writing is broken"),
                    (Fault::Prepare(worker), "preparing is broken"),
                    (Fault::Commit(worker), "committing is broken"),
                ] {
                    let error = run(fault).to_string();
                    assert!(error.contains(text), "{fault:?}: {error}");
                }
            }
        }
    });
}

#[test]
fn a_panic_of_one_worker_ends_all_and_is_returned() {
    again(|| {
        for peers in [1, 2, 3] {
            for worker in [0, peers - 1] {
                for epoch in [0, 6] {
                    for fault in [Fault::ReadPanics(worker, epoch), Fault::ModelPanics(worker, epoch)] {
                        let ran = Rig { fault, ..rig(peers) }.run();
                        assert!(matches!(ran.result, Err(FlowError::Panicked)), "{fault:?}: {:?}", ran.result);
                    }
                }
            }
        }
    });
}

#[test]
fn a_panic_of_a_thread_that_writes_ends_all_and_is_returned() {
    again(|| {
        for peers in [1, 3] {
            for fault in
                [Fault::WritePanics(0), Fault::WritePanics(peers - 1), Fault::KeepPanics(0), Fault::KeepPanics(2)]
            {
                let ran = Rig { fault, ..rig(peers) }.run();
                assert!(matches!(ran.result, Err(FlowError::Panicked)), "{fault:?}: {:?}", ran.result);
            }
        }
    });
}

#[test]
fn rows_go_on_while_a_checkpoint_is_written_and_not_further_than_that() {
    again(|| {
        for peers in [1, 2, 3] {
            let ran = Rig { fault: Fault::SlowKeep, ..rig(peers) }.run();
            ran.result.as_ref().unwrap();
            let (ends, others): (Vec<&Kept>, Vec<&Kept>) = ran.kept.iter().partition(|kept| kept.finished);
            assert!(ends.len() == 1 && others.len() > 2);
            let ahead: Vec<u64> = others.iter().map(|kept| kept.ahead).collect();
            assert!(ahead.iter().all(|ahead| (1..super::AHEAD).contains(ahead)), "{ahead:?}");
            each_offset_once(&ran, ROWS);
        }
    });
}

#[test]
fn with_two_passes_only_the_last_one_is_emitted() {
    again(|| {
        for peers in [1, 2, 3] {
            let ran = Rig { passes: 2, ..rig(peers) }.run();
            ran.result.as_ref().unwrap();
            let end = state(&last(&ran).replica);
            assert_eq!((end.rows, end.sum, end.epochs), (2 * ROWS as u64, 2.0 * sum(ROWS), 2 * EPOCHS));
            each_offset_once(&ran, ROWS);
            assert!(ran.sorted().iter().all(|row| row.2), "rows that were seen before are warm-up rows");
            assert!(last(&ran).finished && ran.kept.iter().filter(|kept| kept.finished).count() == 1);
        }
    });
}

#[test]
fn workers_without_rows_take_part_all_the_same() {
    again(|| {
        for partitions in [&[9][..], &[0, 0, 9], &[1]] {
            let ran = Rig::new(3, batches(partitions)).run();
            ran.result.as_ref().unwrap();
            let rows = partitions.iter().sum();
            each_offset_once(&ran, rows);
            assert_eq!(state(&last(&ran).replica).sum, sum(rows));
        }
    });
}

#[test]
fn workers_that_run_ahead_on_their_own_rows_end_when_the_last_one_does() {
    again(|| {
        for partitions in [&PARTITIONS[..], &[40, 0, 3], &[0, 30, 0], &[5]] {
            let ran = Rig { ordered: false, ..Rig::new(3, batches(partitions)) }.run();
            ran.result.as_ref().unwrap();
            let rows = partitions.iter().sum();
            each_offset_once(&ran, rows);
            assert_eq!(state(&last(&ran).replica).sum, sum(rows));
            assert!(last(&ran).finished);
        }
    });
}

#[test]
fn an_input_without_rows_ends_at_once() {
    let ran = Rig::new(2, batches(&[0])).run();
    ran.result.as_ref().unwrap();
    assert!(last(&ran).finished && ran.count(0) == 0);
}

/// Nine rows, of which the fifth has no feature.
fn with_a_hole() -> Vec<RecordBatch> {
    let values: Float32Array = (0..9).map(|i| (i != 4).then_some(i as f32)).collect();
    let columns: [(&str, ArrayRef); 2] =
        [("x", Arc::new(values)), ("label", Arc::new(Int64Array::from_iter_values(0..9)))];
    vec![RecordBatch::try_from_iter(columns).unwrap()]
}

#[test]
fn unusable_rows_are_written_once_however_often_they_are_read() {
    for passes in [1, 2] {
        let ran = Rig { passes, ..Rig::new(2, with_a_hole()) }.run();
        ran.result.as_ref().unwrap();
        assert_eq!((ran.count(0), ran.count(2)), (8, 1));
        assert_eq!(ran.reports.iter().flat_map(|report| report.rejected.values()).sum::<u64>(), 1);
    }
}

#[test]
fn an_unusable_row_ends_the_run_where_that_is_asked_for() {
    let ran = Rig { on_error: OnError::Fail, ..Rig::new(2, with_a_hole()) }.run();
    let Err(FlowError::Rejected { source_name, offset, .. }) = ran.result else { panic!("{:?}", ran.result) };
    assert_eq!((source_name.as_str(), offset), ("memory", 4));
}
