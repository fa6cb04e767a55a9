use proptest::prelude::*;

use super::super::pairs::Ascent;
use super::*;

const ORDERED: Manners = Manners { ordered: true, room: 100 };

fn at(offset: i64) -> Coordinates {
    Coordinates { source: "s".into(), partition: 0, offset }
}

fn row(offset: i64) -> Arc<Row> {
    let (key, series) = ("".into(), "".into());
    let (coordinates, features) = (at(offset), vec![offset as f32]);
    Arc::new(Row { coordinates, sequence: offset as u64, key, series, event_time: None, features: features.into() })
}

fn arrival(offset: i64) -> Arrival {
    Arrival { row: row(offset), extras: None }
}

/// Says something about two rows while `known` are remembered; the offsets of what can be learned from at once.
fn say(live: &mut LivePairs, pair: (i64, i64), known: &[i64], manners: Manners) -> Vec<(i64, i64)> {
    let rows: Vec<Arc<Row>> = known.iter().map(|offset| row(*offset)).collect();
    let known = rows.iter().map(|row| (row, 0));
    let made = live.take(vec![([at(pair.0), at(pair.1)], true)], known, manners);
    made.iter().map(|(first, second, _)| (first.0.coordinates.offset, second.0.coordinates.offset)).collect()
}

fn counts(live: &LivePairs) -> (u64, u64, u64, u64) {
    let PairCounts { taken, made, waiting, gone, dropped } = live.counts();
    assert_eq!(taken, made + waiting + gone + dropped);
    (made, waiting, gone, dropped)
}

fn offsets(store: &PairStore) -> Vec<(i64, i64)> {
    let offset = |(row, _): &Item| row.coordinates.offset;
    store.pairs().iter().map(|pair| (offset(&pair.first), offset(&pair.second))).collect()
}

#[test]
fn a_late_pair_finds_the_rows_that_are_remembered() {
    let mut live = LivePairs::default();
    live.pass(&[arrival(9)], true);
    assert_eq!(say(&mut live, (7, 2), &[2, 5, 7], ORDERED), [(7, 2)]);
    assert_eq!(counts(&live), (1, 0, 0, 0));
}

#[test]
fn an_early_pair_waits_for_both_of_its_rows() {
    let (mut live, mut store) = (LivePairs::default(), PairStore::new(Ascent::default()));
    live.pass(&[arrival(9)], true);
    // One of its rows is remembered, and need not be by the time the other comes.
    assert!(say(&mut live, (8, 12), &[8], ORDERED).is_empty());
    assert!(say(&mut live, (13, 11), &[], ORDERED).is_empty());
    for offset in 10..13 {
        live.meet(&(row(offset), 0), &mut store);
        live.pass(&[arrival(offset)], true);
    }
    assert_eq!((offsets(&store), counts(&live)), (vec![(8, 12)], (1, 1, 0, 0)));
    // The row that waits for another is remembered by that.
    assert_eq!(say(&mut live, (8, 11), &[8], ORDERED), [(8, 11)]);
    live.meet(&(row(13), 0), &mut store);
    assert_eq!((offsets(&store), counts(&live)), (vec![(8, 12), (13, 11)], (3, 0, 0, 0)));
    assert!(live.awaited.is_empty());
}

#[test]
fn a_pair_goes_when_a_row_of_it_was_passed_over() {
    let (mut live, mut store) = (LivePairs::default(), PairStore::new(Ascent::default()));
    live.pass(&[arrival(9)], true);
    // Forgotten before it was asked for.
    say(&mut live, (3, 12), &[], ORDERED);
    assert_eq!(counts(&live), (0, 0, 1, 0));
    // Row 11 could not be used, and another partition says nothing about it.
    say(&mut live, (10, 11), &[], ORDERED);
    let mut elsewhere = Row::clone(&row(50));
    elsewhere.coordinates.partition = 1;
    live.meet(&(row(10), 0), &mut store);
    live.pass(&[arrival(10), Arrival { row: Arc::new(elsewhere), extras: None }], true);
    assert_eq!(counts(&live), (0, 1, 1, 0));
    live.pass(&[arrival(12)], true);
    assert_eq!((counts(&live), live.awaited.len()), ((0, 0, 2, 0), 0));
}

#[test]
fn where_rows_come_in_any_order_nobody_is_given_up() {
    let (mut live, mut store) = (LivePairs::default(), PairStore::new(Ascent::default()));
    live.pass(&[arrival(9)], false);
    say(&mut live, (3, 12), &[], Manners { ordered: false, ..ORDERED });
    live.meet(&(row(12), 0), &mut store);
    live.pass(&[arrival(12)], false);
    live.meet(&(row(3), 0), &mut store);
    assert_eq!((offsets(&store), counts(&live)), (vec![(3, 12)], (1, 0, 0, 0)));
}

#[test]
fn the_oldest_goes_where_too_many_wait() {
    let (mut live, mut store) = (LivePairs::default(), PairStore::new(Ascent::default()));
    for second in 1..4 {
        say(&mut live, (0, second), &[], Manners { room: 2, ..ORDERED });
    }
    assert_eq!(counts(&live), (0, 2, 0, 1));
    (0..4).for_each(|offset| live.meet(&(row(offset), 0), &mut store));
    assert_eq!((offsets(&store), counts(&live)), (vec![(0, 2), (0, 3)], (2, 0, 0, 1)));
}

fn packed(live: &LivePairs) -> LivePairs {
    let mut table = RowTable::default();
    let bytes = postcard::to_stdvec(&live.pack(&mut table)).unwrap();
    LivePairs::unpack(postcard::from_bytes(&bytes).unwrap(), &table.into_rows()).unwrap()
}

#[test]
fn a_row_that_is_missing_from_a_snapshot_is_told() {
    let mut live = LivePairs::default();
    say(&mut live, (1, 5), &[1], ORDERED);
    let packed = live.pack(&mut RowTable::default());
    assert!(LivePairs::unpack(packed, &[]).unwrap_err().contains("is missing"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Pairs at any time, of which the last `memory` rows are remembered; a restart now and then.
    #[test]
    fn every_pair_comes_to_one_end_whatever_the_order_and_the_restarts(
        pairs in prop::collection::vec((0_i64..40, 0_i64..40, 0_i64..40), 0..60),
        memory in 0_i64..40,
        room in 1_usize..20,
        restarts in prop::collection::btree_set(0_i64..40, 0..6),
    ) {
        let manners = Manners { ordered: true, room };
        let (mut live, mut store) = (LivePairs::default(), PairStore::new(Ascent::default()));
        let mut made = Vec::new();
        for now in 0..40 {
            let known: Vec<i64> = ((now - memory).max(0)..now).collect();
            for (first, second, _) in pairs.iter().filter(|(first, second, when)| *when == now && first != second) {
                made.extend(say(&mut live, (*first, *second), &known, manners));
            }
            live.meet(&(row(now), 0), &mut store);
            live.pass(&[arrival(now)], true);
            counts(&live);
            if restarts.contains(&now) {
                let again = packed(&live);
                prop_assert_eq!(&again, &live);
                live = again;
            }
        }
        let (all, waiting, ..) = counts(&live);
        prop_assert_eq!((waiting, live.awaited.len()), (0, 0));
        prop_assert!(all as usize >= made.len() + store.len());
        for (first, second) in made.into_iter().chain(offsets(&store)) {
            prop_assert!(pairs.iter().any(|(one, other, _)| (*one, *other) == (first, second) || (*one, *other) == (second, first)));
        }
        // Nothing that could be made was not, unless there was no room for it.
        if room >= pairs.len() {
            let possible = pairs.iter().filter(|(first, second, when)| {
                let there = |offset: &i64| *offset >= *when - memory;
                first != second && there(first) && there(second)
            });
            prop_assert!(all as usize >= possible.count());
        }
    }
}
