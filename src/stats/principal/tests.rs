use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

fn noise(rng: &mut ChaCha8Rng) -> f32 {
    (0..4).map(|_| rng.random::<f32>() - 0.5).sum()
}

/// Rows in a space of `rank` random directions of falling weight, plus noise, away from the origin.
fn low_rank(seed: u64, rows: usize, dims: usize, rank: usize, level: f32) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let directions: Vec<f32> = (0..rank * dims).map(|_| noise(&mut rng)).collect();
    let mut made = Vec::with_capacity(rows * dims);
    for _ in 0..rows {
        let weights: Vec<f32> = (0..rank).map(|r| noise(&mut rng) * 3.0 / (1.0 + r as f32)).collect();
        for j in 0..dims {
            let inside: f32 = weights.iter().enumerate().map(|(r, w)| w * directions[r * dims + j]).sum();
            made.push(2.0 + inside + level * noise(&mut rng));
        }
    }
    made
}

fn orthonormal(principal: &Principal, dims: usize) -> bool {
    let components: Vec<&[f32]> = principal.components().chunks_exact(dims).collect();
    components.iter().enumerate().all(|(i, a)| {
        components.iter().enumerate().all(|(j, b)| (exact_dot(a, b) - if i == j { 1.0 } else { 0.0 }).abs() < 1e-5)
    })
}

fn fit(rows: &[f32], dims: usize) -> Principal {
    Principal::fit(rows, dims, &mut ChaCha8Rng::seed_from_u64(1))
}

#[test]
fn rows_of_low_rank_are_reconstructed_exactly_and_others_are_not() {
    let rows = low_rank(1, 200, 40, 5, 0.0);
    let principal = fit(&rows, 40);
    assert!((5..=20).contains(&principal.rank()), "{}", principal.rank());
    assert!(orthonormal(&principal, 40));
    for row in rows.chunks_exact(40) {
        assert!(principal.reconstruction_error(row) < 1e-6);
    }
    let mut foreign = rows[..40].to_vec();
    foreign[7] += 3.0;
    assert!(principal.reconstruction_error(&foreign) > 0.01);
    let residuals = principal.residuals(&foreign);
    assert!(residuals.iter().enumerate().all(|(j, &residual)| j == 7 || residual < residuals[7]));
}

#[test]
fn what_is_left_over_is_the_variance_of_the_smallest_directions() {
    // Independent features of known variance are their own principal components: the exact answer without an eigensolver.
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let (rows, dims) = (3000, 10);
    let scale = |j: usize| 2f32.powi(-(j as i32));
    let data: Vec<f32> = (0..rows * dims).map(|at| scale(at % dims) * noise(&mut rng) * 3f32.sqrt()).collect();
    let principal = fit(&data, dims);
    assert_eq!(principal.rank(), 5);
    let left: f64 = data.chunks_exact(dims).map(|row| f64::from(principal.reconstruction_error(row))).sum();
    let expected: f64 = (5..10).map(|j| f64::from(scale(j)).powi(2)).sum::<f64>() / dims as f64;
    assert!((left / rows as f64 / expected - 1.0).abs() < 0.05, "{} {expected}", left / rows as f64);
    for (r, component) in principal.components().chunks_exact(dims).enumerate() {
        assert!(component[r].abs() > 0.99, "component {r}: {component:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_components() {
    let rows = low_rank(2, 60, 20, 8, 0.1);
    assert_eq!(fit(&rows, 20), fit(&rows, 20));
}

#[test]
fn constant_columns_stay_out_of_the_components() {
    let mut rows = low_rank(3, 100, 12, 3, 0.2);
    rows.chunks_exact_mut(12).for_each(|row| (row[4], row[9]) = (7.0, -1.0));
    let principal = fit(&rows, 12);
    assert!(orthonormal(&principal, 12));
    for component in principal.components().chunks_exact(12) {
        assert!(component[4].abs() < 1e-5 && component[9].abs() < 1e-5);
    }
    let all_equal = fit(&[0.3f32; 60], 6);
    assert_eq!((all_equal.rank(), all_equal.reconstruction_error(&[0.3; 6])), (0, 0.0));
}

#[test]
fn few_rows_give_few_components() {
    let principal = fit(&low_rank(5, 4, 30, 8, 0.3), 30);
    assert_eq!(principal.rank(), 3);
    assert!(orthonormal(&principal, 30));
    assert_eq!(fit(&[1.0, 2.0, 3.0], 3).rank(), 0);
    assert_eq!(fit(&[1.0, 2.0, 3.0], 3).reconstruction_error(&[1.0, 2.0, 6.0]), 3.0);
    assert_eq!(fit(&[], 3).reconstruction_error(&[1.0, 1.0, 1.0]), 1.0);
    assert_eq!(fit(&[1.0, 2.0, 3.0], 1).rank(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn errors_are_not_negative_and_equal_the_mean_residual(
        seed in any::<u64>(),
        rows in 0usize..40,
        dims in 1usize..30,
        rank in 0usize..6,
        level in 0.0f32..1.0,
    ) {
        let data = low_rank(seed, rows, dims, rank, level);
        let principal = fit(&data, dims);
        prop_assert!(orthonormal(&principal, dims));
        prop_assert!(principal.rank() <= (dims / 2).min(rows.saturating_sub(1)));
        for row in low_rank(seed ^ 1, 3, dims, rank, 2.0).chunks_exact(dims) {
            let error = principal.reconstruction_error(row);
            let mean = principal.residuals(row).iter().sum::<f32>() / dims as f32;
            prop_assert!(error >= 0.0);
            prop_assert!((error - mean).abs() <= 1e-4 * (1.0 + error), "{} {}", error, mean);
        }
    }
}

#[test]
fn a_projection_keeps_what_the_reconstruction_keeps() {
    let rows = low_rank(3, 300, 12, 9, 0.1);
    let principal = fit(&rows, 12);
    let mut sums = vec![0.0f64; principal.rank()];
    for row in rows.chunks_exact(12) {
        let along = principal.project(row);
        let kept: f64 = along.iter().map(|&a| f64::from(a).powi(2)).sum();
        let length: f64 = row.iter().zip(&mean(&rows, 12)).map(|(x, m)| f64::from(x - m).powi(2)).sum();
        let lost = f64::from(principal.reconstruction_error(row)) * 12.0;
        assert!((kept + lost - length).abs() < 1e-3 * length.max(1.0), "{kept} + {lost} != {length}");
        sums.iter_mut().zip(&along).for_each(|(sum, &a)| *sum += f64::from(a));
    }
    assert!(sums.iter().all(|sum| sum.abs() / 300.0 < 1e-3), "seen from the mean: {sums:?}");
}
