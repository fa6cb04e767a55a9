use rand::Rng;

use super::*;
use crate::network::{Backend, open};
use crate::objective::{Idec, IdecParameters};
use crate::stats::random::stream;

const ROWS: usize = 12;
const FEATURES: usize = 6;
const EMBEDDING: usize = 4;

fn shape() -> Shape {
    Shape { features: FEATURES, encoder: vec![9, 7], embedding: EMBEDDING, clusters: 3 }
}

fn rows() -> Vec<f32> {
    let mut rng = stream(21, "rows", 0);
    (0..ROWS * FEATURES).map(|_| rng.random_range(-2.0..2.0)).collect()
}

/// Loss and gradient of a batch of two halves.
fn learn(objective: &dyn Objective, parameters: &[f32], stage: Stage, seed: u64) -> (f32, Vec<f32>) {
    let device = open(Backend::Flex).unwrap().autodiff();
    let leaves = objective.layout().leaves(parameters, &device);
    let seeds: Vec<u64> = (0..ROWS as u64).map(|i| mix(seed ^ i)).collect();
    let pass = objective.forward(&leaves, matrix(rows(), ROWS, FEATURES, &device), &seeds);
    let evidence = objective.evidence(&pass);
    let context = Context {
        pairs: ROWS / 2,
        slice: 0..ROWS / 2,
        fresh: 0,
        evidence: &evidence,
        device_prices: &[],
        target: &[1.0 / 3.0; 3],
        strength: 1.0,
        constraints: &[],
        stage,
        progress: 0.25,
        parameters,
    };
    let loss = objective.loss(&leaves, &pass, &context);
    let gradient = objective.layout().gradient(&loss, &leaves);
    (values(loss)[0], gradient)
}

fn method(parameters: ContractiveFocalParameters) -> (ContractiveFocal, Vec<f32>) {
    let objective = ContractiveFocal::new(&shape(), parameters);
    let parameters = objective.layout().draw(&mut stream(5, "contractive-focal", 0));
    (objective, parameters)
}

#[test]
fn the_penalty_is_the_squared_norm_of_the_jacobian_by_finite_differences() {
    let with = ContractiveFocalParameters { contraction: 2.0, ..Default::default() };
    let (objective, parameters) = method(with);
    let without = method(ContractiveFocalParameters { contraction: 0.0, ..Default::default() }).0;
    let stage = Stage::Pretraining;
    let penalty = learn(&objective, &parameters, stage, 1).0 - learn(&without, &parameters, stage, 1).0;

    let device = open(Backend::Flex).unwrap();
    let matrices = objective.layout().tensors(&parameters, &device);
    let codes = |rows: Vec<f32>| values(objective.autoencoder.encode(&matrices, matrix(rows, ROWS, FEATURES, &device)));
    let mut norm = 0.0f64;
    for feature in 0..FEATURES {
        let moved = |delta: f32| {
            let mut rows = rows();
            rows.iter_mut().skip(feature).step_by(FEATURES).for_each(|x| *x += delta);
            codes(rows)
        };
        let gaps = moved(1e-3).into_iter().zip(moved(-1e-3)).map(|(above, below)| f64::from(above - below) / 2e-3);
        norm += gaps.map(|slope| slope * slope).sum::<f64>();
    }
    let expected = 2.0 * norm / ROWS as f64;
    assert!((f64::from(penalty) - expected).abs() < 1e-2 * expected, "{penalty} against {expected}");
}

/// With the slopes of the activations held, for the penalty jumps where a unit begins to fire.
#[test]
fn the_gradient_of_the_penalty_equals_finite_differences() {
    for jacobian in [Jacobian::Exact, Jacobian::Sampled] {
        let (objective, parameters) = method(ContractiveFocalParameters { jacobian, ..Default::default() });
        let device = open(Backend::Flex).unwrap().autodiff();
        let leaves = objective.layout().leaves(&parameters, &device);
        let seeds: Vec<u64> = (0..ROWS as u64).collect();
        let pass = objective.forward(&leaves, matrix(rows(), ROWS, FEATURES, &device), &seeds);
        let gradient = objective.layout().gradient(&objective.squared_jacobian(&leaves, &pass), &leaves);
        let mut moves = 0;
        for i in 0..parameters.len() {
            let at = |delta: f32| {
                let mut moved = parameters.clone();
                moved[i] += delta;
                let leaves = objective.layout().leaves(&moved, &device);
                f64::from(values(objective.squared_jacobian(&leaves, &pass))[0])
            };
            let (slope, g) = ((at(1e-2) - at(-1e-2)) / 2e-2, f64::from(gradient[i]));
            assert!((slope - g).abs() < 1e-2 * g.abs().max(0.5), "{jacobian:?}: parameter {i}: {slope} against {g}");
            moves += usize::from(g != 0.0);
        }
        assert!(moves > 100);
    }
}

#[test]
fn slices_of_the_penalty_add_up() {
    let (objective, parameters) = method(ContractiveFocalParameters::default());
    let device = open(Backend::Flex).unwrap().autodiff();
    let leaves = objective.layout().leaves(&parameters, &device);
    let penalty = |range: std::ops::Range<usize>| {
        let seeds: Vec<u64> = range.clone().map(|i| i as u64).collect();
        let chosen = rows()[range.start * FEATURES..range.end * FEATURES].to_vec();
        let pass = objective.forward(&leaves, matrix(chosen, seeds.len(), FEATURES, &device), &seeds);
        values(objective.squared_jacobian(&leaves, &pass))[0]
    };
    assert!((penalty(0..5) + penalty(5..ROWS) - penalty(0..ROWS)).abs() < 1e-4);
}

#[test]
fn sampled_directions_have_the_exact_gradient_as_their_mean() {
    let parameters = |jacobian| ContractiveFocalParameters { contraction: 1.0, jacobian, ..Default::default() };
    let (exact, weights) = method(parameters(Jacobian::Exact));
    let (sampled, _) = method(parameters(Jacobian::Sampled));
    let (_, gradient) = learn(&exact, &weights, Stage::Pretraining, 0);
    let draws = 400;
    let mut mean = vec![0.0; gradient.len()];
    for seed in 0..draws {
        let (_, drawn) = learn(&sampled, &weights, Stage::Pretraining, mix(seed));
        mean.iter_mut().zip(drawn).for_each(|(m, d)| *m += d / draws as f32);
    }
    let length = |v: &[f32]| v.iter().map(|x| x * x).sum::<f32>().sqrt();
    let gap: Vec<f32> = mean.iter().zip(&gradient).map(|(m, g)| m - g).collect();
    assert!(length(&gap) < 0.05 * length(&gradient), "{} of {}", length(&gap), length(&gradient));
}

#[test]
fn without_focus_and_contraction_it_learns_what_idec_learns() {
    let plain = ContractiveFocalParameters { contraction: 0.0, focus: 0.0, clustering: 0.7, ..Default::default() };
    let (objective, weights) = method(plain);
    let idec = Idec::new(&shape(), IdecParameters { gamma: 0.7, ..Default::default() });
    assert_eq!(idec.layout().len(), objective.layout().len());
    let (_, ours) = learn(&objective, &weights, Stage::Clustering, 3);
    let (_, theirs) = learn(&idec, &weights, Stage::Clustering, 3);
    for (a, b) in ours.iter().zip(&theirs) {
        assert!((a - b).abs() < 1e-5 * b.abs().max(0.1), "{a} {b}");
    }
}

/// Lin et al. 2017, equation 4, in double precision.
#[test]
fn the_focal_loss_equals_its_formula() {
    let device = open(Backend::Flex).unwrap();
    let q = [0.7f32, 0.2, 0.1, 0.05, 0.05, 0.9];
    let t = [0.8f32, 0.1, 0.1, 0.0, 1.0, 0.0];
    for exponent in [0.0, 0.5, 2.0] {
        let logs = matrix(q.iter().map(|q| q.ln()).collect(), 2, 3, &device);
        let found = values(focal(matrix(t.to_vec(), 2, 3, &device), logs, exponent))[0];
        let term = |(q, t): (&f32, &f32)| -f64::from(*t) * (1.0 - f64::from(*q)).powf(exponent) * f64::from(*q).ln();
        let expected: f64 = q.iter().zip(&t).map(term).sum();
        assert!((f64::from(found) - expected).abs() < 1e-5, "{exponent}: {found} against {expected}");
    }
}

#[test]
fn certain_assignments_have_a_finite_slope_at_every_exponent() {
    for exponent in [0.0, 0.1, 1.0, 2.0] {
        let device = open(Backend::Flex).unwrap().autodiff();
        let mut layout = Layout::default();
        layout.push(2, 3, crate::network::Init::Zeros);
        let logits = [0.0, -200.0, -90.0, 3.0, 3.0, 3.0];
        let leaves = layout.leaves(&logits, &device);
        let logs = burn::tensor::activation::log_softmax(leaves[0].clone(), 1);
        let targets = matrix(vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0], 2, 3, &device);
        let gradient = layout.gradient(&focal(targets, logs, exponent), &leaves);
        assert!(gradient.iter().all(|g| g.is_finite()), "{exponent}: {gradient:?}");
    }
}
