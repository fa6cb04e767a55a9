use rand::Rng;

use super::*;
use crate::network::{Backend, matrix, open, values};
use crate::stats::random::stream;

const ROWS: usize = 24;
const FEATURES: usize = 7;
const CLUSTERS: usize = 3;

fn shape(embedding: usize) -> Shape {
    Shape { features: FEATURES, encoder: vec![8], embedding, clusters: CLUSTERS }
}

/// One per row of the batch.
fn seeds(slice: Range<usize>) -> Vec<u64> {
    let pairs = ROWS / 2;
    slice.clone().chain(pairs + slice.start..pairs + slice.end).map(|i| i as u64).collect()
}

fn methods() -> Vec<(&'static str, Box<dyn Objective>)> {
    vec![
        ("even", Box::new(Even::new(&shape(5), EvenParameters::default()))),
        ("ae-cm", Box::new(AeCm::new(&shape(5), AeCmParameters { alpha: 1.5, ..Default::default() }))),
    ]
}

fn rows() -> Vec<f32> {
    let mut rng = stream(11, "rows", 0);
    (0..ROWS * FEATURES).map(|_| rng.random_range(-2.0..2.0)).collect()
}

/// What these tests compute with: `EVENKEEL_TEST_BACKEND`, flex if it is not set.
fn backend() -> Backend {
    match std::env::var("EVENKEEL_TEST_BACKEND").as_deref() {
        Ok("libtorch") => Backend::Libtorch,
        _ => Backend::Flex,
    }
}

/// Loss and gradient of the slice, given evidence of the whole batch.
fn slice(objective: &dyn Objective, parameters: &[f32], slice: Range<usize>, evidence: &[f32]) -> (f64, Vec<f32>) {
    slice_on(backend(), objective, parameters, slice, evidence)
}

fn slice_on(
    backend: Backend,
    objective: &dyn Objective,
    parameters: &[f32],
    slice: Range<usize>,
    evidence: &[f32],
) -> (f64, Vec<f32>) {
    let device = open(backend).unwrap().autodiff();
    let pairs = ROWS / 2;
    let all = rows();
    let pick = |i: usize| all[i * FEATURES..(i + 1) * FEATURES].to_vec();
    let chosen: Vec<f32> = slice.clone().chain(pairs + slice.start..pairs + slice.end).flat_map(pick).collect();
    let leaves = objective.layout().leaves(parameters, &device);
    let rows = matrix(chosen, 2 * slice.len(), FEATURES, &device);
    let pass = objective.forward(&leaves, rows, &seeds(slice.clone()));
    let own = objective.evidence(&pass);
    let context = Context {
        pairs,
        slice,
        fresh: 3,
        evidence: if evidence.is_empty() { &own } else { evidence },
        device_prices: &[0.0; ROWS * CLUSTERS],
        target: &[1.0 / CLUSTERS as f32; CLUSTERS],
        strength: 1.0,
        stage: Stage::Clustering,
        progress: 0.5,
        parameters,
    };
    let loss = objective.loss(&leaves, &pass, &context);
    let gradient = objective.layout().gradient(&loss, &leaves);
    (f64::from(values(loss)[0]), gradient)
}

fn evidence(objective: &dyn Objective, parameters: &[f32]) -> Vec<f32> {
    let device = open(backend()).unwrap().autodiff();
    let leaves = objective.layout().leaves(parameters, &device);
    objective.evidence(&objective.forward(&leaves, matrix(rows(), ROWS, FEATURES, &device), &seeds(0..ROWS / 2)))
}

#[test]
fn slices_add_up_to_the_batch() {
    for (name, objective) in methods() {
        let parameters = objective.layout().draw(&mut stream(5, name, 0));
        let evidence = evidence(objective.as_ref(), &parameters);
        let (whole, gradient) = slice(objective.as_ref(), &parameters, 0..12, &evidence);
        let parts: Vec<_> =
            [0..5, 5..6, 6..12].into_iter().map(|r| slice(objective.as_ref(), &parameters, r, &evidence)).collect();
        let sum: f64 = parts.iter().map(|p| p.0).sum();
        assert!((sum - whole).abs() < 1e-4 * whole.abs().max(1.0), "{name}: {sum} {whole}");
        for (i, g) in gradient.iter().enumerate() {
            let sum: f32 = parts.iter().map(|p| p.1[i]).sum();
            assert!((sum - g).abs() < 1e-4 * g.abs().max(1.0), "{name}: parameter {i}");
        }
    }
}

/// The codes of `even` and the linearised prior of `ae-cm` are constants of a step, so evidence is held fixed; for `ae-cm`
/// the value of the linearised term differs from the true one but its gradient does not, hence the comparison of slopes.
#[test]
fn gradients_equal_finite_differences() {
    for (name, objective) in methods() {
        let parameters = objective.layout().draw(&mut stream(6, name, 0));
        let evidence = evidence(objective.as_ref(), &parameters);
        let (_, gradient) = slice(objective.as_ref(), &parameters, 0..12, &evidence);
        for i in (0..parameters.len()).step_by(7) {
            let at = |delta: f32| {
                let mut moved = parameters.clone();
                moved[i] += delta;
                slice(objective.as_ref(), &moved, 0..12, &evidence).0
            };
            let slope = (at(2e-3) - at(-2e-3)) / 4e-3;
            let g = f64::from(gradient[i]);
            assert!((slope - g).abs() < 2e-2 * g.abs().max(0.5), "{name}: parameter {i}: {slope} against {g}");
        }
    }
}

#[test]
fn renumbering_permutes_scores_and_distances() {
    let device = open(backend()).unwrap();
    for (name, objective) in methods() {
        let mut parameters = objective.layout().draw(&mut stream(7, name, 0));
        let infer = |parameters: &[f32]| {
            let matrices = objective.layout().tensors(parameters, &device);
            let inference = objective.infer(&matrices, matrix(rows(), ROWS, FEATURES, &device));
            (values(inference.scores), values(inference.distances))
        };
        let before = infer(&parameters);
        objective.renumber(&mut parameters, &[2, 0, 1]);
        let after = infer(&parameters);
        for i in 0..ROWS {
            for (new, old) in [2, 0, 1].into_iter().enumerate() {
                assert!((after.0[i * 3 + new] - before.0[i * 3 + old]).abs() < 1e-5, "{name}");
                assert!((after.1[i * 3 + new] - before.1[i * 3 + old]).abs() < 1e-4, "{name}");
            }
        }
    }
}

/// Boubekki et al. 2021, the identity behind the clustering module: E1 + E2 + E3 = Σ γ ‖x - μ‖², in f64.
#[test]
fn clustering_module_is_the_soft_distortion() {
    let mut rng = stream(8, "identity", 0);
    let (n, k, d) = (9, 4, 3);
    let x: Vec<f64> = (0..n * d).map(|_| rng.random_range(-1.0..1.0)).collect();
    let mu: Vec<f64> = (0..k * d).map(|_| rng.random_range(-1.0..1.0)).collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let (mut left, mut right) = (0.0, 0.0);
    for row in x.chunks(d) {
        let raw: Vec<f64> = (0..k).map(|_| rng.random_range(0.1..1.0)).collect();
        let gamma: Vec<f64> = raw.iter().map(|g| g / raw.iter().sum::<f64>()).collect();
        let pulled: Vec<f64> = (0..d).map(|j| (0..k).map(|c| gamma[c] * mu[c * d + j]).sum()).collect();
        left += row.iter().zip(&pulled).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
        for a in 0..k {
            let ma = &mu[a * d..(a + 1) * d];
            left += gamma[a] * (1.0 - gamma[a]) * dot(ma, ma);
            for b in (0..k).filter(|b| *b != a) {
                left -= gamma[a] * gamma[b] * dot(ma, &mu[b * d..(b + 1) * d]);
            }
            right += gamma[a] * row.iter().zip(ma).map(|(x, m)| (x - m) * (x - m)).sum::<f64>();
        }
    }
    assert!((left - right).abs() < 1e-12 * right);
}

#[test]
fn fresh_rows_of_one_kind_do_not_move_the_prices() {
    let even = Even::new(&shape(5), EvenParameters::default());
    let parameters = even.layout().draw(&mut stream(9, "even", 0));
    let mut changed = evidence(&even, &parameters);
    let (before, _) = slice(&even, &parameters, 5..12, &changed);
    for i in (0..3).chain(12..15) {
        changed[i * CLUSTERS..(i + 1) * CLUSTERS].copy_from_slice(&[9.0, -9.0, -9.0]);
    }
    let (after, _) = slice(&even, &parameters, 5..12, &changed);
    assert!((before - after).abs() < 1e-9);
}

#[test]
fn k_means_seats_the_clustering_module() {
    let aecm = AeCm::new(&shape(2), AeCmParameters::default());
    let mut parameters = aecm.layout().draw(&mut stream(10, "ae-cm", 0));
    let embeddings: Vec<f32> = (0..90).flat_map(|i| [(i % 3) as f32 * 5.0, (i / 3) as f32 * 0.02]).collect();
    let device = open(backend()).unwrap();
    let seating = Seating { rows: &[], embeddings: &embeddings, device: &device };
    aecm.seat(&mut parameters, &seating, &mut stream(1, "seat", 0));
    let matrices = aecm.layout().tensors(&parameters, &device);
    let scores = values(aecm.logits(&matrices, matrix(embeddings, 90, 2, &device)));
    let best = |i: usize| (0..3).max_by(|a, b| scores[i * 3 + a].total_cmp(&scores[i * 3 + b]));
    for i in 3..90 {
        assert_eq!(best(i), best(i % 3));
    }
}

/// Sums of a few thousand products of f32 in another order: 1e-4 of the largest component.
#[test]
#[cfg(all(feature = "flex", feature = "libtorch"))]
fn every_backend_gives_the_same_loss_and_gradient() {
    for (name, objective) in methods() {
        let parameters = objective.layout().draw(&mut stream(12, name, 0));
        let evidence = evidence(objective.as_ref(), &parameters);
        let on = |backend: &Backend| slice_on(*backend, objective.as_ref(), &parameters, 2..9, &evidence);
        let (loss, gradient) = on(&Backend::BUILT[0]);
        let largest = gradient.iter().fold(0.0f32, |largest, g| largest.max(g.abs()));
        for backend in &Backend::BUILT[1..] {
            let (other, slope) = on(backend);
            assert!((other - loss).abs() < 1e-4 * loss.abs().max(1.0), "{name} on {backend:?}: {other} against {loss}");
            for (i, (a, b)) in gradient.iter().zip(&slope).enumerate() {
                assert!((a - b).abs() < 1e-4 * largest, "{name} on {backend:?}, parameter {i}: {a} against {b}");
            }
        }
    }
}
