use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

const CLUSTERS: usize = 4;
const WIDTH: usize = 8;
const FEATURES: usize = 12;

/// What is done to a stream from some row on.
#[derive(Clone, Copy)]
enum Fault {
    None,
    /// Feature 3 is reconstructed worse by this factor.
    Gain(f32),
    /// Every embedding is moved by this much in every dimension.
    Shift(f32),
    /// Cluster 1 shows up a tenth as often.
    Vanish,
}

struct Rows {
    clusters: Vec<u32>,
    embeddings: Vec<Vec<f32>>,
    residuals: Vec<Vec<f32>>,
}

/// A stream of blocks of about six rows of one cluster, as activities come.
fn stream(seed: u64, rows: usize, from: usize, fault: Fault) -> Rows {
    blocks(seed, rows, 6.0, from, fault)
}

fn blocks(seed: u64, rows: usize, block: f32, from: usize, fault: Fault) -> Rows {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut made = Rows { clusters: Vec::new(), embeddings: Vec::new(), residuals: Vec::new() };
    let mut cluster = 0u32;
    for row in 0..rows {
        let now = if row >= from { fault } else { Fault::None };
        if rng.random::<f32>() < 1.0 / block {
            cluster = rng.random_range(0..CLUSTERS as u32);
            if matches!(now, Fault::Vanish) && cluster == 1 && rng.random::<f32>() < 0.9 {
                cluster = [0, 2, 3][rng.random_range(0..3)];
            }
        }
        let normal = |rng: &mut ChaCha8Rng| (0..6).map(|_| rng.random::<f32>() - 0.5).sum::<f32>() * 2f32.sqrt();
        let shift = if let Fault::Shift(by) = now { by } else { 0.0 };
        let at = |j: usize| if j == cluster as usize { 1.0 } else { 0.0 };
        made.embeddings.push((0..WIDTH).map(|j| at(j) + shift + 0.3 * normal(&mut rng)).collect());
        let gain = |j: usize| if let (Fault::Gain(by), 3) = (now, j) { by } else { 1.0 };
        made.residuals.push((0..FEATURES).map(|j| gain(j) * 0.1 * normal(&mut rng).powi(2)).collect());
        made.clusters.push(cluster);
    }
    made
}

impl Rows {
    fn observations(&self) -> Vec<Observation<'_>> {
        (0..self.clusters.len())
            .map(|row| Observation {
                event_time: Some(row as i64 * 20_000_000),
                cluster: self.clusters[row],
                reconstruction: self.residuals[row].iter().sum::<f32>() / FEATURES as f32,
                embedding: &self.embeddings[row],
                residuals: &self.residuals[row],
            })
            .collect()
    }
}

fn reference() -> Reference {
    let centroids = (0..CLUSTERS).flat_map(|k| (0..WIDTH).map(move |j| if j == k { 1.0 } else { 0.0 })).collect();
    let mean = (0..WIDTH).map(|j| if j < CLUSTERS { 0.25 } else { 0.0 }).collect();
    let deviation = (0..WIDTH).map(|j| if j < CLUSTERS { 0.53 } else { 0.3 }).collect();
    Reference { shares: vec![0.25; CLUSTERS], centroids, mean, deviation, reconstruction: 0.1 }
}

fn monitor() -> Monitor {
    let mut monitor = Monitor::new(&DriftParameters::default(), CLUSTERS, WIDTH);
    monitor.reference(&reference());
    monitor
}

fn alarms(rows: &Rows) -> Vec<(Signal, i64, Event)> {
    let events = monitor().observe(&rows.observations(), 1);
    let at = |event: &Event| event.event_time.unwrap() / 20_000_000;
    events.into_iter().filter(|event| event.alarm).map(|event| (event.signal, at(&event), event)).collect()
}

#[test]
fn a_stationary_stream_of_independent_rows_raises_no_alarm() {
    for seed in 0..12 {
        let found = alarms(&blocks(seed, 15_000, 1.0, 0, Fault::None));
        assert!(found.is_empty(), "seed {seed}: {found:?}");
    }
}

#[test]
fn a_stationary_stream_of_blocks_raises_hardly_any_alarm() {
    // Not none: eight windows of such a stream tell its deviation only roughly.
    let alarming = (0..12).filter(|&seed| !alarms(&stream(seed, 15_000, 0, Fault::None)).is_empty()).count();
    assert!(alarming <= 2, "{alarming} of 12 streams");
}

#[test]
fn a_worse_feature_is_noticed_within_160_rows_and_named() {
    for seed in 0..6 {
        let found = alarms(&stream(seed, 7000, 6000, Fault::Gain(12.0)));
        let (_, row, event) = found.iter().find(|alarm| alarm.0 == Signal::Reconstruction).expect("an alarm");
        assert!((6000..6160).contains(row), "seed {seed}: {row}");
        assert_eq!(event.top_features.first(), Some(&3));
        assert!(event.score > event.threshold.unwrap());
        assert!(found.iter().all(|alarm| matches!(alarm.0, Signal::Reconstruction)), "seed {seed}: {found:?}");
    }
}

#[test]
fn moved_embeddings_are_noticed_within_256_rows() {
    for seed in 0..6 {
        let found = alarms(&stream(seed, 7000, 6000, Fault::Shift(0.3)));
        for signal in [Signal::Centroid, Signal::Embedding] {
            let row = found.iter().find(|alarm| alarm.0 == signal).expect("an alarm").1;
            assert!((6000..6256).contains(&row), "seed {seed} {signal:?}: {row}");
        }
        assert!(found.iter().all(|alarm| !matches!(alarm.0, Signal::Shares | Signal::Reconstruction)));
    }
}

#[test]
fn a_vanished_cluster_is_noticed_by_its_share_and_not_taken_for_a_sensor_fault() {
    for seed in 0..6 {
        let found = alarms(&stream(seed, 9000, 6000, Fault::Vanish));
        let first = found.iter().find(|alarm| alarm.0 == Signal::Shares).expect("an alarm");
        assert!((6000..6000 + 2 * SHARE_ROWS as i64).contains(&first.1), "seed {seed}: {}", first.1);
        assert_eq!(first.2.cluster, Some(1));
        assert!(found.iter().all(|alarm| alarm.0 != Signal::Reconstruction), "seed {seed}: {found:?}");
    }
}

#[test]
fn an_alarm_that_lasts_is_raised_once_and_again_only_after_it_ended() {
    let rows = stream(2, 12_000, 6000, Fault::Gain(12.0));
    assert_eq!(alarms(&rows).len(), 1, "{:?}", alarms(&rows));
    let mut observations = rows.observations();
    let healthy = stream(2, 12_000, 12_000, Fault::None);
    observations[8000..10_000].copy_from_slice(&healthy.observations()[8000..10_000]);
    let mut monitor = monitor();
    let events = monitor.observe(&observations, 1);
    assert_eq!(events.iter().filter(|event| event.alarm).count(), 2);
    assert_eq!(monitor.scores()[0].alarms, 2);
    assert!(monitor.scores()[0].alarming);
}

#[test]
fn scores_are_reported_every_64_checks_without_alarm() {
    let mut monitor = monitor();
    let events = monitor.observe(&stream(4, 8192, 0, Fault::None).observations(), 7);
    assert_eq!(events.len(), 8192 / 1024 * 4);
    assert!(events.iter().all(|event| !event.alarm && event.model_version == 7));
    assert!(events[0].threshold.is_none() && events.last().unwrap().threshold.is_some());
    assert!(!monitor.calibrating());
    assert!((monitor.reconstruction() - 0.1).abs() < 0.02);
}

#[test]
fn results_do_not_depend_on_how_rows_are_grouped() {
    let rows = stream(5, 9000, 6000, Fault::Shift(0.3));
    let observations = rows.observations();
    let mut whole = monitor();
    let expected = whole.observe(&observations, 1);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut grouped = monitor();
    let mut events = Vec::new();
    let mut rest = &observations[..];
    while !rest.is_empty() {
        let (group, after) = rest.split_at(rng.random_range(0..=rest.len().min(90)));
        events.extend(grouped.observe(group, 1));
        rest = after;
    }
    assert_eq!(events, expected);
    assert_eq!(grouped, whole);
}

#[test]
fn a_restored_monitor_goes_on_as_the_saved_one() {
    let rows = stream(6, 9000, 6000, Fault::Gain(12.0));
    let observations = rows.observations();
    let mut whole = monitor();
    let expected = whole.observe(&observations, 1);
    for cut in [1, 300, 1999, 2000, 6050, 6100, 8999] {
        let mut saved = monitor();
        let mut events = saved.observe(&observations[..cut], 1);
        let bytes = postcard::to_stdvec(&saved).unwrap();
        let mut restored: Monitor = postcard::from_bytes(&bytes).unwrap();
        events.extend(restored.observe(&observations[cut..], 1));
        assert_eq!(events, expected, "cut at {cut}");
        assert_eq!(restored, whole);
    }
}

#[test]
fn memory_does_not_grow_with_the_stream() {
    let size = |rows| {
        let mut monitor = monitor();
        monitor.observe(&stream(7, rows, 0, Fault::None).observations(), 1);
        postcard::to_stdvec(&monitor).unwrap().len()
    };
    let (short, long) = (size(1000), size(20_000));
    assert!(long < short + 200, "{short} {long}");
}

#[test]
fn a_new_reference_starts_a_new_calibration() {
    let rows = stream(8, 9000, 5000, Fault::Shift(0.3));
    let observations = rows.observations();
    let mut monitor = monitor();
    let before = monitor.observe(&observations[..5200], 1);
    assert_eq!(before.iter().filter(|event| event.alarm).count(), 2, "{before:?}");
    monitor.reference(&reference());
    assert!(monitor.calibrating() && monitor.centroid_shifts() == [0.0; CLUSTERS]);
    let after = monitor.observe(&observations[5200..], 2);
    assert!(after.iter().all(|event| !event.alarm), "the shift is what is normal now: {after:?}");
    assert_eq!(monitor.scores().iter().map(|score| score.alarms).sum::<u64>(), 2);
}

#[test]
fn rows_without_a_reference_or_with_infinite_values_are_passed_over() {
    let rows = stream(9, 600, 0, Fault::None);
    let mut observations = rows.observations();
    let mut silent = Monitor::new(&DriftParameters::default(), CLUSTERS, WIDTH);
    assert!(silent.observe(&observations, 1).is_empty());
    let mut expected = monitor();
    expected.observe(&[&observations[..100], &observations[101..]].concat(), 1);
    observations[100].reconstruction = f32::NAN;
    let mut monitor = monitor();
    monitor.observe(&observations, 1);
    assert_eq!(monitor.ignored(), 1);
    assert_eq!(monitor.scores(), expected.scores());
}

#[test]
fn scores_equal_their_formulas() {
    let rows = stream(10, 512, 0, Fault::None);
    let observations = rows.observations();
    let mut monitor = monitor();
    monitor.observe(&observations, 1);
    let window = &observations[256..];
    let scores = monitor.scores();
    let mean = window.iter().map(|row| f64::from(row.reconstruction)).sum::<f64>() / 256.0;
    assert!((scores[0].score - mean / 0.1).abs() < 1e-9);
    let share = |k: u32| (rows.clusters.iter().filter(|&&c| c == k).count() as f64 + 0.5) / 514.0;
    let psi: f64 = (0..4).map(|k| (share(k) - 128.5 / 514.0) * (share(k) / (128.5 / 514.0)).ln()).sum();
    assert!((scores[1].score - psi).abs() < 1e-9);
    let mut centroid = 0.0;
    for k in 0..4u32 {
        let own: Vec<_> = window.iter().filter(|row| row.cluster == k).collect();
        let squares = (0..WIDTH).map(|j| {
            let mean = own.iter().map(|row| f64::from(row.embedding[j])).sum::<f64>() / own.len() as f64;
            (mean - if j == k as usize { 1.0 } else { 0.0 }).powi(2)
        });
        let shift = squares.sum::<f64>().sqrt();
        assert!((monitor.centroid_shifts()[k as usize] - shift).abs() < 1e-9);
        centroid += shift * own.len() as f64 / 256.0;
    }
    assert!((scores[2].score - centroid).abs() < 1e-9);
    let squares = (0..WIDTH).map(|j| {
        let mean = window.iter().map(|row| f64::from(row.embedding[j])).sum::<f64>() / 256.0;
        ((mean - f64::from(reference().mean[j])) / f64::from(reference().deviation[j])).powi(2)
    });
    assert!((scores[3].score - (squares.sum::<f64>() / WIDTH as f64).sqrt()).abs() < 1e-9);
}

#[test]
fn the_budget_must_be_a_positive_number() {
    assert_eq!(DriftParameters::default().check(), Ok(()));
    for budget in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(DriftParameters { alarm_budget_per_day: budget }.check().is_err());
    }
    let unknown = serde_json::from_str::<DriftParameters>(r#"{"alarm_budget": 2}"#).unwrap_err();
    assert!(unknown.to_string().contains("alarm_budget_per_day"));
}
