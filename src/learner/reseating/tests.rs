use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use rand::Rng;

use super::*;
use crate::data::{Coordinates, Row, ScaleMethod, ScaleParameters};
use crate::learner::fit::{FitPlan, fit};
use crate::learner::noise::Noise;
use crate::learner::pairs::Ascent;
use crate::learner::sample::Sample;
use crate::learner::tests::taught;
use crate::learner::{PerKey, Settings};
use crate::network::{Backend, open};
use crate::objective::{BalancedParameters, ClusMatch, ClusMatchParameters, Method, Objective, Shape};
use crate::stats::Contingency;
use crate::stats::random::stream;

const ROWS: usize = 360;
const CLUSTERS: usize = 3;

/// A long group, and two small ones side by side: k-means cuts the first and joins the others.
fn samples() -> Vec<Sample> {
    let mut rng = stream(1, "rows", 0);
    let mut features = |i: usize| -> [f32; 2] {
        let noise = rng.random_range(-0.4..0.4);
        match i % 3 {
            0 => [rng.random_range(-5.0..5.0), noise],
            group => [group as f32 * 2.0 - 3.0 + noise, 12.0 + rng.random_range(-0.4..0.4f32)],
        }
    };
    (0..ROWS)
        .map(|i| {
            let row = Row {
                coordinates: Coordinates { source: "s".into(), partition: 0, offset: i as i64 },
                sequence: i as u64,
                key: "".into(),
                series: "".into(),
                event_time: None,
                features: features(i).to_vec().into(),
            };
            Sample::new(Arc::new(row), 0, i as i64)
        })
        .collect()
}

/// Pairs of random rows, by their groups.
fn pairs(samples: &[Sample], count: usize) -> PairStore {
    let mut rng = stream(2, "pairs", 0);
    let mut store = PairStore::new(Ascent::default());
    for _ in 0..count {
        let [first, second] = [0, 1].map(|_| rng.random_range(0..ROWS));
        let link = if first % 3 == second % 3 { Link::Must } else { Link::Cannot };
        let item = |i: usize| (Arc::clone(&samples[i].row), 0);
        store.insert(item(first), item(second), link);
    }
    store
}

struct Set {
    samples: Vec<Sample>,
    items: Vec<Item>,
    pairs: PairStore,
    scaler: Scaler,
    bench: Workbench,
    /// Length of the network's parameters; a refinement keeps an average of them behind.
    network: usize,
}

fn set(encoder: Vec<usize>, count: usize) -> Set {
    set_of(encoder, count, false)
}

fn set_of(encoder: Vec<usize>, count: usize, refined: bool) -> Set {
    let samples = samples();
    let features: Vec<(u32, &[f32])> = samples.iter().map(|sample| (0, &sample.row.features[..])).collect();
    let scaler = Scaler::new(ScaleParameters { method: ScaleMethod::None, ..Default::default() }, &features);
    let shape = Shape { features: 2, encoder, embedding: 2, clusters: CLUSTERS };
    let method = Method::Balanced(BalancedParameters::default()).build(&shape);
    let network = method.layout().len();
    let objective: Arc<dyn Objective> = match refined {
        true => Arc::new(ClusMatch::new(method, 2, ClusMatchParameters::default())),
        false => method,
    };
    let bench = Workbench { objective, device: open(Backend::Flex).unwrap(), noise: Arc::new(Noise::new(3, 2)) };
    let items = samples.iter().map(|sample| (Arc::clone(&sample.row), 0)).collect();
    Set { pairs: pairs(&samples, count), samples, items, scaler, bench, network }
}

/// The best map of clusters to groups.
fn accuracy(labels: &[u32]) -> f64 {
    labels.iter().enumerate().map(|(i, label)| (*label, i % 3)).collect::<Contingency<u32, usize>>().accuracy()
}

impl Set {
    fn accuracy(&self, parameters: &[f32]) -> f64 {
        accuracy(&self.bench.labels(parameters, &self.items, &self.scaler))
    }

    /// Codes are the rows themselves, clusters as k-means seats them, and what is to look at them.
    fn seated(&self, steps: usize, reseats: usize) -> (Trained, Option<Reseating>) {
        let objective = self.bench.objective.as_ref();
        let mut drawn = objective.layout().draw(&mut stream(4, "network", 0));
        objective.layout().part_mut(&mut drawn, 0).copy_from_slice(&[1.0, 0.0, 0.0, 1.0]);
        if drawn.len() > self.network {
            drawn.copy_within(..self.network, self.network);
        }
        let reseating = Reseating::new(&self.bench, &drawn, &self.items, &self.pairs, &self.scaler, (steps, reseats));
        let seated = self.bench.seat(drawn, &self.items, &self.scaler, &mut stream(5, "seat", 0));
        (Trained::new(objective, seated), reseating)
    }

    fn look(&self, reseating: &mut Reseating, trained: Trained) -> Trained {
        reseating.look(&self.bench, (trained, self.pairs.clone()), &self.pairs, &self.scaler, false).0
    }
}

#[test]
fn a_cluster_that_breaks_cannot_links_is_cut_where_they_say() {
    for refined in [false, true] {
        cuts_where_cannot_links_say(&set_of(vec![], 120, refined));
    }
}

fn cuts_where_cannot_links_say(set: &Set) {
    let (seated, reseating) = set.seated(600, 4);
    let mut reseating = reseating.unwrap();
    assert!(set.accuracy(&seated.parameters) < 0.8, "{}", set.accuracy(&seated.parameters));
    assert!(!reseating.due(29) && reseating.due(50));
    let trial = set.look(&mut reseating, seated);
    assert!(set.accuracy(&trial.parameters) > 0.97, "{}", set.accuracy(&trial.parameters));
    assert!(reseating.due(100));
    // It is better, and nothing more is to be cut.
    let after = set.look(&mut reseating, trial.clone());
    assert_eq!(after.parameters, trial.parameters);
    assert!((0..600).all(|step| !reseating.due(step)));
}

#[test]
fn a_trial_that_is_no_better_is_taken_back() {
    let set = set(vec![], 120);
    let (seated, reseating) = set.seated(600, 4);
    let mut reseating = reseating.unwrap();
    let before = seated.parameters.clone();
    set.look(&mut reseating, seated.clone());
    assert_eq!(set.look(&mut reseating, seated).parameters, before);
    assert!((0..600).all(|step| !reseating.due(step)));
}

#[test]
fn there_is_no_trial_without_reason() {
    // Nobody asked, no pairs, too few steps.
    assert!(set(vec![], 120).seated(600, 0).1.is_none());
    assert!(set(vec![], 0).seated(600, 4).1.is_none());
    assert!(set(vec![], 120).seated(149, 4).1.is_none());
    // Too few cannot-links are broken.
    let set = set(vec![], 12);
    let (seated, reseating) = set.seated(600, 4);
    assert_eq!(set.look(&mut reseating.unwrap(), seated.clone()).parameters, seated.parameters);
}

#[test]
fn more_pairs_have_to_be_mended_than_chance_would() {
    assert_eq!(changes(&[true, true, false, false, true], &[false, true, true, false, false]), [2, 1]);
    for (mended, broken, better) in [(0, 0, false), (4, 0, true), (3, 0, false), (41, 14, true), (20, 12, false)] {
        assert_eq!(is_better(mended, broken), better, "{mended} {broken}");
    }
}

fn fitted(set: &Set, settings: &Settings, threads: usize) -> Vec<f32> {
    let pairs = Arc::new(set.pairs.clone());
    let plan = FitPlan { steps: 500, number: 0, candidate: 0, per_key: PerKey::Off, pairs, threads };
    fit(&set.bench, settings, &plan, &set.samples, &set.scaler, &[1.0 / 3.0; 3], &AtomicUsize::new(0))
}

#[test]
fn a_fit_finds_groups_that_k_means_joins_on_any_number_of_threads() {
    let set = set(vec![16], 120);
    let settings = |reseats: usize| {
        let mut settings = taught();
        settings.supervision.as_mut().unwrap().reseats = reseats;
        settings
    };
    let (without, with) = (fitted(&set, &settings(0), 1), fitted(&set, &settings(4), 1));
    assert!(set.accuracy(&without) < 0.9, "{}", set.accuracy(&without));
    assert!(set.accuracy(&with) > 0.95, "{}", set.accuracy(&with));
    let two = fitted(&set, &settings(4), 2);
    let apart = two.iter().zip(&with).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(apart < 1e-2, "{apart}");
}
