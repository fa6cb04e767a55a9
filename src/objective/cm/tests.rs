use rand::Rng;

use super::*;
use crate::network::{Backend, matrix, open};
use crate::objective::Stage;
use crate::stats::random::stream;

const ROWS: usize = 10;
const FEATURES: usize = 3;
const CLUSTERS: usize = 4;

/// Boubekki et al. 2021, the identity behind the clustering module: E1 + E2 + E3 = Σ γ ‖x - μ‖², in f64.
#[test]
fn the_three_terms_are_the_soft_distortion() {
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

/// What is computed against the three terms as the paper has them, with an offset and without the prior.
#[test]
fn the_loss_is_the_sum_of_the_three_terms() {
    let shape = Shape { features: FEATURES, encoder: Vec::new(), embedding: 1, clusters: CLUSTERS };
    let cm = Cm::new(&shape, CmParameters { alpha: 1.0, ..Default::default() });
    let mut rng = stream(3, "rows", 0);
    let parameters: Vec<f32> = (0..cm.layout().len()).map(|_| rng.random_range(-1.0..1.0)).collect();
    let rows: Vec<f32> = (0..ROWS * FEATURES).map(|_| rng.random_range(-2.0..2.0)).collect();
    let device = open(Backend::Flex).unwrap().autodiff();
    let leaves = cm.layout().leaves(&parameters, &device);
    let pass = cm.forward(&leaves, matrix(rows.clone(), ROWS, FEATURES, &device), &[0; ROWS]);
    let evidence = cm.evidence(&pass);
    let context = Context {
        pairs: ROWS / 2,
        slice: 0..ROWS / 2,
        fresh: 0,
        evidence: &evidence,
        device_prices: &[],
        target: &[0.25; CLUSTERS],
        strength: 1.0,
        constraints: &[],
        stage: Stage::Clustering,
        progress: 0.0,
        parameters: &parameters,
    };
    let found = f64::from(values(cm.loss(&leaves, &pass, &context))[0]);

    let means = values(cm.module.means(&leaves));
    let reconstructed = values(cm.module.reconstruct(&leaves, pass.head.clone()));
    let dot = |a: usize, b: usize| {
        let (a, b) = (&means[a * FEATURES..(a + 1) * FEATURES], &means[b * FEATURES..(b + 1) * FEATURES]);
        a.iter().zip(b).map(|(x, y)| f64::from(x * y)).sum::<f64>()
    };
    let mut terms: f64 = rows.iter().zip(&reconstructed).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    for gamma in evidence.chunks(CLUSTERS) {
        for k in 0..CLUSTERS {
            terms += f64::from(gamma[k] * (1.0 - gamma[k])) * dot(k, k);
            for l in (0..CLUSTERS).filter(|l| *l != k) {
                terms -= f64::from(gamma[k] * gamma[l]) * dot(k, l);
            }
        }
    }
    let expected = terms / (ROWS * FEATURES) as f64;
    assert!((found - expected).abs() < 1e-5 * expected, "{found} against {expected}");
}
