use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, RecordBatch};
use rand::Rng;

use super::{Ascent, ListedPair, PairList, Supervision, Teacher};
use super::{BalanceParameters, half_life};
use super::{Frozen, Learner, LearningParameters, ModelParameters, Nearness, Nursery, Part, PerKey, Settings};
use crate::data::{Coordinates, Row, RowPair, ScaleMethod, ScaleParameters};
use crate::network::{Backend, open};
use crate::objective::{
    AeCmParameters, BalancedParameters, ClusMatchParameters, EvenParameters, IdecParameters, Link, Method, Parameters,
    Visitor,
};
use crate::replica::{Arrival, Assigned, Replica, ReplicaError, Step};
use crate::stats::Contingency;
use crate::stats::drift::DriftParameters;
use crate::stats::random::stream;

mod pairs;

const CLUSTERS: usize = 3;

/// What these tests compute with: `EVENKEEL_TEST_BACKEND`, flex if it is not set.
fn backend() -> Backend {
    match std::env::var("EVENKEEL_TEST_BACKEND").as_deref() {
        Ok("libtorch") => Backend::Libtorch,
        _ => Backend::Flex,
    }
}

fn settings(method: Method) -> Settings {
    Settings {
        model: ModelParameters { clusters: CLUSTERS, encoder: vec![32], embedding: 8, ..ModelParameters::default() },
        method,
        refine: None,
        backend: backend(),
        balance: BalanceParameters::default(),
        learning: LearningParameters {
            chunk_rows: 16,
            warmup_rows: 120,
            warmup_steps: 120,
            reservoir_rows: 150,
            refresh_steps: 40,
            ..LearningParameters::default()
        },
        supervision: None,
        scale: ScaleParameters::default(),
        half_life: None,
        nearness: Nearness::Time(5_000_000_000),
        drift: DriftParameters::default(),
        seed: 3,
    }
}

/// Half of the rows show their label.
pub(super) fn taught() -> Settings {
    let mut settings = settings(Method::Balanced(BalancedParameters { pretraining: 0.2, ..Default::default() }));
    let teacher = Teacher::Labels { fraction: 0.5, partners: 1.0, ignore: None };
    settings.supervision = Some(Supervision { teacher, batch_share: 0.4, ascent: Ascent::default(), reseats: 4 });
    settings
}

/// The same rows with their group as label column.
fn labelled(rows: Vec<Arrival>) -> Vec<Arrival> {
    let groups: Int32Array = rows.iter().map(|arrival| Some(group_of(&arrival.row) as i32)).collect();
    let batch = Arc::new(RecordBatch::try_from_iter([("label", Arc::new(groups) as ArrayRef)]).unwrap());
    rows.into_iter()
        .enumerate()
        .map(|(i, arrival)| Arrival { extras: Some((Arc::clone(&batch), i)), ..arrival })
        .collect()
}

fn even() -> Settings {
    settings(Method::Even(EvenParameters::default()))
}

/// Each kind of learning once.
fn kinds() -> [Settings; 5] {
    let refine = Some(ClusMatchParameters { horizon: 20.0, review_steps: 10, ..ClusMatchParameters::default() });
    let denoised = settings(Method::Idec(IdecParameters { denoise: 0.2, scaled: true, ..IdecParameters::default() }));
    [even(), settings(Method::AeCm(AeCmParameters::default())), denoised, taught(), Settings { refine, ..even() }]
}

/// Blocks of 25 rows from one of three groups, four devices in turn; the true group is the series.
fn arrivals(count: u64) -> Vec<Arrival> {
    let mut rng = stream(9, "rows", 0);
    (0..count)
        .map(|i| {
            let (device, step) = (i % 4, i / 4);
            let group = (step / 25 + device) % 3;
            let features = (0..6).map(|d| {
                let centre = if d % 3 == group { 2.0 } else { 0.0 };
                centre + device as f32 + rng.random_range(-0.5..0.5f32)
            });
            let row = Row {
                coordinates: Coordinates { source: "s".into(), partition: 0, offset: i as i64 },
                sequence: i,
                key: device.to_string().into(),
                series: "".into(),
                event_time: Some(step as i64 * 1_000_000_000),
                features: features.collect(),
            };
            Arrival { row: Arc::new(row), extras: None }
        })
        .collect()
}

fn group(row: &Assigned) -> u64 {
    group_of(&row.arrival.row)
}

fn group_of(row: &Row) -> u64 {
    let offset = row.coordinates.offset as u64;
    (offset / 4 / 25 + offset % 4) % 3
}

fn learners(settings: &Arc<Settings>, peers: usize) -> Vec<Learner> {
    let nursery = Nursery::default();
    (0..peers)
        .map(|index| {
            let part = Part { index, peers };
            Learner::new(Arc::clone(settings), part, nursery.clone(), open(backend()).unwrap())
        })
        .collect()
}

/// What the flow does: the same rows to all, vectors added in worker order.
fn settle(learners: &mut [Learner]) -> Result<(), ReplicaError> {
    let mut totals: Vec<Option<Vec<f32>>> = vec![None; learners.len()];
    loop {
        let mut parts = Vec::new();
        for (learner, total) in learners.iter_mut().zip(&mut totals) {
            if let Step::Exchange(values) = learner.advance(total.take())? {
                parts.push(values);
            }
        }
        if parts.is_empty() {
            return Ok(());
        }
        assert_eq!(parts.len(), learners.len(), "all replicas are in the same round");
        let mut sum = parts[0].clone();
        parts[1..].iter().for_each(|part| sum.iter_mut().zip(part).for_each(|(s, v)| *s += v));
        totals = vec![Some(sum); learners.len()];
    }
}

fn epoch(learners: &mut [Learner], rows: &[Arrival]) -> Vec<Assigned> {
    learners.iter_mut().for_each(|learner| learner.begin(rows.to_vec()));
    settle(learners).unwrap();
    learners.iter_mut().flat_map(|learner| learner.take().assigned).collect()
}

fn run(settings: Settings, peers: usize, rows: &[Arrival]) -> (Vec<Learner>, Vec<Assigned>) {
    let mut learners = learners(&Arc::new(settings), peers);
    let mut assigned: Vec<Assigned> = rows.chunks(16).flat_map(|rows| epoch(&mut learners, rows)).collect();
    learners.iter_mut().for_each(Replica::end);
    settle(&mut learners).unwrap();
    assigned.extend(learners.iter_mut().flat_map(|learner| learner.take().assigned));
    assigned.sort_by_key(|row| row.arrival.row.sequence);
    (learners, assigned)
}

fn accuracy(rows: &[Assigned]) -> f64 {
    rows.iter().map(|row| (row.cluster, group(row))).collect::<Contingency<u32, u64>>().accuracy()
}

#[test]
fn separated_groups_are_found_whatever_the_device() {
    let mut settings = even();
    settings.learning.warmup_steps = 400;
    settings.learning.refresh_steps = 400;
    let (_, assigned) = run(settings, 1, &arrivals(800));
    assert_eq!(assigned.len(), 800);
    let late = accuracy(&assigned[400..]);
    assert!(late > 0.9, "{late} of the second half, {} of all", accuracy(&assigned));
}

#[test]
fn the_clustering_module_finds_them_through_the_same_seam() {
    let mut settings = settings(Method::AeCm(AeCmParameters::default()));
    settings.learning.warmup_steps = 300;
    let (_, assigned) = run(settings, 1, &arrivals(800));
    let late = accuracy(&assigned[400..]);
    assert!(late > 0.85, "{late} of the second half, {} of all", accuracy(&assigned));
}

#[test]
fn a_first_model_that_broke_down_is_an_error() {
    let mut settings = settings(Method::AeCm(AeCmParameters::default()));
    settings.scale = ScaleParameters { method: ScaleMethod::None, ..ScaleParameters::default() };
    let rows: Vec<Arrival> = arrivals(200)
        .into_iter()
        .map(|arrival| {
            let mut row = Row::clone(&arrival.row);
            row.features = row.features.iter().map(|value| value * 1e30).collect();
            Arrival { row: Arc::new(row), ..arrival }
        })
        .collect();
    let mut learners = learners(&Arc::new(settings), 1);
    learners[0].begin(rows);
    let error = settle(&mut learners).unwrap_err();
    assert!(matches!(&error, ReplicaError::Model(problem) if problem.contains("scale the features")), "{error}");
}

#[test]
fn refinement_makes_a_middling_model_better() {
    let late = |refine: Option<ClusMatchParameters>| {
        let mut settings = Settings { refine, ..even() };
        // No challengers: what differs is what the first fit ends with and what is learned afterwards.
        (settings.learning.warmup_steps, settings.learning.refresh_steps) = (300, 0);
        accuracy(&run(settings, 1, &arrivals(800)).1[400..])
    };
    let [.., refined] = kinds();
    let (plain, refined) = (late(None), late(refined.refine));
    assert!(refined > plain + 0.05, "{refined} against {plain}");
}

#[test]
fn replicas_are_bitwise_equal_and_agree_with_one_worker() {
    for settings in kinds() {
        let rows = labelled(arrivals(600));
        let (_, alone) = run(settings.clone(), 1, &rows);
        for peers in [2, 3] {
            let (learners, together) = run(settings.clone(), peers, &rows);
            assert!(
                learners.windows(2).all(|pair| pair[0].snapshot() == pair[1].snapshot()),
                "{peers} replicas differ"
            );
            assert_eq!(together.len(), alone.len());
            let same = together.iter().zip(&alone).filter(|(a, b)| a.cluster == b.cluster).count();
            assert!(same as f64 > 0.99 * alone.len() as f64, "{same} of {} with {peers} workers", alone.len());
        }
    }
}

#[test]
fn a_restored_learner_goes_on_as_if_nothing_had_happened() {
    for settings in [even(), taught()] {
        goes_on_as_if_nothing_had_happened(&Arc::new(settings), &labelled(arrivals(600)));
    }
}

/// Every method, and refined ones, which refine in the first fit, between fits and in challengers.
#[test]
fn every_objective_is_restored_in_the_middle_of_training() {
    let refine = || Some(ClusMatchParameters { horizon: 20.0, review_steps: 10, ..ClusMatchParameters::default() });
    let plain = Method::NAMES.iter().map(|name| (*name, None));
    let refined = ["even", "balanced", "dvae"].map(|name| (name, refine()));
    for (name, refine) in plain.chain(refined) {
        let mut settings = Settings { refine, ..settings(Method::visit(name, Defaults).unwrap()) };
        (settings.learning.warmup_steps, settings.learning.warmup_rows) = (40, 60);
        (settings.learning.refresh_steps, settings.learning.steps) = (20, 1);
        let (settings, rows) = (Arc::new(settings), arrivals(240));
        let end = |cut: Option<usize>| {
            let mut learners = learners(&settings, 1);
            let mut refreshing = false;
            for (i, rows) in rows.chunks(10).enumerate() {
                if Some(i) == cut {
                    let bytes = learners[0].snapshot();
                    refreshing = learners[0].online.as_ref().is_some_and(|online| online.refresh.is_some());
                    let (part, device) = (Part::WHOLE, open(backend()).unwrap());
                    let restored = Learner::restore(&bytes, Arc::clone(&settings), part, Nursery::default(), device);
                    learners[0] = restored.unwrap();
                }
                epoch(&mut learners, rows);
            }
            (learners[0].snapshot(), refreshing)
        };
        let (whole, _) = end(None);
        // Before the first fit, between two updates, and while a challenger is being fitted.
        for (cut, challenged) in [(4, false), (7, false), (15, true)] {
            let (cut_off, refreshing) = end(Some(cut));
            let what = format!("{name}, refined: {}, cut at {cut}", settings.refine.is_some());
            assert_eq!(refreshing, challenged, "{what}: challenger in flight");
            assert!(cut_off == whole, "{what}");
        }
    }
}

/// A method with its defaults.
struct Defaults;

impl Visitor for Defaults {
    type Output = Method;

    fn visit<P: Parameters>(self, wrap: fn(P) -> Method) -> Method {
        wrap(P::default())
    }
}

fn goes_on_as_if_nothing_had_happened(settings: &Arc<Settings>, rows: &[Arrival]) {
    // During warm-up, in the middle of a chunk, and while a challenger is being fitted.
    let whole = {
        let mut learners = learners(settings, 1);
        rows.chunks(10).for_each(|rows| drop(epoch(&mut learners, rows)));
        learners[0].snapshot()
    };
    for cut in [3, 12, 19, 20, 25, 40, 59] {
        let mut learners = learners(settings, 1);
        let mut refreshing = false;
        for (i, rows) in rows.chunks(10).enumerate() {
            if i == cut {
                let bytes = learners[0].snapshot();
                refreshing = learners[0].online.as_ref().is_some_and(|online| online.refresh.is_some());
                let (part, device) = (Part::WHOLE, open(backend()).unwrap());
                learners[0] = Learner::restore(&bytes, Arc::clone(settings), part, Nursery::default(), device).unwrap();
            }
            epoch(&mut learners, rows);
        }
        assert!(learners[0].snapshot() == whole, "cut at {cut}, challenger in flight: {refreshing}");
    }
}

#[test]
fn an_update_happens_when_a_chunk_is_full_however_rows_arrive() {
    let rows = arrivals(400);
    let by = |size: usize| {
        let mut learners = learners(&Arc::new(even()), 1);
        rows.chunks(size).for_each(|rows| drop(epoch(&mut learners, rows)));
        learners[0].status().model_version
    };
    // 120 rows of warm-up give version 1, then one version per 16 rows.
    assert_eq!(by(16), 1 + (400 - 120) / 16);
    assert_eq!(by(7), by(16));
}

#[test]
fn rows_are_assigned_before_they_are_learned_from() {
    let (_, assigned) = run(even(), 1, &arrivals(400));
    for row in &assigned {
        let sequence = row.arrival.row.sequence as i64;
        assert_eq!(row.warmup, sequence < 120);
        let updates_before = (sequence - 120).max(0) / 16;
        assert!(row.model_version >= 1 && row.model_version <= 1 + updates_before, "row {sequence}");
    }
}

#[test]
fn fewer_rows_than_clusters_are_refused() {
    let mut learners = learners(&Arc::new(even()), 1);
    epoch(&mut learners, &arrivals(2));
    learners[0].end();
    assert!(matches!(settle(&mut learners), Err(ReplicaError::TooFewRows { rows: 2, clusters: 3 })));
}

#[test]
fn equal_rows_give_finite_assignments() {
    let rows: Vec<Arrival> = arrivals(300)
        .into_iter()
        .map(|arrival| Arrival {
            row: Arc::new(Row { features: vec![1.0; 6].into(), ..Row::clone(&arrival.row) }),
            extras: None,
        })
        .collect();
    for settings in kinds() {
        let (_, assigned) = run(settings, 1, &rows);
        assert_eq!(assigned.len(), 300);
        assert!(assigned.iter().all(|row| row.confidence.is_finite() && row.distance.is_finite()));
    }
}

#[test]
fn without_bounds_a_row_goes_where_the_model_wants_it() {
    let (_, assigned) = run(even(), 1, &arrivals(400));
    assert!(assigned.iter().all(|row| row.cluster == row.natural_cluster && row.balance_cost == 0.0));
}

#[test]
fn a_cap_on_learning_leaves_every_row_assigned() {
    let mut capped = even();
    capped.learning.max_rows_per_s = 1;
    let (learners, assigned) = run(capped, 1, &arrivals(600));
    assert_eq!(assigned.len(), 600);
    let learned = learners[0].status().learned_rows;
    // Four rows share each second of event time, and one of them is learned from.
    assert!((220..=250).contains(&learned), "{learned}");
}

#[test]
fn a_frozen_model_labels_as_the_learner_would_have() {
    let rows = arrivals(480);
    let mut settings = even();
    settings.balance.per_key = PerKey::Constant;
    settings.half_life = half_life::parse("60s").ok();
    let mut learners = learners(&Arc::new(settings), 1);
    rows[..464].chunks(16).for_each(|rows| drop(epoch(&mut learners, rows)));
    let learner = learners.remove(0);
    let bytes = learner.snapshot();
    let restored = Learner::restore(
        &bytes,
        Arc::clone(&learner.settings),
        Part::WHOLE,
        Nursery::default(),
        learner.device.clone(),
    );
    let mut frozen = Frozen::new(restored.unwrap()).unwrap();
    frozen.begin(rows[464..].to_vec());
    assert_eq!(frozen.advance(None).unwrap(), Step::Done);
    let labels = |rows: Vec<Assigned>| rows.iter().map(|row| (row.cluster, row.distance.to_bits())).collect::<Vec<_>>();
    let frozen = labels(frozen.take().assigned);
    assert_eq!(frozen, labels(epoch(&mut [learner], &rows[464..])));
}

#[test]
fn a_snapshot_of_another_network_is_refused() {
    let mut learners = learners(&Arc::new(even()), 1);
    arrivals(160).chunks(16).for_each(|rows| drop(epoch(&mut learners, rows)));
    let bytes = learners[0].snapshot();
    let mut other = even();
    other.model.embedding = 9;
    let restored = Learner::restore(&bytes, Arc::new(other), Part::WHOLE, Nursery::default(), open(backend()).unwrap());
    assert!(matches!(restored, Err(ReplicaError::Snapshot(_))));
    let (part, nursery, device) = (Part::WHOLE, Nursery::default(), open(backend()).unwrap());
    assert!(Learner::restore(&bytes[..bytes.len() / 2], Arc::new(even()), part, nursery, device).is_err());
}
