use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Int64Array, RecordBatch};
use proptest::prelude::*;

use super::*;
use crate::connector::format::{Decoded, Reject};
use crate::data::RawMessages;

const WIDE: Room = Room { rows: 1_000, bytes: 1 << 30 };

fn partition(number: i32) -> Partition {
    Partition { topic: Arc::from("t"), number }
}

/// Messages from `offset` on: so many rows each; a message of no rows is a reject. A row's value is its offset.
fn block(number: i32, offset: i64, messages: &[usize]) -> Block {
    let mut raw = RawMessages::default();
    let (mut values, mut origins, mut rejects) = (Vec::new(), Vec::new(), Vec::new());
    for (message, &rows) in messages.iter().enumerate() {
        raw.push(None, Some(b"x"), Vec::new(), None);
        values.extend(std::iter::repeat_n(offset + message as i64, rows));
        origins.extend(std::iter::repeat_n(message, rows));
        if rows == 0 {
            rejects.push(Reject { message, reason: "undecodable", detail: "no".to_owned() });
        }
    }
    let batch = RecordBatch::try_from_iter([("x", Arc::new(Int64Array::from(values)) as _)]).unwrap();
    let offsets = (0..messages.len() as i64).map(|message| offset + message).collect();
    Block::new(partition(number), raw, offsets, Decoded { batch, origins, rejects })
}

/// Sequence number, partition and offset of each row of an epoch, and the offsets of the rejects.
fn rows(hub: &Hub, epoch: u64) -> (Vec<(u64, i32, i64)>, Vec<i64>) {
    let (mut rows, mut letters) = (Vec::new(), Vec::new());
    for worker in 0..hub.peers {
        let part = hub.read(epoch, worker, Instant::now()).unwrap().expect("the epoch is formed");
        for records in part.records {
            let values = records.batch.column(0).as_primitive::<Int64Type>().clone();
            for i in 0..records.batch.num_rows() {
                assert_eq!(records.offset(i), values.value(i));
                assert_eq!(
                    Partition { topic: Arc::clone(&records.source), number: records.partition }.worker(hub.peers),
                    worker
                );
                rows.push((records.first_sequence + i as u64, records.partition, records.offset(i)));
            }
        }
        letters.extend(part.letters.iter().map(|letter| letter.coordinates.offset));
    }
    rows.sort_unstable();
    (rows, letters)
}

fn hub(epoch_rows: usize, peers: usize) -> Hub {
    let hub = Hub::new(epoch_rows, peers, WIDE, 0, Position::default());
    for number in 0..3 {
        hub.open(&partition(number), 0);
    }
    hub
}

#[test]
fn an_epoch_waits_for_its_rows_but_not_at_the_end_of_all_partitions() {
    let hub = hub(4, 1);
    let start = Instant::now();
    assert!(hub.read(0, 0, start).unwrap().is_none());
    hub.publish(block(1, 0, &[1, 1, 1]));
    assert!(hub.read(0, 0, start).unwrap().is_none());
    (0..3).for_each(|number| hub.at_end(number));
    assert_eq!(rows(&hub, 0).0, [(0, 1, 0), (1, 1, 1), (2, 1, 2)]);
    // The next one fills up to the same boundary.
    hub.publish(block(1, 3, &[1, 1, 1]));
    assert_eq!(rows(&hub, 1).0, [(3, 1, 3)]);
    assert_eq!(hub.position_after(1).place("t", 1), Some(Place { offset: 4, row: 0 }));
}

#[test]
fn rows_leave_after_a_while_whatever_a_silent_partition_does() {
    let hub = hub(4, 1);
    let start = Instant::now();
    hub.publish(block(0, 0, &[1]));
    hub.at_end(0);
    assert!(hub.read(0, 0, start).unwrap().is_none());
    assert!(hub.read(0, 0, start + LINGER).unwrap().is_some());
}

#[test]
fn partitions_take_turns_and_the_full_ones_fill_up() {
    let hub = hub(8, 2);
    hub.publish(block(0, 0, &[1; 20]));
    hub.publish(block(2, 0, &[1; 3]));
    let (rows, _) = rows(&hub, 0);
    let of = |number| rows.iter().filter(|row| row.1 == number).count();
    assert_eq!((of(0), of(2)), (5, 3));
    assert_eq!(rows.iter().map(|row| row.0).collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
}

#[test]
fn a_cut_epoch_may_be_empty() {
    let hub = hub(4, 2);
    hub.cut(0, Instant::now());
    hub.cut(0, Instant::now());
    assert_eq!(rows(&hub, 0), (vec![], vec![]));
    assert!(hub.read(1, 0, Instant::now()).unwrap().is_none());
}

#[test]
fn a_message_that_is_taken_half_is_gone_on_with_after_a_restart() {
    let hub = hub(4, 1);
    hub.publish(block(0, 10, &[3, 0, 3, 3]));
    let (taken, letters) = rows(&hub, 0);
    assert_eq!((taken.len(), letters), (3, vec![11]));
    // Three rows and a reject are four; the fourth row completes the epoch of four rows.
    assert_eq!(rows(&hub, 1).0, [(3, 0, 12)]);
    let position = hub.position_after(1);
    assert_eq!(
        (position.place("t", 0), position.sequence, position.rejected),
        (Some(Place { offset: 12, row: 1 }), 4, 1)
    );
    let again = Hub::new(4, 1, WIDE, 2, position);
    assert_eq!(again.open(&partition(0), 0).offset, 12);
    again.publish(block(0, 12, &[3, 3]));
    assert_eq!(rows(&again, 2).0, [(4, 0, 12), (5, 0, 12), (6, 0, 13), (7, 0, 13)]);
}

#[test]
fn there_is_no_room_while_rows_wait() {
    let hub = Hub::new(4, 2, Room { rows: 8, bytes: 1 << 30 }, 0, Position::default());
    let (own, other) = (partition(0), partition(1));
    for known in [&own, &other] {
        hub.open(known, 0);
    }
    hub.publish(block(0, 0, &[1; 9]));
    assert!(!hub.room(own.worker(2), Duration::ZERO) && hub.room(other.worker(2), Duration::ZERO));
    rows(&hub, 0);
    assert!(hub.room(own.worker(2), Duration::ZERO));
    hub.close();
    assert!(hub.closed());
}

#[test]
fn a_fault_is_told_once() {
    let hub = hub(4, 1);
    hub.fail(ConnectorError::Kafka { problem: "gone".to_owned() });
    assert!(hub.read(0, 0, Instant::now()).is_err());
    assert!(hub.read(0, 0, Instant::now()).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_row_comes_once_in_the_order_of_its_partition_whatever_the_restarts(
        messages in prop::collection::vec(prop::collection::vec(0_usize..4, 1..12), 3),
        epoch_rows in 1_usize..6,
        peers in 1_usize..4,
        restart_every in 1_u64..5,
    ) {
        let (mut position, mut epoch) = (Position::default(), 0);
        let mut seen: Vec<(u64, i32, i64)> = Vec::new();
        let mut rejected = 0;
        loop {
            let hub = Hub::new(epoch_rows, peers, WIDE, epoch, position.clone());
            for (number, messages) in messages.iter().enumerate() {
                let from = hub.open(&partition(number as i32), 0).offset as usize;
                if from < messages.len() {
                    hub.publish(block(number as i32, from as i64, &messages[from..]));
                }
                hub.at_end(number as i32);
            }
            for _ in 0..restart_every {
                hub.cut(epoch, Instant::now());
                let (rows, letters) = rows(&hub, epoch);
                seen.extend(rows);
                rejected += letters.len();
                epoch += 1;
            }
            let after = hub.position_after(epoch - 1);
            if after == position {
                break;
            }
            position = after;
        }
        prop_assert_eq!(seen.iter().map(|row| row.0).collect::<Vec<_>>(), (0..seen.len() as u64).collect::<Vec<_>>());
        for (number, messages) in messages.iter().enumerate() {
            let expected: Vec<i64> =
                messages.iter().enumerate().flat_map(|(offset, &rows)| std::iter::repeat_n(offset as i64, rows)).collect();
            let own: Vec<i64> = seen.iter().filter(|row| row.1 == number as i32).map(|row| row.2).collect();
            prop_assert_eq!(own, expected);
        }
        prop_assert_eq!(rejected, messages.iter().flatten().filter(|&&rows| rows == 0).count());
        prop_assert_eq!((position.sequence, position.rejected), (seen.len() as u64, rejected as u64));
    }

    #[test]
    fn shares_are_even_and_complete(waiting in prop::collection::vec(0_usize..20, 0..6), needed in 0_usize..40) {
        let dealt = shares(waiting.iter().copied(), needed);
        prop_assert_eq!(dealt.iter().sum::<usize>(), needed.min(waiting.iter().sum()));
        let most = dealt.iter().copied().max().unwrap_or(0);
        for (dealt, waiting) in dealt.iter().zip(&waiting) {
            prop_assert!(dealt <= waiting && (dealt == waiting || dealt + 1 >= most));
        }
    }
}
