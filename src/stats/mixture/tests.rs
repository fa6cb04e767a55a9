use proptest::prelude::*;
use rand::Rng;

use super::*;
use crate::stats::random::stream;

fn settings(components: usize, covariance: Covariance) -> MixtureSettings {
    MixtureSettings { tolerance: 1e-8, seeds: 5, ..MixtureSettings::new(components, covariance) }
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

/// Two correlated groups of unequal size: mean, `[[a, 0], [b, c]]` that normals are multiplied with, share.
const GROUPS: [([f64; 2], [f64; 3], f64); 2] =
    [([0.0, 0.0], [1.0, 0.8, 0.3], 0.7), ([4.0, 3.0], [0.5, -0.4, 0.6], 0.3)];

fn sampled(count: usize) -> Vec<f32> {
    let mut rng = stream(1, "mixture", 0);
    let mut rows = Vec::new();
    for _ in 0..count {
        let (mean, [a, b, c], _) = GROUPS[usize::from(rng.random::<f64>() > GROUPS[0].2)];
        let (u, v) = (normal(&mut rng), normal(&mut rng));
        rows.extend([(mean[0] + a * u) as f32, (mean[1] + b * u + c * v) as f32]);
    }
    rows
}

#[test]
fn a_known_mixture_is_recovered() {
    let rows = sampled(6_000);
    for covariance in [Covariance::Full, Covariance::Diagonal] {
        let mixture = fit(&rows, 2, &settings(2, covariance), &mut stream(2, "mixture", 0)).mixture;
        let first = usize::from(mixture.weights[1] > mixture.weights[0]);
        for (k, (mean, [a, b, c], share)) in [first, 1 - first].into_iter().zip(GROUPS) {
            let loose = if covariance == Covariance::Full { 0.05 } else { 0.12 };
            assert!((mixture.weights[k] - share).abs() < loose, "{mixture:?}");
            assert!((0..2).all(|d| (mixture.means[k * 2 + d] - mean[d]).abs() < loose), "{mixture:?}");
            if covariance == Covariance::Full {
                let found = &mixture.covariances[k * 4..(k + 1) * 4];
                for (found, truth) in found.iter().zip([a * a, a * b, a * b, b * b + c * c]) {
                    assert!((found - truth).abs() < 0.06, "{mixture:?}");
                }
            }
        }
    }
}

#[test]
fn log_joints_equal_the_density_written_out() {
    let rows = sampled(200);
    let mixture = fit(&rows, 2, &settings(2, Covariance::Full), &mut stream(3, "mixture", 0)).mixture;
    let joint = mixture.log_joint(&rows);
    for (i, row) in rows.chunks_exact(2).enumerate() {
        for k in 0..2 {
            let [a, b, _, d] = [0, 1, 2, 3].map(|at| mixture.covariances[k * 4 + at]);
            let determinant = a * d - b * b;
            let (x, y) = (f64::from(row[0]) - mixture.means[k * 2], f64::from(row[1]) - mixture.means[k * 2 + 1]);
            let length = (d * x * x - 2.0 * b * x * y + a * y * y) / determinant;
            let density = (-0.5 * length).exp() / (std::f64::consts::TAU * determinant.sqrt());
            let expected = (mixture.weights[k] * density).ln();
            assert!((joint[i * 2 + k] - expected).abs() < 1e-9 * expected.abs().max(1.0));
        }
    }
}

#[test]
fn full_covariances_of_many_dimensions_are_inverted() {
    let mut rng = stream(4, "mixture", 0);
    let width = 11;
    let rows: Vec<f32> = (0..400 * width).map(|_| normal(&mut rng) as f32).collect();
    let mixture = fit(&rows, width, &settings(1, Covariance::Full), &mut rng).mixture;
    let line = |d: usize| &mixture.factors[d * width..(d + 1) * width];
    // F Σ Fᵀ is the identity.
    for a in 0..width {
        for b in 0..width {
            let product: f64 = (0..width)
                .flat_map(|i| (0..width).map(move |j| (i, j)))
                .map(|(i, j)| line(a)[i] * mixture.covariances[i * width + j] * line(b)[j])
                .sum();
            assert!((product - f64::from(a == b)).abs() < 1e-10, "{a} {b} {product}");
        }
    }
}

#[test]
fn degenerate_rows_give_finite_mixtures() {
    let mut rows = vec![2.0f32; 60];
    for rows in [rows.clone(), vec![1.0, 5.0, 9.0], {
        rows.extend([1e6; 30]);
        rows
    }] {
        for covariance in [Covariance::Full, Covariance::Diagonal] {
            let fit = fit(&rows, 3, &settings(2, covariance), &mut stream(5, "mixture", 0));
            assert!(fit.trace.iter().all(|value| value.is_finite()), "{:?}", fit.trace);
            assert!(fit.mixture.log_joint(&rows).iter().all(|value| value.is_finite()));
            assert!((fit.mixture.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }
}

#[test]
fn more_restarts_are_never_less_likely() {
    let rows = sampled(300);
    let height = |restarts| {
        let settings = MixtureSettings { restarts, seeds: 1, ..settings(5, Covariance::Diagonal) };
        *fit(&rows, 2, &settings, &mut stream(6, "mixture", 0)).trace.last().unwrap()
    };
    assert!(height(6) >= height(1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_likelihood_never_falls(seed in 0u64..1_000, components in 1usize..5, full in any::<bool>()) {
        let mut rng = stream(seed, "mixture", 0);
        let rows: Vec<f32> = (0..240).map(|i| (normal(&mut rng) + f64::from(i % 3)) as f32).collect();
        let covariance = if full { Covariance::Full } else { Covariance::Diagonal };
        let settings = MixtureSettings { regularisation: 0.0, iterations: 30, ..settings(components, covariance) };
        let trace = fit(&rows, 3, &settings, &mut rng).trace;
        // A component of few rows may be held at the least variance, which costs likelihood; it does not happen here.
        prop_assert!(trace.windows(2).all(|w| w[1] >= w[0] - 1e-9), "{trace:?}");
    }
}
