use rand::Rng;

use super::*;
use crate::stats::random::stream;

const ROWS: usize = 12;

fn similarity(temperature: f64) -> Similarity {
    Similarity { norm: SimilarityNorm::Literal, temperature, through_weights: true, clusters: 3, width: 2 }
}

/// Lines `[γ, m̃, σ̃]`, half of them near one another.
fn evidence() -> Vec<f32> {
    let mut rng = stream(3, "similarity", 0);
    let mut lines = Vec::new();
    for _ in 0..ROWS {
        let raw: Vec<f32> = (0..3).map(|_| rng.random_range(0.05..1.0)).collect();
        let sum: f32 = raw.iter().sum();
        lines.extend(raw.iter().map(|g| g / sum));
        lines.extend((0..2).map(|_| rng.random_range(-1.0f32..1.0)));
        lines.extend((0..2).map(|_| rng.random_range(0.2f32..1.0)));
    }
    lines
}

/// The loss written out in f64 as printed, pair by pair.
fn written_out(similarity: &Similarity, evidence: &[f64], weights: Option<&[f64]>) -> f64 {
    let line = |i: usize| &evidence[i * 7..(i + 1) * 7];
    let itself = |i: usize, j: usize| similarity.temperature < 1.0 && i == j;
    let nearness = |i: usize, j: usize| {
        let distance: f64 = line(i)[3..].iter().zip(&line(j)[3..]).map(|(a, b)| (a - b).powi(2)).sum();
        1.0 / (1.0 + distance) / similarity.temperature
    };
    let mut total = 0.0;
    for i in 0..ROWS {
        let sum: f64 = (0..ROWS).filter(|j| !itself(i, *j)).map(|j| nearness(i, j).exp()).sum();
        for j in (0..ROWS).filter(|j| !itself(i, *j)) {
            let weight = weights.map_or_else(
                || {
                    (0..3)
                        .map(|k| line(i)[k] * line(j)[k] / (1e-8 + (0..ROWS).map(|a| line(a)[k]).sum::<f64>()))
                        .sum::<f64>()
                },
                |weights| weights[i * ROWS + j],
            );
            total -= weight * (nearness(i, j).exp() / sum).ln();
        }
    }
    total * similarity.factor(ROWS)
}

#[test]
fn weights_are_a_symmetric_transition_matrix() {
    let pairs = similarity(1.0).pairs(&evidence());
    for i in 0..ROWS {
        let sum: f64 = pairs.weights[i * ROWS..(i + 1) * ROWS].iter().sum();
        assert!((sum - 1.0).abs() < 1e-6, "{sum}");
        assert_eq!(pairs.distances[i * ROWS + i], 0.0);
        for j in 0..ROWS {
            assert_eq!(pairs.weights[i * ROWS + j], pairs.weights[j * ROWS + i]);
        }
    }
}

#[test]
fn the_printed_loss_can_hardly_change() {
    let similarity = similarity(1.0);
    let mut evidence = evidence();
    for scale in [1.0, 10.0, 1e6] {
        evidence.chunks_exact_mut(7).for_each(|line| line[3..].iter_mut().for_each(|v| *v *= scale));
        let pairs = similarity.pairs(&evidence);
        let cross: f64 = pairs.weights.iter().zip(&pairs.logarithms).map(|(w, p)| -w * p).sum();
        let (loss, n) = (cross * similarity.factor(ROWS), ROWS as f64);
        assert!(((n.ln() - 1.0) / n - 1e-9..=(n.ln() + 1.0) / n + 1e-9).contains(&loss), "{scale}: {loss}");
    }
}

#[test]
fn slopes_equal_differences_of_the_loss_written_out() {
    let single = evidence();
    let exact: Vec<f64> = single.iter().map(|v| f64::from(*v)).collect();
    for temperature in [1.0, 0.1] {
        let similarity = similarity(temperature);
        let slopes = similarity.slopes(&single, [0..5, 5..ROWS]);
        for (i, k) in (0..ROWS).flat_map(|i| (0..7).map(move |k| (i, k))) {
            let at = |delta: f64| {
                let mut moved = exact.clone();
                moved[i * 7 + k] += delta;
                written_out(&similarity, &moved, None)
            };
            let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            let slope = f64::from(if k < 3 { slopes.responsibilities[i * 3 + k] } else { slopes.codes[i * 4 + k - 3] });
            assert!((slope - difference).abs() < 1e-5 * difference.abs() + 1e-7, "{i} {k}: {slope} {difference}");
        }
    }
}

#[test]
fn constant_weights_are_not_moved() {
    let similarity = Similarity { through_weights: false, ..similarity(0.2) };
    let single = evidence();
    let exact: Vec<f64> = single.iter().map(|v| f64::from(*v)).collect();
    let weights = similarity.pairs(&single).weights;
    let slopes = similarity.slopes(&single, [2..4, 7..8]);
    assert!(slopes.responsibilities.is_empty());
    for (at, i) in [2, 3, 7].into_iter().enumerate() {
        for k in 0..4 {
            let value = |delta: f64| {
                let mut moved = exact.clone();
                moved[i * 7 + 3 + k] += delta;
                written_out(&similarity, &moved, Some(&weights))
            };
            let difference = (value(1e-5) - value(-1e-5)) / 2e-5;
            let slope = f64::from(slopes.codes[at * 4 + k]);
            assert!((slope - difference).abs() < 1e-5 * difference.abs() + 1e-7, "{i} {k}: {slope} {difference}");
        }
    }
}

#[test]
fn empty_clusters_equal_rows_and_far_rows_stay_finite() {
    let line = |code: f32| [1.0, 0.0, 0.0, code, 0.0, 1.0, 1.0];
    for codes in [[1.0; 4], [0.0, 1e19, -1e19, 3.0], [0.0, 1e38, -1e38, 1.0]] {
        for temperature in [1.0, 0.002] {
            let evidence: Vec<f32> = codes.into_iter().flat_map(line).collect();
            let slopes = similarity(temperature).slopes(&evidence, [0..2, 2..4]);
            assert!(slopes.codes.iter().chain(&slopes.responsibilities).all(|v| v.is_finite()), "{codes:?}");
        }
    }
    // A row alone is compared with nothing.
    assert!(similarity(0.1).slopes(&line(1.0), [0..1, 1..1]).codes.iter().all(|v| *v == 0.0));
}
