use burn::tensor::activation::log_softmax;
use rand::Rng;

use super::*;
use crate::network::{Backend, open, values};
use crate::objective::tests::whole_batch;
use crate::stats::random::stream;

const ROWS: usize = 6;
const WIDTH: usize = 4;
const CLUSTERS: usize = 3;

struct Rig {
    layout: Layout,
    model: Variational,
    parameters: Vec<f32>,
    device: crate::network::Device,
}

fn rig(likelihood: Likelihood) -> Rig {
    let shape = Shape { features: 5, encoder: vec![7], embedding: WIDTH, clusters: CLUSTERS };
    let mut layout = Layout::default();
    let model = Variational::new(&mut layout, &shape, likelihood, 0.3, 1.0);
    let mut rng = stream(4, "variational", 0);
    let mut parameters = layout.draw(&mut rng);
    for slot in [model.prior, model.means, model.logarithms] {
        layout.part_mut(&mut parameters, slot).iter_mut().for_each(|p| *p = rng.random_range(-1.5..1.5));
    }
    Rig { layout, model, parameters, device: open(Backend::Flex).unwrap() }
}

fn drawn(columns: usize, low: f32, high: f32) -> Vec<f32> {
    let mut rng = stream(5, "drawn", columns as u64);
    (0..ROWS * columns).map(|_| rng.random_range(low..high)).collect()
}

/// The prior's numbers as f64: `ln π`, `μ`, `ln σ²`.
fn prior(rig: &Rig) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let exact = |slot| rig.layout.part(&rig.parameters, slot).iter().map(|v| f64::from(*v)).collect::<Vec<f64>>();
    let logits = exact(rig.model.prior);
    let sum: f64 = logits.iter().map(|l| l.exp()).sum();
    (logits.iter().map(|l| l - sum.ln()).collect(), exact(rig.model.means), exact(rig.model.logarithms))
}

#[test]
fn the_divergence_equals_its_terms_written_out() {
    let rig = rig(Likelihood::Gaussian);
    let matrices = rig.layout.tensors(&rig.parameters, &rig.device);
    let (mean, logarithm, logits) = (drawn(WIDTH, -2.0, 2.0), drawn(WIDTH, -3.0, 1.0), drawn(CLUSTERS, -3.0, 3.0));
    let tensor = |values: &[f32], columns| matrix(values.to_vec(), ROWS, columns, &rig.device);
    let posterior = Posterior { mean: tensor(&mean, WIDTH), logarithm: tensor(&logarithm, WIDTH) };
    let log_gamma = log_softmax(tensor(&logits, CLUSTERS), 1);
    let found = f64::from(values(rig.model.divergence(&matrices, &posterior, &log_gamma))[0]);
    let (log_shares, means, logarithms) = prior(&rig);
    let mut expected = 0.0;
    for i in 0..ROWS {
        let exact = |values: &[f32], at: usize| f64::from(values[at]);
        let sum: f64 = (0..CLUSTERS).map(|k| exact(&logits, i * CLUSTERS + k).exp()).sum();
        for k in 0..CLUSTERS {
            let gamma = exact(&logits, i * CLUSTERS + k).exp() / sum;
            for m in 0..WIDTH {
                let (center, spread) = (exact(&mean, i * WIDTH + m), exact(&logarithm, i * WIDTH + m).exp());
                let (log, mu) = (logarithms[k * WIDTH + m], means[k * WIDTH + m]);
                expected += 0.5 * gamma * (log + (spread + (center - mu).powi(2)) / log.exp());
            }
            expected += gamma * (gamma.ln() - log_shares[k]);
        }
        expected -= 0.5 * (0..WIDTH).map(|m| 1.0 + exact(&logarithm, i * WIDTH + m)).sum::<f64>();
    }
    assert!((found - expected).abs() < 1e-5 * expected.abs(), "{found} {expected}");
}

/// With one cluster the mixture is a Gaussian and the divergence is the textbook one.
#[test]
fn responsibilities_equal_bayes_rule() {
    let rig = rig(Likelihood::Gaussian);
    let matrices = rig.layout.tensors(&rig.parameters, &rig.device);
    let codes = drawn(WIDTH, -3.0, 3.0);
    let joint = rig.model.log_joint(&matrices, &matrix(codes.clone(), ROWS, WIDTH, &rig.device));
    let gamma = values(log_softmax(joint, 1).exp());
    let (log_shares, means, logarithms) = prior(&rig);
    for i in 0..ROWS {
        let density = |k: usize| {
            let normal: f64 = (0..WIDTH)
                .map(|m| {
                    let variance = logarithms[k * WIDTH + m].exp();
                    let distance = f64::from(codes[i * WIDTH + m]) - means[k * WIDTH + m];
                    (-0.5 * distance * distance / variance).exp() / (std::f64::consts::TAU * variance).sqrt()
                })
                .product();
            log_shares[k].exp() * normal
        };
        let sum: f64 = (0..CLUSTERS).map(density).sum();
        for k in 0..CLUSTERS {
            assert!((f64::from(gamma[i * CLUSTERS + k]) - density(k) / sum).abs() < 1e-5);
        }
    }
}

#[test]
fn reconstructions_equal_both_likelihoods_written_out() {
    for likelihood in [Likelihood::Gaussian, Likelihood::Bernoulli] {
        let rig = rig(likelihood);
        let matrices = rig.layout.tensors(&rig.parameters, &rig.device);
        let codes = matrix(drawn(WIDTH, -2.0, 2.0), ROWS, WIDTH, &rig.device);
        let rows = drawn(5, 0.0, 1.0);
        let output = values(rig.model.decoder.forward(&matrices, codes.clone()));
        let loss = rig.model.reconstruction(&matrices, matrix(rows.clone(), ROWS, 5, &rig.device), codes);
        let expected: f64 = rows
            .iter()
            .zip(&output)
            .map(|(x, f)| (f64::from(*x), f64::from(*f)))
            .map(|(x, f)| match likelihood {
                Likelihood::Gaussian => (x - f).powi(2) / 0.6,
                Likelihood::Bernoulli => {
                    let on = 1.0 / (1.0 + (-f).exp());
                    -x * on.ln() - (1.0 - x) * (1.0 - on).ln()
                }
            })
            .sum();
        let found = f64::from(values(loss)[0]);
        assert!((found - expected).abs() < 1e-5 * expected.abs(), "{likelihood:?}: {found} {expected}");
    }
}

#[test]
fn the_weight_of_the_divergence_rises_to_one_and_stays() {
    let rig = rig(Likelihood::Gaussian);
    let matrices = rig.layout.tensors(&rig.parameters, &rig.device);
    let rows = matrix(drawn(5, 0.0, 1.0), ROWS, 5, &rig.device);
    let pass = rig.model.forward(&matrices, rows, &[1, 2, 3, 4, 5, 6], |codes| rig.model.log_joint(&matrices, codes));
    let loss = |progress: f64, warmup: f64| {
        let context = Context { progress, ..whole_batch(ROWS / 2, &[], &rig.parameters) };
        f64::from(values(rig.model.loss(&matrices, &pass, &context, warmup))[0])
    };
    let whole = loss(0.0, 0.0);
    let reconstruction = rig.model.reconstruction(&matrices, pass.input.clone(), pass.extra[1].clone());
    let reconstruction = f64::from(values(reconstruction)[0]) / ROWS as f64;
    assert!((whole - reconstruction).abs() > 0.1, "{whole} {reconstruction}");
    for (progress, weight) in [(0.0, 0.0), (0.1, 0.25), (0.3, 0.75), (0.4, 1.0), (0.7, 1.0), (1.0, 1.0)] {
        let expected = reconstruction + weight * (whole - reconstruction);
        let found = loss(progress, 0.4);
        assert!((found - expected).abs() < 1e-5 * whole.abs(), "{progress}: {found} {expected}");
    }
}

#[test]
fn samples_spread_as_their_deviation_says() {
    let device = open(Backend::Flex).unwrap();
    let posterior = Posterior {
        mean: matrix(vec![2.0; 4_000], 2_000, 2, &device),
        logarithm: matrix(vec![0.25f32.ln(); 4_000], 2_000, 2, &device),
    };
    let codes = values(posterior.sample(&(0..2_000).collect::<Vec<u64>>()));
    let mean = codes.iter().map(|z| f64::from(*z)).sum::<f64>() / 4_000.0;
    let variance = codes.iter().map(|z| (f64::from(*z) - 2.0).powi(2)).sum::<f64>() / 4_000.0;
    assert!((mean - 2.0).abs() < 0.03 && (variance - 0.25).abs() < 0.02, "{mean} {variance}");
}
