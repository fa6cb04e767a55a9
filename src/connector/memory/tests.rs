use super::*;
use crate::connector::sample::{all_rows, ids, numbered};

const ALONE: Share = Share { index: 0, peers: 1 };

#[test]
fn batches_are_one_input_with_running_offsets() {
    let mut source = MemorySource::new(
        "test",
        vec![numbered(0..3), numbered(3..3), numbered(3..8)],
        ALONE,
        Pace::Ordered { rows: 4 },
    );
    assert_eq!(source.total_rows(), Some(8));
    let Polled::Rows(records) = source.read(0).unwrap() else { panic!("the input has an epoch 0") };
    let seen: Vec<_> = records.iter().map(|r| (r.first_offset, r.first_sequence, ids(&r.batch))).collect();
    assert_eq!(seen, [(0, 0, vec![0, 1, 2]), (3, 3, vec![3])]);
    assert!(records.iter().all(|r| &*r.source == "test" && r.partition == 0));
    let Polled::Rows(records) = source.read(1).unwrap() else { panic!("the input has an epoch 1") };
    assert_eq!(records[0].coordinates(1).offset, 5);
    assert!(matches!(source.read(2).unwrap(), Polled::Exhausted));
}

#[test]
fn the_union_of_workers_is_the_whole_input() {
    let batches = || vec![numbered(0..5), numbered(5..6), numbered(6..13), numbered(13..14)];
    for pace in [Pace::Ordered { rows: 3 }, Pace::Free { rows: 3 }] {
        for peers in 1..=3 {
            let mut seen: Vec<i64> = (0..peers)
                .flat_map(|index| all_rows(&mut MemorySource::new("test", batches(), Share { index, peers }, pace)))
                .map(|(_, _, id)| id)
                .collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..14).collect::<Vec<_>>(), "{pace:?}, {peers} workers");
        }
    }
}

#[test]
fn rows_are_visible_once_their_checkpoint_is_durable() {
    let output = MemoryOutput::default();
    let mut sink = MemorySink::open(&output, 0, None).unwrap();
    sink.write(&numbered(0..2)).unwrap();
    let first = sink.prepare().unwrap();
    sink.write(&numbered(2..5)).unwrap();
    assert_eq!(output.committed_rows(), 0);
    let second = sink.prepare().unwrap();
    sink.commit(&first).unwrap();
    sink.commit(&first).unwrap();
    assert_eq!(output.committed_rows(), 2);
    sink.commit(&second).unwrap();
    sink.commit(&first).unwrap();
    assert_eq!(output.committed().iter().flat_map(ids).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

#[test]
fn a_restart_shows_what_its_checkpoint_covers_and_drops_the_rest() {
    let output = MemoryOutput::default();
    let mut sink = MemorySink::open(&output, 0, None).unwrap();
    sink.write(&numbered(0..2)).unwrap();
    let token = sink.prepare().unwrap();
    sink.write(&numbered(2..5)).unwrap();
    sink.prepare().unwrap();
    drop(sink);
    let mut sink = MemorySink::open(&output, 0, Some(&token)).unwrap();
    assert_eq!(output.committed_rows(), 2);
    sink.write(&numbered(2..5)).unwrap();
    sink.finish().unwrap();
    let last = sink.prepare().unwrap();
    sink.commit(&last).unwrap();
    assert_eq!(output.committed().iter().flat_map(ids).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

#[test]
fn a_token_that_does_not_fit_is_an_error() {
    let output = MemoryOutput::default();
    let mut sink = MemorySink::open(&output, 0, None).unwrap();
    assert!(sink.commit(&7_u64.to_le_bytes()).is_err());
    assert!(sink.commit(b"short").is_err());
    sink.write(&numbered(0..2)).unwrap();
    let token = sink.prepare().unwrap();
    sink.commit(&token).unwrap();
    assert!(MemorySink::open(&output, 0, None).unwrap_err().to_string().contains("does not match the checkpoint"));
}
