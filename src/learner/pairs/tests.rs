use super::*;
use crate::data::Coordinates;
use crate::stats::random::stream;

fn end(number: u64) -> Item {
    let coordinates = Coordinates { source: "s".into(), partition: 0, offset: number as i64 };
    let (key, series) = ("".into(), "".into());
    let features = vec![number as f32].into();
    (Arc::new(Row { coordinates, sequence: number, key, series, event_time: None, features }), 0)
}

fn store(capacity: usize, pairs: u64) -> PairStore {
    let mut store = PairStore::new(Ascent { capacity, ..Ascent::default() });
    for number in 0..pairs {
        let link = if number % 2 == 0 { Link::Must } else { Link::Cannot };
        store.insert(end(number), end(number + 100), link);
    }
    store
}

fn firsts(store: &PairStore) -> Vec<u64> {
    store.pairs().iter().map(|pair| pair.first.0.sequence).collect()
}

/// Equation 17 with step 1 and cap 2.
#[test]
fn multipliers_rise_by_what_is_violated_up_to_the_cap() {
    let mut store = store(10, 3);
    store.ascend(&[0, 1], &[0.75, 0.75]);
    let multipliers: Vec<f32> = store.pairs().iter().map(|pair| pair.multiplier).collect();
    assert_eq!(multipliers, [1.25, 1.75, 1.0]);
    store.ascend(&[0, 1], &[0.0, 1.0]);
    assert!(store.pairs()[..2].iter().all(|pair| pair.multiplier == 2.0));
    store.ascend(&[2], &[f32::NAN]);
    assert_eq!(store.pairs()[2].multiplier, 1.0);
    assert!(store.renewed().pairs().iter().all(|pair| pair.multiplier == 1.0 && pair.violation == 1.0));
}

#[test]
fn a_full_store_lets_the_oldest_kept_pair_go() {
    let mut store = store(4, 4);
    // Pairs 1 (cannot-link) and 2 (must-link) are kept, the others are not.
    store.ascend(&[0, 1, 2, 3], &[0.2, 0.01, 0.99, 0.9]);
    store.insert(end(10), end(11), Link::Must);
    assert_eq!(firsts(&store), [0, 10, 2, 3]);
    store.insert(end(12), end(13), Link::Must);
    assert_eq!(firsts(&store), [0, 10, 12, 3]);
    // None is kept: the oldest goes, from where the search stands.
    store.insert(end(14), end(15), Link::Must);
    assert_eq!(firsts(&store), [0, 10, 12, 14]);
    store.insert(end(16), end(17), Link::Must);
    assert_eq!(firsts(&store), [16, 10, 12, 14]);
}

#[test]
fn the_last_word_on_two_rows_counts() {
    let mut store = store(3, 2);
    store.ascend(&[0, 1], &[0.2, 0.2]);
    // The same once more, from the other end: nothing new.
    store.say(end(100), end(0), Link::Must);
    assert_eq!((store.len(), store.pairs()[0].multiplier, store.pairs()[0].violation), (2, 1.8, 0.8));
    store.say(end(100), end(0), Link::Cannot);
    let pair = &store.pairs()[0];
    assert_eq!((store.len(), pair.link, pair.multiplier, pair.violation), (2, Link::Cannot, 1.0, 1.0));
    store.say(end(0), end(101), Link::Must);
    // The oldest goes, and it can be said again afterwards.
    store.say(end(5), end(6), Link::Must);
    assert_eq!(firsts(&store), [5, 1, 0]);
    store.say(end(0), end(100), Link::Must);
    assert_eq!(firsts(&store), [5, 0, 0]);
}

#[test]
fn a_draw_names_each_pair_once_and_an_empty_store_draws_nothing() {
    let mut rng = stream(1, "draw", 0);
    let mut places = store(20, 9).draw(50, &mut rng);
    places.sort_unstable();
    assert_eq!(places, (0..9).collect::<Vec<_>>());
    let before = rng.clone();
    assert!(store(20, 0).draw(50, &mut rng).is_empty());
    assert_eq!(rng, before, "no random number is taken");
}

#[test]
fn a_store_survives_packing() {
    let mut full = store(4, 6);
    full.ascend(&[1, 3], &[0.5, 0.4]);
    let mut table = RowTable::default();
    let packed = postcard::to_stdvec(&full.pack(&mut table)).unwrap();
    let rows = table.into_rows();
    let unpack = |rows: &[Arc<Row>]| PairStore::unpack(postcard::from_bytes(&packed).unwrap(), rows);
    assert_eq!(unpack(&rows).unwrap(), full);
    assert!(unpack(&rows[..2]).unwrap_err().contains("is missing"));
}
