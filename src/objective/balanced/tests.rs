use rand::Rng;

use super::*;
use crate::network::{Backend, open, values};
use crate::objective::Constraint;
use crate::stats::random::stream;

const CLUSTERS: usize = 4;
const FEATURES: usize = 6;
const PAIRS: usize = 8;

fn balanced(parameters: BalancedParameters) -> Balanced {
    Balanced::new(&Shape { features: FEATURES, encoder: vec![9], embedding: 3, clusters: CLUSTERS }, parameters)
}

fn rows(seed: u64) -> Vec<f32> {
    let mut rng = stream(seed, "rows", 0);
    (0..2 * PAIRS * FEATURES).map(|_| rng.random_range(-1.5..1.5)).collect()
}

fn context<'a>(parameters: &'a [f32], evidence: &'a [f32], constraints: &'a [Constraint]) -> Context<'a> {
    Context {
        pairs: PAIRS,
        slice: 0..PAIRS,
        fresh: 0,
        evidence,
        device_prices: &[],
        target: &[0.4, 0.3, 0.2, 0.1],
        strength: 1.0,
        constraints,
        stage: Stage::Clustering,
        progress: 0.5,
        parameters,
    }
}

/// Loss, gradient and `ln q` of a whole batch, evidence gathered anew.
fn evaluate(
    objective: &Balanced,
    parameters: &[f32],
    rows: &[f32],
    constraints: &[Constraint],
) -> (f64, Vec<f32>, Vec<f32>) {
    let device = open(Backend::Flex).unwrap().autodiff();
    let leaves = objective.layout().leaves(parameters, &device);
    let pass = objective.forward(&leaves, matrix(rows.to_vec(), 2 * PAIRS, FEATURES, &device), &[0; 2 * PAIRS]);
    let evidence = objective.evidence(&pass);
    let loss = objective.loss(&leaves, &pass, &context(parameters, &evidence, constraints));
    let gradient = objective.layout().gradient(&loss, &leaves);
    (f64::from(values(loss)[0]), gradient, evidence)
}

/// Numbers of the reference: 256 rows in ten clusters, 26 or 25 each, and 256 rows that belong to all alike.
#[test]
fn the_balance_norm_has_the_known_values() {
    let (rows, clusters) = (256.0, 10.0);
    let authors = |energies: &[f64]| balance_norm(energies, &[0.1; 10], 0.0) * clusters * clusters / rows;
    let hard: Vec<f64> = (0..10).map(|k| if k < 6 { 26.0 / rows } else { 25.0 / rows }).collect();
    assert!((authors(&hard) - 0.39077).abs() < 5e-6);
    assert!((authors(&[0.01; 10]) - 3.90625).abs() < 1e-6);
    let sizes = [0.4, 0.3, 0.2, 0.1];
    assert!((balance_norm(&sizes, &sizes.map(|s| s as f32), 0.0) - 1.0).abs() < 1e-6);
}

/// Equation 14: `½‖P_ML ∘ (E - YYᵀ) + P_CL ∘ (YYᵀ)‖₁` over symmetric matrices, equal to the sum over pairs.
#[test]
fn the_constraint_term_is_the_matrix_form() {
    let objective = balanced(BalancedParameters { beta: 0.3, ..Default::default() });
    let parameters = objective.layout().draw(&mut stream(1, "balanced", 0));
    let constraints = [
        Constraint { pair: 1, link: Link::Must, multiplier: 1.7 },
        Constraint { pair: 2, link: Link::Cannot, multiplier: 0.6 },
        Constraint { pair: 7, link: Link::Must, multiplier: 1.0 },
    ];
    let rows = rows(2);
    let (without, _, logs) = evaluate(&objective, &parameters, &rows, &[]);
    let (with, _, _) = evaluate(&objective, &parameters, &rows, &constraints);
    let n = 2 * PAIRS;
    let agreement = |i: usize, j: usize| -> f64 {
        (0..CLUSTERS).map(|k| f64::from(logs[i * CLUSTERS + k] + logs[j * CLUSTERS + k]).exp()).sum()
    };
    let (mut must, mut cannot) = (vec![0.0; n * n], vec![0.0; n * n]);
    for constraint in &constraints {
        let (i, j) = (constraint.pair, PAIRS + constraint.pair);
        let table = if constraint.link == Link::Must { &mut must } else { &mut cannot };
        (table[i * n + j], table[j * n + i]) = (f64::from(constraint.multiplier), f64::from(constraint.multiplier));
    }
    let entry =
        |i: usize, j: usize| (must[i * n + j] * (1.0 - agreement(i, j)) + cannot[i * n + j] * agreement(i, j)).abs();
    let norm: f64 = 0.5 * (0..n * n).map(|at| entry(at / n, at % n)).sum::<f64>();
    let expected = 0.3 * 256.0 / n as f64 * norm;
    assert!((with - without - expected).abs() < 1e-4 * expected, "{} {expected}", with - without);
    let agreements = objective.agreements(&context(&parameters, &logs, &constraints));
    for (agreed, constraint) in agreements.iter().zip(&constraints) {
        assert!((f64::from(*agreed) - agreement(constraint.pair, PAIRS + constraint.pair)).abs() < 1e-6);
    }
}

/// The evidence is gathered anew at every point: the linear form has the slope of the norm itself.
#[test]
fn the_gradient_is_that_of_the_norm_and_not_only_of_its_linear_form() {
    let objective = balanced(BalancedParameters { alpha: 4.0, horizon_rows: 0.0, ..Default::default() });
    let parameters = objective.layout().draw(&mut stream(3, "balanced", 0));
    let rows = rows(4);
    let norm_only = |parameters: &[f32]| {
        let (loss, gradient, logs) = evaluate(&objective, parameters, &rows, &[]);
        let energies = mean_squares(&logs, CLUSTERS);
        let norm = 4.0 * 16.0 / 256.0 * balance_norm(&energies, &[0.4, 0.3, 0.2, 0.1], LEAST_ENERGY / 4.0);
        (loss, gradient, norm)
    };
    let plain = balanced(BalancedParameters { alpha: 0.0, ..Default::default() });
    let (loss, gradient, norm) = norm_only(&parameters);
    let (reconstruction, without, _) = evaluate(&plain, &parameters, &rows, &[]);
    assert!((loss - reconstruction - norm).abs() < 1e-4 * norm, "the value is that of the norm");
    for i in (0..parameters.len()).step_by(5) {
        let at = |delta: f32| {
            let mut moved = parameters.clone();
            moved[i] += delta;
            norm_only(&moved).2
        };
        let slope = (at(2e-3) - at(-2e-3)) / 4e-3;
        let own = f64::from(gradient[i] - without[i]);
        assert!((slope - own).abs() < 2e-2 * own.abs().max(0.1), "parameter {i}: {slope} against {own}");
    }
}

#[test]
fn a_longer_horizon_remembers_energies() {
    let objective = balanced(BalancedParameters { horizon_rows: 64.0, ..Default::default() });
    let mut parameters = objective.layout().draw(&mut stream(5, "balanced", 0));
    let logs: Vec<f32> = (0..2 * PAIRS).flat_map(|_| [0.97f32, 0.01, 0.01, 0.01]).map(f32::ln).collect();
    let before = parameters.clone();
    objective.settle(&mut parameters, &context(&before, &logs, &[]));
    let energies = objective.layout().part(&parameters, objective.energies);
    // 16 of 64 rows are new.
    assert!((energies[0] - (0.75 * 0.25 + 0.25 * 0.97 * 0.97)).abs() < 1e-5);
    assert!((energies[1] - (0.75 * 0.25 + 0.25 * 1e-4)).abs() < 1e-5);
}

#[test]
fn a_cluster_that_dies_pulls_with_a_finite_force() {
    let objective = balanced(BalancedParameters::default());
    let mut parameters = objective.layout().draw(&mut stream(6, "balanced", 0));
    let far = objective.layout().part_mut(&mut parameters, objective.student.centroids());
    far[..3].fill(1e9);
    let (loss, gradient, _) = evaluate(&objective, &parameters, &rows(7), &[]);
    assert!(loss.is_finite() && gradient.iter().all(|g| g.is_finite()));
}

#[test]
fn no_input_gives_a_loss_that_is_not_a_number() {
    let objective = balanced(BalancedParameters::default());
    let parameters = objective.layout().draw(&mut stream(8, "balanced", 0));
    let constraints = [Constraint { pair: 0, link: Link::Must, multiplier: 2.0 }];
    let mut constant_column = rows(9);
    constant_column.iter_mut().step_by(FEATURES).for_each(|x| *x = 3.0);
    let same = rows(9)[..FEATURES].repeat(2 * PAIRS);
    let huge: Vec<f32> = rows(9).iter().map(|x| x * 1e8).collect();
    for input in [constant_column, same, huge, vec![0.0; 2 * PAIRS * FEATURES]] {
        let (loss, gradient, logs) = evaluate(&objective, &parameters, &input, &constraints);
        assert!(loss.is_finite() && gradient.iter().chain(&logs).all(|g| g.is_finite()));
    }
}
