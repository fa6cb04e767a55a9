use proptest::prelude::*;

use super::*;
use crate::data::Coordinates;
use crate::stats::random::stream;

fn row(sequence: u64, time: i64) -> Arc<Row> {
    Arc::new(Row {
        coordinates: Coordinates { source: "s".into(), partition: 0, offset: sequence as i64 },
        sequence,
        key: "k".into(),
        series: "".into(),
        event_time: Some(time),
        features: vec![time as f32].into(),
    })
}

fn neighbours(sample: &Sample) -> Vec<i64> {
    let mut places: Vec<i64> = sample.before.iter().chain(&sample.after).map(|(place, _)| *place).collect();
    places.sort_unstable();
    places
}

proptest! {
    #[test]
    fn whatever_the_order_of_arrival_every_row_finds_its_neighbours(seed in 0u64..1000) {
        use rand::seq::SliceRandom;
        let mut order: Vec<i64> = (0..40).collect();
        order.shuffle(&mut stream(seed, "order", 0));
        let mut reservoir = Reservoir::new(100, Nearness::Time(3), None);
        let mut rng = stream(seed, "insert", 0);
        for (i, time) in order.into_iter().enumerate() {
            let sample = reservoir.admit(row(i as u64, time), 0, &mut []);
            reservoir.insert(sample, None, &mut rng);
        }
        for anchor in reservoir.anchors() {
            let expected: Vec<i64> =
                (anchor.place - 3..=anchor.place + 3).filter(|t| (0..40).contains(t) && *t != anchor.place).collect();
            prop_assert_eq!(neighbours(anchor), expected);
        }
    }

    #[test]
    fn a_packed_reservoir_goes_on_as_the_original(cut in 1usize..200) {
        let run = |stop: Option<usize>| {
            let mut reservoir = Reservoir::new(20, Nearness::Arrival, None);
            for i in 0..200u64 {
                if stop == Some(i as usize) {
                    let mut table = RowTable::default();
                    let packed = reservoir.pack(&mut table);
                    let bytes = postcard::to_stdvec(&packed).unwrap();
                    reservoir = Reservoir::unpack(postcard::from_bytes(&bytes).unwrap(), &table.into_rows()).unwrap();
                }
                let sample = reservoir.admit(row(i, 0), (i % 3) as u32, &mut []);
                reservoir.insert(sample, None, &mut stream(1, "r", i));
            }
            reservoir.anchors().to_vec()
        };
        prop_assert_eq!(run(None), run(Some(cut)));
    }
}

#[test]
fn anchors_are_bounded_and_uniform() {
    let mut early = 0;
    for seed in 0..200 {
        let mut reservoir = Reservoir::new(10, Nearness::Arrival, None);
        let mut rng = stream(seed, "uniform", 0);
        for i in 0..100 {
            let sample = reservoir.admit(row(i, 0), 0, &mut []);
            reservoir.insert(sample, None, &mut rng);
        }
        assert_eq!(reservoir.anchors().len(), 10);
        early += reservoir.anchors().iter().filter(|a| a.row.sequence < 50).count();
        assert!(reservoir.timelines[&0].len() <= 10 + RECENT);
    }
    assert!((850..1150).contains(&early), "{early} of 2000 anchors come from the first half");
}

#[test]
fn waiting_rows_learn_of_later_neighbours() {
    let mut reservoir = Reservoir::new(10, Nearness::Time(5), None);
    let mut waiting = vec![reservoir.admit(row(0, 10), 0, &mut [])];
    let next = reservoir.admit(row(1, 12), 0, &mut waiting);
    assert_eq!(neighbours(&waiting[0]), vec![12]);
    assert_eq!(neighbours(&next), vec![10]);
}

#[test]
fn without_keys_and_time_the_nearest_rows_are_neighbours() {
    let mut reservoir = Reservoir::new(50, Nearness::Features, None);
    for i in 0..40u64 {
        let angle = i as f32 * 0.01 + if i % 2 == 0 { 0.0 } else { 1.5 };
        let direction = vec![angle.cos(), angle.sin()];
        let sample = reservoir.befriend(&[(row(i, 0), 0)], std::slice::from_ref(&direction)).remove(0);
        reservoir.insert(sample, Some(direction), &mut stream(1, "near", i));
    }
    for anchor in reservoir.anchors() {
        assert_eq!(anchor.degree(), NEAREST);
        assert!((0..NEAREST).all(|n| anchor.neighbour(n).sequence % 2 == anchor.row.sequence % 2));
    }
}

#[test]
fn with_a_half_life_recent_rows_prevail() {
    let mut reservoir = Reservoir::new(50, Nearness::Arrival, Some(10.0));
    let mut rng = stream(3, "half-life", 0);
    for i in 0..1000 {
        let sample = reservoir.admit(row(i, i as i64 * 1_000_000_000), 0, &mut []);
        reservoir.insert(sample, None, &mut rng);
    }
    assert_eq!(reservoir.anchors().len(), 50);
    let recent = reservoir.anchors().iter().filter(|a| a.row.sequence >= 900).count();
    assert!(recent >= 48, "{recent} of 50 anchors are from the last ten half-lives");
}
