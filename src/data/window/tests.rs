use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, Float32Array, Int32Array, Int64Array, RecordBatch, StringArray};
use proptest::prelude::*;

use super::super::{
    DeadLetter, FeatureParameters, Features, Minibatch, Missing, Records, Row, Statistics, WindowParameters,
};

const SECOND: i64 = 1_000_000_000;

/// One raw reading; `None` is null.
#[derive(Clone, Debug)]
struct Reading {
    key: Option<&'static str>,
    time: Option<i64>,
    series: Option<i32>,
    x: f32,
    label: Option<i32>,
}

fn reading(key: &'static str, seconds: i64, x: f32) -> Reading {
    Reading { key: Some(key), time: Some(seconds * SECOND), series: Some(1), x, label: Some(0) }
}

/// Readings as a batch; the `place` of a reading is its number in the input.
fn records(readings: &[Reading], first: usize) -> Records {
    fn column<A: Array + 'static>(values: A) -> ArrayRef {
        Arc::new(values)
    }
    let x: Vec<f32> = readings.iter().map(|r| r.x).collect();
    let places = (first..first + readings.len()).map(|place| Some(format!("place {place}")));
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("device", column(readings.iter().map(|r| r.key).collect::<StringArray>()), true),
        ("time", column(readings.iter().map(|r| r.time).collect::<Int64Array>()), true),
        ("run", column(readings.iter().map(|r| r.series).collect::<Int32Array>()), true),
        ("x", column(Float32Array::from(x.clone())), true),
        ("y", column(x.iter().map(|x| x * 0.5 + 1.0).collect::<Float32Array>()), true),
        ("z", column(Float32Array::from_iter_values(x.iter().map(|x| -x))), true),
        ("activity", column(readings.iter().map(|r| r.label).collect::<Int32Array>()), true),
        ("place", column(places.collect::<StringArray>()), true),
    ]);
    Records {
        batch: batch.unwrap(),
        source: Arc::from("readings.parquet"),
        partition: 0,
        first_offset: 1000 + first as i64,
        origins: None,
        first_sequence: first as u64,
        picked: None,
    }
}

/// Windows of `length` readings every `hop`, at one reading a second.
fn parameters(length: usize, hop: usize) -> FeatureParameters {
    let window = WindowParameters {
        sensors: vec![["x", "y", "z"].map(String::from)],
        rate_hz: 1.0,
        length_s: length as f64,
        hop_s: hop as f64,
        lateness_s: 0.0,
        extractor: "statistics".into(),
        label_share: 0.8,
    };
    FeatureParameters {
        key: vec!["device".into()],
        time: "time".into(),
        label: "activity".into(),
        keep: vec!["place".into()],
        window: Some(window),
        ..FeatureParameters::default()
    }
}

fn late(mut parameters: FeatureParameters, lateness_s: f64) -> Features {
    parameters.window.as_mut().unwrap().lateness_s = lateness_s;
    parameters.check().unwrap()
}

#[derive(Default, Debug)]
struct Output {
    rows: Vec<Arc<Row>>,
    labels: Vec<Option<i32>>,
    places: Vec<String>,
    rejected: Vec<DeadLetter>,
    unwindowed: u64,
    input_rows: u64,
}

impl Output {
    fn add(&mut self, minibatch: Minibatch) {
        assert!(minibatch.rows.is_sorted_by_key(|row| row.sequence));
        if let Some(extras) = &minibatch.extras {
            assert_eq!(extras.num_rows(), minibatch.rows.len());
            self.labels.extend(extras["label"].as_primitive::<Int32Type>().iter());
            self.places.extend(extras["place"].as_string::<i32>().iter().map(|place| place.unwrap().to_owned()));
        } else {
            assert!(minibatch.rows.is_empty());
        }
        self.rows.extend(minibatch.rows);
        self.rejected.extend(minibatch.rejected);
        self.unwindowed += minibatch.unwindowed;
        self.input_rows += minibatch.input_rows;
    }

    /// In the order of the input, whatever was released when.
    fn sorted(mut self) -> Self {
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_by_key(|&place| self.rows[place].sequence);
        self.rows = order.iter().map(|&place| Arc::clone(&self.rows[place])).collect();
        self.labels = order.iter().map(|&place| self.labels[place]).collect();
        self.places = order.iter().map(|&place| self.places[place].clone()).collect();
        self
    }

    fn reasons(&self) -> Vec<&'static str> {
        self.rejected.iter().map(|letter| letter.reason).collect()
    }

    fn series(&self) -> Vec<&str> {
        self.rows.iter().map(|row| &*row.series).collect()
    }

    fn ends(&self) -> Vec<i64> {
        self.rows.iter().map(|row| row.event_time.unwrap() / SECOND).collect()
    }
}

fn run(features: &Features, readings: &[Reading]) -> Output {
    let mut featurizer = features.open();
    let mut output = Output::default();
    output.add(featurizer.featurize(&records(readings, 0)));
    output.add(featurizer.finish());
    output
}

/// As [`run`], cut into batches at `cuts`, each with a new featuriser that continues from a snapshot.
fn run_resumed(features: &Features, readings: &[Reading], cuts: &[usize]) -> Output {
    let mut output = Output::default();
    let mut snapshot: Option<Vec<u8>> = None;
    let mut from = 0;
    for &to in cuts.iter().chain([&readings.len()]) {
        let mut featurizer = features.open();
        if let Some(bytes) = &snapshot {
            featurizer.restore(bytes).unwrap();
            assert_eq!(&featurizer.snapshot(), bytes, "a restored state has the same snapshot");
        }
        output.add(featurizer.featurize(&records(&readings[from..to], from)));
        snapshot = Some(featurizer.snapshot());
        from = to;
    }
    let mut featurizer = features.open();
    featurizer.restore(&snapshot.unwrap()).unwrap();
    output.add(featurizer.finish());
    output.sorted()
}

/// What the rules say, on whole lists: sequences of the readings of every window, by key and series.
fn plain(features: &Features, readings: &[Reading]) -> (Vec<(String, Vec<usize>)>, Vec<usize>) {
    let window = features.window().unwrap();
    let mut by_key: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut rejected = Vec::new();
    for (place, reading) in readings.iter().enumerate() {
        let usable = reading.time.is_some()
            && reading.x.is_finite()
            && (features.series().is_none() || reading.series.is_some());
        match reading.key {
            Some(key) if usable => by_key.entry(key).or_default().push(place),
            _ => rejected.push(place),
        }
    }
    let mut windows = Vec::new();
    for places in by_key.values() {
        let runs: Vec<&[usize]> = match features.series() {
            Some(_) => places.chunk_by(|&a, &b| readings[a].series == readings[b].series).collect(),
            None => vec![places],
        };
        for run in runs {
            let mut newest = i64::MIN;
            let mut ordered = Vec::new();
            for &place in run {
                let time = readings[place].time.unwrap();
                newest = newest.max(time);
                if newest - time > window.lateness_ns() { rejected.push(place) } else { ordered.push(place) }
            }
            ordered.sort_by_key(|&place| readings[place].time);
            let gap = |&a: &usize, &b: &usize| {
                features.series().is_some()
                    || readings[b].time.unwrap() - readings[a].time.unwrap() <= features.max_gap_ns()
            };
            for (number, series) in ordered.chunk_by(gap).enumerate() {
                let name = match features.series() {
                    Some(_) => readings[series[0]].series.unwrap().to_string(),
                    None => number.to_string(),
                };
                for start in (0..series.len()).step_by(window.hop()) {
                    if let Some(members) = series.get(start..start + window.length()) {
                        windows.push((name.clone(), members.to_vec()));
                    }
                }
            }
        }
    }
    windows.sort_by_key(|(_, members)| *members.last().unwrap());
    rejected.sort_unstable();
    (windows, rejected)
}

fn any_readings() -> impl Strategy<Value = Vec<Reading>> {
    let key = prop_oneof![8 => Just(Some("a")), 6 => Just(Some("b")), 1 => Just(Some("c")), 1 => Just(None)];
    let step = prop_oneof![12 => Just(1_i64), 2 => Just(0), 3 => -4_i64..0, 2 => 2_i64..9];
    let x = prop_oneof![30 => -5.0_f32..5.0, 1 => Just(f32::NAN)];
    let reading = (key, step, prop_oneof![20 => Just(0), 1 => Just(1), 1 => Just(2)], x, 0_i32..2, 0_u8..60);
    prop::collection::vec(reading, 0..150).prop_map(|drafts| {
        let mut now: BTreeMap<Option<&str>, i64> = BTreeMap::new();
        let mut run: BTreeMap<Option<&str>, i32> = BTreeMap::new();
        drafts
            .into_iter()
            .map(|(key, step, change, x, label, fault)| {
                let now = now.entry(key).or_insert(100);
                let run = run.entry(key).or_insert(0);
                *run += change;
                let time = *now + step;
                *now = (*now).max(time);
                Reading {
                    key,
                    time: (fault != 1).then_some(time * SECOND),
                    series: (fault != 2).then_some(*run),
                    x,
                    label: (fault > 5).then_some(label),
                }
            })
            .collect()
    })
}

fn any_features() -> impl Strategy<Value = Features> {
    (2_usize..6, 1_usize..8, prop_oneof![Just(0.0), Just(2.0)], any::<bool>()).prop_map(
        |(length, hop, lateness, column)| {
            let mut parameters = parameters(length, hop);
            if column {
                parameters.series = "run".into();
            }
            late(parameters, lateness)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn windows_are_those_of_the_plain_rules_and_no_reading_is_lost(features in any_features(), readings in any_readings()) {
        let output = run(&features, &readings).sorted();
        let (windows, rejected) = plain(&features, &readings);
        let found: Vec<(String, usize)> =
            output.rows.iter().map(|row| (row.series.to_string(), row.sequence as usize)).collect();
        let expected: Vec<(String, usize)> =
            windows.iter().map(|(series, members)| (series.clone(), *members.last().unwrap())).collect();
        prop_assert_eq!(found, expected);
        let window = features.window().unwrap();
        let mut statistics = Statistics::new(1, window.length(), window.rate_hz());
        for (place, ((_, members), row)) in windows.iter().zip(&output.rows).enumerate() {
            let values: Vec<f32> =
                members.iter().map(|&m| readings[m].x).flat_map(|x| [x, x * 0.5 + 1.0, -x]).collect();
            prop_assert_eq!(&row.features, &statistics.extract(&values));
            let last = *members.last().unwrap();
            prop_assert_eq!(row.event_time, readings[last].time);
            prop_assert_eq!(row.coordinates.offset, 1000 + last as i64);
            prop_assert_eq!(&output.places[place], &format!("place {last}"));
            let label = [0, 1].into_iter().find(|&label| {
                let count = members.iter().filter(|&&m| readings[m].label == Some(label)).count();
                count as f64 >= 0.8 * members.len() as f64
            });
            prop_assert_eq!(output.labels[place], label);
        }
        let mut offsets: Vec<usize> = output.rejected.iter().map(|l| l.coordinates.offset as usize - 1000).collect();
        offsets.sort_unstable();
        prop_assert_eq!(&offsets, &rejected);
        let mut windowed: Vec<usize> = windows.iter().flat_map(|(_, members)| members.clone()).collect();
        windowed.sort_unstable();
        windowed.dedup();
        prop_assert_eq!(windowed.len() as u64 + output.unwindowed + rejected.len() as u64, output.input_rows);
        prop_assert_eq!(output.input_rows, readings.len() as u64);
    }

    #[test]
    fn a_resumed_run_equals_an_uninterrupted_one(
        features in any_features(), readings in any_readings(), cuts in prop::collection::vec(0.0_f64..1.0, 0..6)
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|share| (share * readings.len() as f64) as usize).collect();
        cuts.sort_unstable();
        let whole = run(&features, &readings).sorted();
        let resumed = run_resumed(&features, &readings, &cuts);
        prop_assert_eq!(&whole.rows, &resumed.rows);
        prop_assert_eq!(&whole.labels, &resumed.labels);
        prop_assert_eq!(&whole.places, &resumed.places);
        prop_assert_eq!(&whole.rejected, &resumed.rejected);
        prop_assert_eq!(whole.unwindowed, resumed.unwindowed);
    }

    #[test]
    fn workers_that_own_keys_find_together_what_one_finds(features in any_features(), readings in any_readings()) {
        let whole = run(&features, &readings).sorted();
        let mut shared = Output::default();
        let owners = features.open().owners(&records(&readings, 0), 3).unwrap();
        prop_assert_eq!(owners.len(), readings.len());
        for worker in 0..3 {
            let mut records = records(&readings, 0);
            records.picked = Some((0..readings.len() as u32).filter(|&row| owners[row as usize] == worker).collect());
            let mut featurizer = features.open();
            shared.add(featurizer.featurize(&records));
            shared.add(featurizer.finish());
        }
        shared.rejected.sort_by_key(|letter| letter.coordinates.offset);
        let shared = shared.sorted();
        prop_assert_eq!(whole.rows, shared.rows);
        prop_assert_eq!(whole.rejected, shared.rejected);
        prop_assert_eq!(whole.unwindowed, shared.unwindowed);
    }
}

#[test]
fn a_reading_that_waits_for_others_keeps_its_columns_over_many_batches() {
    let features = late(parameters(4, 2), 5.0);
    let readings: Vec<Reading> = (0..700).map(|i| reading("a", i ^ 1, i as f32)).collect();
    let mut featurizer = features.open();
    let mut output = Output::default();
    for (place, one) in readings.iter().enumerate() {
        output.add(featurizer.featurize(&records(std::slice::from_ref(one), place)));
    }
    output.add(featurizer.finish());
    let whole = run(&features, &readings);
    assert_eq!(output.rows.len(), 349);
    assert_eq!(output.sorted().places, whole.sorted().places);
}

#[test]
fn readings_within_lateness_are_put_in_order() {
    let features = late(parameters(4, 4), 2.0);
    let readings = [0, 2, 1, 3].map(|t| reading("a", t, t as f32));
    let ordered = [0, 1, 2, 3].map(|t| reading("a", t, t as f32));
    let (mixed, straight) = (run(&features, &readings), run(&features, &ordered));
    assert_eq!(mixed.rows[0].features, straight.rows[0].features);
    assert_eq!(mixed.rejected, []);
}

#[test]
fn a_reading_is_released_once_the_newest_is_lateness_ahead() {
    let features = late(parameters(2, 2), 3.0);
    let mut featurizer = features.open();
    let mut rows = Vec::new();
    for (place, seconds) in [0, 1, 2, 3, 4].into_iter().enumerate() {
        rows.push(featurizer.featurize(&records(&[reading("a", seconds, 1.0)], place)).rows.len());
    }
    assert_eq!(rows, [0, 0, 0, 0, 1]);
}

#[test]
fn a_late_reading_is_a_dead_letter_with_both_times() {
    let readings = [0, 1, 2, 1, 3].map(|t| reading("a", t, 1.0));
    let output = run(&late(parameters(2, 2), 0.0), &readings);
    let letter = &output.rejected[0];
    assert_eq!((letter.reason, letter.coordinates.offset, &*letter.key), ("late", 1003, "a"));
    assert_eq!(letter.event_time, Some(SECOND));
    assert!(letter.detail.contains("1000000000") && letter.detail.contains("2000000000"), "{}", letter.detail);
    assert_eq!(output.ends(), [1, 3]);
}

#[test]
fn readings_of_equal_time_keep_their_order() {
    for lateness in [0.0, 3.0] {
        let readings = [(0, 1.0), (0, 2.0), (0, 3.0), (9, 0.0)].map(|(t, x)| reading("a", t, x));
        let output = run(&late(parameters(3, 3), lateness), &readings);
        assert_eq!(output.rows[0].coordinates.offset, 1002);
    }
}

#[test]
fn a_gap_starts_a_new_numbered_series() {
    let readings = [0, 1, 2, 8, 9, 15, 16].map(|t| reading("a", t, 1.0));
    let output = run(&late(parameters(2, 2), 0.0), &readings);
    assert_eq!(output.series(), ["0", "1", "2"]);
    assert_eq!(output.ends(), [1, 9, 16]);
    assert_eq!(output.unwindowed, 1);
}

#[test]
fn a_change_of_the_series_column_ends_the_series_and_the_clock_may_restart() {
    let mut readings = [0, 1, 2, 0, 1, 2].map(|t| reading("a", t, 1.0));
    readings[3..].iter_mut().for_each(|reading| reading.series = Some(7));
    let parameters = FeatureParameters { series: "run".into(), ..parameters(2, 1) };
    let output = run(&late(parameters, 0.0), &readings);
    assert_eq!(output.series(), ["1", "1", "7", "7"]);
    assert_eq!((output.unwindowed, output.rejected.len()), (0, 0));
}

#[test]
fn readings_between_two_windows_are_unwindowed_at_once() {
    let features = late(parameters(2, 5), 0.0);
    let readings = [0, 1, 2, 3, 4, 5, 6].map(|t| reading("a", t, 1.0));
    let minibatch = features.open().featurize(&records(&readings, 0));
    assert_eq!((minibatch.rows.len(), minibatch.unwindowed), (2, 3));
}

#[test]
fn without_a_time_column_arrival_is_the_order() {
    let parameters = FeatureParameters { time: String::new(), ..parameters(2, 2) };
    let readings = [5, 900, 3, 1].map(|t| reading("a", t, 1.0));
    let output = run(&late(parameters, 0.0), &readings);
    assert_eq!(output.series(), ["0", "0"]);
    assert!(output.rows.iter().all(|row| row.event_time.is_none()));
}

#[test]
fn an_unusable_reading_is_left_out_and_named() {
    let mut readings = [0, 1, 2, 3, 4].map(|t| reading("a", t, 1.0));
    readings[1].x = f32::INFINITY;
    readings[2].key = None;
    readings[3].time = None;
    let output = run(&late(parameters(2, 2), 0.0), &readings);
    assert_eq!(output.reasons(), ["not_finite", "null_key", "null_time"]);
    assert_eq!(output.rejected[0].detail, "column `x` is inf, a finite number is needed");
    assert_eq!(&*output.rejected[0].key, "a");
    assert_eq!((&*output.rejected[1].key, output.rejected[1].event_time), ("", Some(2 * SECOND)));
    assert_eq!(output.ends(), [4]);
}

#[test]
fn a_hole_of_rejected_readings_longer_than_the_gap_splits_the_series() {
    let mut readings: Vec<Reading> = (0..10).map(|t| reading("a", t, 1.0)).collect();
    readings[2..8].iter_mut().for_each(|reading| reading.x = f32::NAN);
    let output = run(&late(parameters(2, 2), 0.0), &readings);
    assert_eq!(output.series(), ["0", "1"]);
    assert_eq!(output.rejected.len(), 6);
}

#[test]
fn a_missing_reading_may_be_filled() {
    let mut readings = [0, 1, 2, 3].map(|t| reading("a", t, 3.0));
    readings[2].x = f32::NAN;
    for (missing, least) in [(Missing::Zero, 0.0), (Missing::Mean, 3.0)] {
        let parameters = FeatureParameters { missing, ..parameters(4, 4) };
        let output = run(&late(parameters, 0.0), &readings);
        assert_eq!(output.rejected, []);
        assert_eq!(output.rows[0].features[2 * 4], least, "minimum of x");
    }
}

#[test]
fn a_batch_without_its_columns_is_all_dead_letters() {
    let mut records = records(&[reading("a", 0, 1.0), reading("b", 1, 1.0)], 0);
    records.batch = records.batch.project(&[0, 1, 2, 3]).unwrap();
    let minibatch = late(parameters(2, 2), 0.0).open().featurize(&records);
    assert_eq!(minibatch.rejected.len(), 2);
    assert_eq!(minibatch.rejected[0].reason, "schema");
    assert!(minibatch.rejected[0].detail.contains("`y`"), "{}", minibatch.rejected[0].detail);
}

#[test]
fn a_snapshot_taken_after_an_unusable_batch_can_be_restored() {
    let features = late(FeatureParameters { keep: vec!["run".into(), "place".into()], ..parameters(2, 2) }, 0.0);
    let mut without_place = records(&[reading("a", 0, 1.0)], 0);
    without_place.batch = without_place.batch.project(&[0, 1, 2, 3, 4, 5, 6]).unwrap();
    let mut featurizer = features.open();
    assert_eq!(featurizer.featurize(&without_place).rejected.len(), 1);
    assert_eq!(features.open().restore(&featurizer.snapshot()), Ok(()));
}

#[test]
fn foreign_snapshots_are_refused_with_the_difference() {
    let features = late(parameters(4, 2), 2.0);
    let mut featurizer = features.open();
    featurizer.featurize(&records(&[reading("a", 0, 1.0), reading("a", 1, 1.0)], 0));
    let snapshot = featurizer.snapshot();
    let refused =
        |parameters: FeatureParameters, bytes: &[u8]| late(parameters, 2.0).open().restore(bytes).unwrap_err();
    assert!(refused(parameters(5, 2), &snapshot).contains("length: 4"));
    let other = FeatureParameters { keep: vec!["run".into()], ..parameters(4, 2) };
    assert!(refused(other, &snapshot).contains("features.keep"));
    let vectors = FeatureParameters { columns: vec!["x".into()], ..FeatureParameters::default() };
    let vectors = vectors.check().unwrap().open().snapshot();
    assert!(featurizer.restore(&vectors).is_err());
    assert!(featurizer.restore(&snapshot[..snapshot.len() / 2]).is_err());
}

#[test]
fn equal_states_have_equal_snapshots_whatever_the_order_of_keys() {
    let features = late(FeatureParameters { keep: Vec::new(), label: String::new(), ..parameters(4, 2) }, 0.0);
    let mut one = features.open();
    let mut other = features.open();
    one.featurize(&records(&[reading("a", 0, 1.0), reading("b", 0, 2.0)], 0));
    other.featurize(&records(&[reading("b", 0, 2.0), reading("a", 0, 1.0)], 0));
    assert_eq!(one.snapshot(), other.snapshot());
}
