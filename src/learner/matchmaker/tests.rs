use arrow_array::{ArrayRef, Int32Array, RecordBatch};

use super::super::pairs::Ascent;
use super::super::supervision::ListedPair;
use super::*;

/// Row `i` has label `i % 3`, null for every tenth row.
fn arrivals(count: i64) -> Vec<(Arrival, Item)> {
    let labels: Int32Array = (0..count).map(|i| (i % 10 != 9).then_some((i % 3) as i32)).collect();
    let batch = RecordBatch::try_from_iter_with_nullable([("label", Arc::new(labels) as ArrayRef, true)]).unwrap();
    let batch = Arc::new(batch);
    (0..count)
        .map(|i| {
            let coordinates = Coordinates { source: "s".into(), partition: 0, offset: i };
            let (key, series) = ("".into(), "".into());
            let row =
                Row { coordinates, sequence: i as u64, key, series, event_time: None, features: vec![i as f32].into() };
            let row = Arc::new(row);
            (Arrival { row: Arc::clone(&row), extras: Some((Arc::clone(&batch), i as usize)) }, (row, 0))
        })
        .collect()
}

fn supervision(teacher: Teacher) -> Supervision {
    Supervision { teacher, batch_share: 0.4, ascent: Ascent::default(), reseats: 4 }
}

fn labels(fraction: f64, ignore: Option<&str>) -> Supervision {
    supervision(Teacher::Labels { fraction, partners: 1.0, ignore: ignore.map(str::to_owned) })
}

fn meet(matchmaker: &mut Matchmaker, supervision: &Supervision, rows: &[(Arrival, Item)], store: &mut PairStore) {
    for (arrival, item) in rows {
        matchmaker.meet(supervision, 5, arrival, item, store);
    }
}

fn sequences(store: &PairStore) -> Vec<(u64, u64, Link)> {
    store.pairs().iter().map(|pair| (pair.first.0.sequence, pair.second.0.sequence, pair.link)).collect()
}

#[test]
fn the_stated_share_of_rows_is_paired_truthfully() {
    let (mut matchmaker, mut store) = (Matchmaker::default(), PairStore::default());
    let rows = arrivals(3_000);
    meet(&mut matchmaker, &labels(0.2, None), &rows, &mut store);
    let pairs = sequences(&store);
    // 0.2 of the 2,700 rows that have a label, give or take four standard deviations.
    assert!((460..=620).contains(&pairs.len()), "{}", pairs.len());
    let must = pairs.iter().filter(|pair| pair.2 == Link::Must).count() as f64 / pairs.len() as f64;
    assert!((0.4..0.6).contains(&must), "{must}");
    for (first, second, link) in &pairs {
        assert!(first > second, "the partner came before");
        assert_eq!(first % 3 == second % 3, *link == Link::Must);
        assert!(first % 10 != 9 && second % 10 != 9, "a row without a label is in no pair");
    }
    let ends: std::collections::BTreeSet<u64> = pairs.iter().flat_map(|pair| [pair.0, pair.1]).collect();
    // A second reading shows no row's label that the first did not.
    meet(&mut matchmaker, &labels(0.2, None), &rows, &mut store);
    assert!(sequences(&store).iter().all(|pair| ends.contains(&pair.0) && ends.contains(&pair.1)));
}

#[test]
fn labels_of_rows_that_do_not_show_theirs_change_nothing() {
    let (mut one, mut other) = (PairStore::default(), PairStore::default());
    let rows = arrivals(600);
    meet(&mut Matchmaker::default(), &labels(0.3, None), &rows, &mut one);
    let shown: std::collections::BTreeSet<u64> = one.pairs().iter().map(|pair| pair.first.0.sequence).collect();
    let first_shown = one.pairs()[0].second.0.sequence;
    let lies: Int32Array = (0..600)
        .map(|i| if shown.contains(&i) || i == first_shown { (i % 10 != 9).then_some((i % 3) as i32) } else { Some(7) })
        .collect();
    let batch = RecordBatch::try_from_iter_with_nullable([("label", Arc::new(lies) as ArrayRef, true)]).unwrap();
    let batch = Arc::new(batch);
    let hidden: Vec<(Arrival, Item)> = rows
        .iter()
        // Rows without a label take part in the draw too.
        .filter(|(arrival, _)| arrival.row.sequence % 10 != 9)
        .map(|(arrival, item)| {
            let place = arrival.row.sequence as usize;
            (Arrival { row: Arc::clone(&arrival.row), extras: Some((Arc::clone(&batch), place)) }, item.clone())
        })
        .collect();
    meet(&mut Matchmaker::default(), &labels(0.3, None), &hidden, &mut other);
    assert_eq!(sequences(&one), sequences(&other));
}

#[test]
fn a_label_is_used_in_as_many_pairs_as_asked_for_without_showing_more_labels() {
    let rows = arrivals(3_000);
    let ends = |partners: f64| {
        let mut store = PairStore::default();
        let taught = supervision(Teacher::Labels { fraction: 0.2, partners, ignore: None });
        meet(&mut Matchmaker::default(), &taught, &rows, &mut store);
        let pairs = sequences(&store);
        assert!(pairs.iter().all(|(first, second, link)| (first % 3 == second % 3) == (*link == Link::Must)));
        let rows: std::collections::BTreeSet<u64> = pairs.iter().map(|pair| pair.0).collect();
        (pairs.len() as f64, rows)
    };
    let (one, half, many) = (ends(1.0), ends(0.5), ends(3.25));
    assert!((0.4..0.6).contains(&(half.0 / one.0)), "{half:?}");
    assert!((3.1..3.4).contains(&(many.0 / one.0)), "{many:?}");
    assert!(half.1.is_subset(&one.1) && many.1.len() <= one.1.len() + 1);
}

#[test]
fn an_ignored_label_is_no_label() {
    let mut store = PairStore::default();
    meet(&mut Matchmaker::default(), &labels(1.0, Some("1")), &arrivals(90), &mut store);
    assert!(!store.is_empty());
    assert!(sequences(&store).iter().all(|pair| pair.0 % 3 != 1 && pair.1 % 3 != 1));
}

#[test]
fn a_listed_pair_is_made_when_its_second_row_arrives_and_only_once() {
    let end = |offset: i64| Coordinates { source: "s".into(), partition: 0, offset };
    let list = PairList::new(vec![
        ListedPair { ends: [end(7), end(2)], link: Link::Cannot },
        ListedPair { ends: [end(2), end(3)], link: Link::Must },
        ListedPair { ends: [end(4), end(500)], link: Link::Must },
    ]);
    let supervision = supervision(Teacher::Pairs(Arc::new(list)));
    let (mut matchmaker, mut store) = (Matchmaker::default(), PairStore::default());
    let rows = arrivals(20);
    meet(&mut matchmaker, &supervision, &rows, &mut store);
    meet(&mut matchmaker, &supervision, &rows, &mut store);
    assert_eq!(sequences(&store), [(2, 3, Link::Must), (2, 7, Link::Cannot)]);
}

#[test]
fn a_matchmaker_survives_packing() {
    let (mut matchmaker, mut store) = (Matchmaker::default(), PairStore::default());
    meet(&mut matchmaker, &labels(0.5, None), &arrivals(50), &mut store);
    let mut table = RowTable::default();
    let packed = postcard::to_stdvec(&matchmaker.pack(&mut table)).unwrap();
    let rows = table.into_rows();
    assert_eq!(Matchmaker::unpack(postcard::from_bytes(&packed).unwrap(), &rows).unwrap(), matchmaker);
    assert!(Matchmaker::unpack(postcard::from_bytes(&packed).unwrap(), &rows[1..]).is_err());
}
