use rand::Rng;

use super::fairness::{self, Sides};
use super::reading::Reading;
use super::thresholds::Thresholds;
use super::*;
use crate::network::{Backend, Tensor, matrix, open, values};
use crate::objective::tests::whole_batch;
use crate::objective::{Context, Even, EvenParameters, Objective, Pass, Seating, Shape, Stage};
use crate::stats::random::stream;

const CLUSTERS: usize = 3;
const EMBEDDING: usize = 2;

fn method(parameters: ClusMatchParameters) -> ClusMatch {
    let shape = Shape { features: 4, encoder: vec![6], embedding: EMBEDDING, clusters: CLUSTERS };
    ClusMatch::new(std::sync::Arc::new(Even::new(&shape, EvenParameters::default())), EMBEDDING, parameters)
}

/// Only the term that `set` turns on.
fn alone(set: impl Fn(&mut ClusMatchParameters)) -> ClusMatchParameters {
    let mut parameters = ClusMatchParameters::default();
    for weight in [
        &mut parameters.supervised,
        &mut parameters.positive,
        &mut parameters.kmeans,
        &mut parameters.negative,
        &mut parameters.fairness,
    ] {
        *weight = 0.0;
    }
    set(&mut parameters);
    parameters
}

fn context<'a>(pairs: usize, evidence: &'a [f32], parameters: &'a [f32]) -> Context<'a> {
    Context {
        target: &[1.0 / CLUSTERS as f32; CLUSTERS],
        strength: 1.0,
        stage: Stage::Refining,
        ..whole_batch(pairs, evidence, parameters)
    }
}

/// Probabilities of weak views, then of strong ones, with all embeddings at the origin.
fn pass(probabilities: &[[f32; CLUSTERS]]) -> Pass {
    let device = open(Backend::Flex).unwrap().autodiff();
    let rows = probabilities.len();
    let zeros = |rows, columns| matrix(vec![0.0; rows * columns], rows, columns, &device);
    let head = matrix(probabilities.concat().iter().map(|p| p.ln()).collect(), rows, CLUSTERS, &device);
    let averaged = zeros(rows / 2, EMBEDDING).inner();
    Pass { input: zeros(rows, 4), embedding: zeros(rows, EMBEDDING), head, extra: vec![averaged] }
}

fn loss(method: &ClusMatch, parameters: &[f32], probabilities: &[[f32; CLUSTERS]]) -> f64 {
    let pass = pass(probabilities);
    let evidence = method.evidence(&pass);
    let leaves: Vec<Tensor<2>> = Vec::new();
    let loss = method.loss(&leaves, &pass, &context(probabilities.len() / 2, &evidence, parameters));
    f64::from(values(loss)[0])
}

fn simplex(rng: &mut impl Rng) -> Vec<f32> {
    let raw: Vec<f32> = (0..CLUSTERS).map(|_| rng.random_range(0.05..1.0f32)).collect();
    raw.iter().map(|v| v / raw.iter().sum::<f32>()).collect()
}

fn class(p: &[f32]) -> usize {
    (0..p.len()).max_by(|a, b| p[*a].total_cmp(&p[*b])).unwrap()
}

/// The authors' code keeps `A` without its diagonal and `τ_g` apart and multiplies them.
#[test]
fn thresholds_are_those_of_the_product_form() {
    let mut rng = stream(1, "thresholds", 0);
    let (momentum, even) = (0.9f32, 1.0 / CLUSTERS as f32);
    let mut ours = Thresholds::new(&[even; CLUSTERS * CLUSTERS], CLUSTERS);
    let mut confusion = [[0.0f32; CLUSTERS]; CLUSTERS];
    (0..CLUSTERS).for_each(|c| (0..CLUSTERS).filter(|j| *j != c).for_each(|j| confusion[c][j] = even));
    let mut global = [(CLUSTERS - 1) as f32 * even; CLUSTERS];
    let mut largest = [even; CLUSTERS];
    for _ in 0..50 {
        // As many rows of each class, so that every class moves by the same momentum.
        let mut rows: Vec<Vec<f32>> = Vec::new();
        for c in 0..CLUSTERS {
            while rows.len() < 4 * (c + 1) {
                rows.extend(Some(simplex(&mut rng)).filter(|p| class(p) == c));
            }
        }
        ours.renew(rows.iter().map(|p| (class(p), p.as_slice())), momentum);
        for (c, four) in rows.chunks(4).enumerate() {
            let mean = |j: usize| four.iter().map(|p| p[j]).sum::<f32>() / 4.0;
            let others = || (0..CLUSTERS).filter(|j| *j != c);
            others().for_each(|j| confusion[c][j] = momentum * confusion[c][j] + (1.0 - momentum) * mean(j));
            global[c] = momentum * global[c] + (1.0 - momentum) * others().map(mean).sum::<f32>();
            largest[c] = momentum * largest[c] + (1.0 - momentum) * mean(c);
        }
    }
    for c in 0..CLUSTERS {
        let sum: f32 = confusion[c].iter().sum();
        let negative = |j: usize| confusion[c][j] / sum * global[c];
        let others = || (0..CLUSTERS).filter(|j| *j != c);
        assert!(others().all(|j| (ours.negative(c, j) - negative(j)).abs() < 1e-5));
        assert!(others().all(|j| (ours.negative(c, j) - confusion[c][j]).abs() < 1e-5));
        assert!((ours.positive(c) - (1.0 - others().map(negative).sum::<f32>())).abs() < 1e-5);
        assert!((ours.positive(c) - largest[c]).abs() < 1e-5);
    }
}

#[test]
fn thresholds_of_absent_classes_stay() {
    let start: Vec<f32> = (0..9).map(|i| i as f32 * 0.1).collect();
    let mut thresholds = Thresholds::new(&start, CLUSTERS);
    thresholds.renew([(1, [0.1, 0.8, 0.1].as_slice()); 4].into_iter(), 0.9);
    assert_eq!(thresholds.confusion()[..3], start[..3]);
    assert_eq!(thresholds.confusion()[6..], start[6..]);
    // Three times an even share of the batch: three steps at once.
    let keep = 0.9f32.powi(3);
    assert!((thresholds.positive(1) - (keep * 0.4 + (1.0 - keep) * 0.8)).abs() < 1e-6);
}

/// With a horizon of one step the thresholds are the batch's own means.
fn sharp(set: impl Fn(&mut ClusMatchParameters)) -> ClusMatch {
    method(ClusMatchParameters { horizon: 1.0, ..alone(set) })
}

const ROWS: [[f32; CLUSTERS]; 6] =
    [[0.8, 0.15, 0.05], [0.6, 0.1, 0.3], [0.1, 0.7, 0.2], [0.5, 0.3, 0.2], [0.2, 0.2, 0.6], [0.1, 0.6, 0.3]];

#[test]
fn masks_follow_the_thresholds_of_the_class() {
    let method = sharp(|_| {});
    let parameters = method.layout().draw(&mut stream(2, "masks", 0));
    let evidence = method.evidence(&pass(&ROWS));
    let reading = Reading::of(&method, &context(3, &evidence, &parameters));
    // Class 0 has rows 0 and 1: τ⁺ = 0.7, τ⁻ = (0.125, 0.175); class 1 has row 2: τ⁺ = 0.7, τ⁻ = (0.1, 0.2).
    assert_eq!(reading.classes, [0, 0, 1]);
    assert_eq!(reading.confident, [true, false, true]);
    // Without centroids all cosines are equal and the lowest number wins.
    assert_eq!(reading.labels, [0, 0, 0]);
    let excluded =
        |row: usize| -> Vec<usize> { (0..CLUSTERS).filter(|j| reading.excluded(row, *j, ROWS[row][*j])).collect() };
    assert_eq!((excluded(0), excluded(1), excluded(2)), (vec![2], vec![1], vec![]));
}

#[test]
fn every_term_is_that_of_the_formula() {
    let of = |method: &ClusMatch| loss(method, &method.layout().draw(&mut stream(2, "masks", 0)), &ROWS);
    let ln = |p: f32| f64::from(p).ln();
    let positive = of(&sharp(|p| p.positive = 0.5));
    assert!((positive + 0.5 / 3.0 * (ln(0.5) + ln(0.6))).abs() < 1e-5, "{positive}");
    let kmeans = of(&sharp(|p| p.kmeans = 0.5));
    assert!((kmeans + 0.5 / 3.0 * (ln(0.5) + ln(0.1))).abs() < 1e-5, "{kmeans}");
    let negative = of(&sharp(|p| p.negative = 0.5));
    assert!((negative + 0.5 / 3.0 * (ln(1.0 - 0.2) + ln(1.0 - 0.2))).abs() < 1e-5, "{negative}");
    let nothing_selected = of(&sharp(|p| p.supervised = 1.0));
    assert_eq!(nothing_selected, 0.0);

    let method = sharp(|p| p.supervised = 1.0);
    let mut parameters = method.layout().draw(&mut stream(2, "masks", 0));
    method.layout().part_mut(&mut parameters, method.slots.radii).fill(2.0);
    let all_selected = loss(&method, &parameters, &ROWS);
    assert!((all_selected + (ln(0.8) + ln(0.6) + ln(0.1)) / 3.0).abs() < 1e-5, "{all_selected}");
}

#[test]
fn fairness_slopes_equal_finite_differences() {
    let mut rng = stream(3, "fairness", 0);
    let (weak, weak_shares, strong, strong_shares) =
        (simplex(&mut rng), simplex(&mut rng), simplex(&mut rng), simplex(&mut rng));
    let sides = Sides { weak: &weak, weak_shares: &weak_shares, strong: &strong, strong_shares: &strong_shares };
    let slopes = fairness::slopes(sides);
    for c in 0..CLUSTERS {
        let at = |delta: f32| {
            let mut moved = strong.clone();
            moved[c] += delta;
            fairness::value(Sides { strong: &moved, ..sides })
        };
        let slope = (at(1e-3) - at(-1e-3)) / 2e-3;
        assert!((slope - f64::from(slopes[c])).abs() < 1e-3 * slope.abs().max(1.0), "{slope} {}", slopes[c]);
    }
    assert!(slopes.iter().any(|s| s.abs() > 1e-2));
}

#[test]
fn fairness_is_nothing_without_confident_rows() {
    let zeros = [0.0; CLUSTERS];
    let weak = [0.5, 0.3, 0.2];
    let sides = Sides { weak: &weak, weak_shares: &weak, strong: &zeros, strong_shares: &zeros };
    assert_eq!(fairness::slopes(sides), zeros);

    // No answer reaches a threshold of two: nothing is learned from strong views.
    let method = method(alone(|p| p.fairness = 1.0));
    let mut parameters = method.layout().draw(&mut stream(2, "fairness", 0));
    method.layout().part_mut(&mut parameters, method.slots.confusion).fill(2.0);
    assert_eq!(loss(&method, &parameters, &ROWS), 0.0);
}

#[test]
fn as_many_rows_of_each_cluster_lie_within_the_radii() {
    let labels: Vec<usize> = (0..60).map(|i| usize::from(i >= 12) + usize::from(i >= 30)).collect();
    let distances: Vec<f32> = (0..60).map(|i| ((i * 37) % 60) as f32 * 0.01).collect();
    let radii = space::radii(&labels, &distances, 4, 5);
    let within = |k: usize| (0..60).filter(|i| labels[*i] == k && distances[*i] <= radii[k]).count();
    assert_eq!([within(0), within(1), within(2)], [5, 5, 5]);
    assert!(radii[3] < 0.0);
}

#[test]
fn centroids_follow_their_rows_and_only_those() {
    let (mut centroids, mut counts) = (vec![1.0, 0.0, 0.0, 1.0], vec![3.0, 7.0]);
    space::follow(&mut centroids, &mut counts, &[0.0, 1.0], &[0]);
    let length = (0.75f32 * 0.75 + 0.25 * 0.25).sqrt();
    assert!((centroids[0] - 0.75 / length).abs() < 1e-6 && (centroids[1] - 0.25 / length).abs() < 1e-6);
    assert_eq!((&centroids[2..], counts), ([0.0, 1.0].as_slice(), vec![4.0, 7.0]));
}

#[test]
fn a_cluster_around_the_mean_has_a_direction_of_its_own() {
    let mut rng = stream(4, "space", 0);
    let embeddings: Vec<f32> =
        (0..300).flat_map(|i| [(i % 3) as f32 * 4.0 - 4.0 + rng.random_range(-0.2..0.2f32), 9.0]).collect();
    let directions = space::Viewpoint::of(&embeddings, 2).directions(&embeddings);
    let solution = crate::stats::spherical::fit(&directions, 3, 3, Vec::new(), 5, &mut rng);
    assert!((3..300).all(|i| solution.labels[i] == solution.labels[i % 3]));
}

#[test]
fn views_that_show_other_rows_are_weakened() {
    let mut rng = stream(5, "gate", 0);
    let labels: Vec<usize> = (0..60).map(|i| i % CLUSTERS).collect();
    let weak: Vec<f32> =
        labels.iter().flat_map(|k| [*k as f32 * 5.0, 0.0].map(|v| v + rng.random_range(-0.5..0.5f32))).collect();
    assert_eq!(gate::agreement(&weak, &weak, &labels, 2, CLUSTERS), 1.0);
    let moved: Vec<f32> = weak.chunks(2).flat_map(|z| [(z[0] + 5.5) % 15.0 - 0.5, z[1]]).collect();
    let agreement = gate::agreement(&weak, &moved, &labels, 2, CLUSTERS);
    assert!(agreement < 0.2, "{agreement}");
    let mut state = [1.0, 1.0];
    (0..100).for_each(|_| gate::renew(&mut state, agreement, 0.8));
    assert!(state[1] < 0.5, "{state:?}");
    (0..200).for_each(|_| gate::renew(&mut state, 1.0, 0.8));
    assert_eq!(state[1], 1.0);
}

fn reviewed(method: &ClusMatch, parameters: &mut [f32], rows: &[f32]) -> Vec<u32> {
    let device = open(Backend::Flex).unwrap();
    let matrices = method.layout().tensors(parameters, &device);
    let inference = method.infer(&matrices, matrix(rows.to_vec(), rows.len() / 4, 4, &device));
    let scores = values(inference.scores);
    let seating = Seating { rows, embeddings: &values(inference.embedding), device: &device };
    method.review(parameters, &seating, &mut stream(6, "review", 0));
    scores.chunks(CLUSTERS).map(|row| class(row) as u32).collect()
}

#[test]
fn k_means_clusters_take_the_numbers_that_the_network_gives() {
    let mut rng = stream(7, "review", 0);
    let rows: Vec<f32> = (0..240).map(|_| rng.random_range(-2.0..2.0f32)).collect();
    let method = method(ClusMatchParameters::default());
    let mut parameters = method.layout().draw(&mut rng);
    let agreement = |parameters: &mut Vec<f32>| {
        let classes = reviewed(&method, parameters, &rows);
        let device = open(Backend::Flex).unwrap();
        let leaves = method.layout().leaves(parameters, &device.clone().autodiff());
        let doubled = [rows.as_slice(), rows.as_slice()].concat();
        let pass = method.forward(&leaves, matrix(doubled, 120, 4, &device.autodiff()), &[0; 120]);
        let reading = Reading::of(&method, &context(60, &method.evidence(&pass), parameters));
        let same = reading.labels.iter().zip(&classes).filter(|(k, c)| **k == **c as usize).count();
        (same, reading.labels)
    };
    let (same, labels) = agreement(&mut parameters);
    assert!(same > 30, "{same} of 60");
    method.renumber(&mut parameters, &[2, 0, 1]);
    let (_, renumbered) = agreement(&mut parameters);
    let kept = labels.iter().zip(&renumbered).filter(|(old, new)| [2, 0, 1][**new] == **old).count();
    assert!(kept > 50, "{kept} of 60");
}

#[test]
fn the_average_follows_the_network_at_the_pace_of_the_stage() {
    let method = method(ClusMatchParameters { horizon: 4.0, ..Default::default() });
    let mut parameters = method.layout().draw(&mut stream(8, "average", 0));
    let before = parameters[0];
    let width = method.width();
    let evidence = method.evidence(&pass(&ROWS));
    let found = parameters.clone();
    parameters[0] = before + 1.0;
    method.settle(&mut parameters, &context(3, &evidence, &found));
    assert!((parameters[width] - (before + 0.25)).abs() < 1e-6);
    let clustering = Context { stage: Stage::Clustering, ..context(3, &evidence, &found) };
    method.settle(&mut parameters, &clustering);
    assert_eq!(parameters[width], parameters[0]);
}
