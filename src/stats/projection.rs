//! Exact balanced projection: prices that bring mean responsibilities to target shares.

/// Sinkhorn prices of a soft assignment.
///
/// Starting from `u = 0`, `rounds` times
///
/// ```text
/// u_k ← u_k + ln( mean_i softmax(l_i - u)_k / r_k + 1e-6 )
/// ```
///
/// so that the column means of `softmax(l_i - u)` approach the target shares `r`. Nothing is kept between calls: a price that
/// persists while the network learns is absorbed into its logits (online-recipe.md, Part I, section 7).
///
/// # Shapes
/// - `logits`: `[rows, clusters]`, row-major
/// - `target`: `[clusters]`, sum 1
/// - output: `[clusters]`
#[must_use]
pub fn prices(logits: &[f32], target: &[f32], rounds: usize) -> Vec<f32> {
    let clusters = target.len();
    let rows = logits.len() / clusters;
    // softmax(l - u) is in proportion to exp(l)·exp(-u), so that exponentials of rows are taken once, not in every round; in
    // double precision, whose range logits and prices do not leave.
    let mut odds = Vec::with_capacity(logits.len());
    for row in logits.chunks_exact(clusters) {
        let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        odds.extend(row.iter().map(|l| f64::from(l - top).exp()));
    }
    let mut prices = vec![0.0f64; clusters];
    for _ in 0..rounds {
        let weights: Vec<f64> = prices.iter().map(|price| (-price).exp()).collect();
        let mut mean = vec![0.0; clusters];
        for row in odds.chunks_exact(clusters) {
            let sum: f64 = row.iter().zip(&weights).map(|(o, w)| o * w).sum();
            let part = sum.recip();
            mean.iter_mut().zip(row.iter().zip(&weights)).for_each(|(m, (o, w))| *m += o * w * part);
        }
        for ((price, m), share) in prices.iter_mut().zip(&mean).zip(target) {
            *price += (m / rows.max(1) as f64 / f64::from(*share) + 1e-6).ln();
        }
    }
    prices.into_iter().map(|price| price as f32).collect()
}

/// `softmax(logits - prices)` into `out`.
pub fn softmax(logits: &[f32], prices: &[f32], out: &mut [f32]) {
    let mut top = f32::NEG_INFINITY;
    for ((o, l), p) in out.iter_mut().zip(logits).zip(prices) {
        *o = l - p;
        top = top.max(*o);
    }
    let mut sum = 0.0;
    for o in out.iter_mut() {
        *o = (*o - top).exp();
        sum += *o;
    }
    for o in out.iter_mut() {
        *o /= sum;
    }
}

/// Subtracts the mean and scales: `strength·(u - mean u)`. Half-strength prices tolerate unequal truth.
pub fn soften(prices: &mut [f32], strength: f32) {
    let mean = prices.iter().sum::<f32>() / prices.len().max(1) as f32;
    for price in prices {
        *price = strength * (*price - mean);
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;
    use crate::stats::random::stream;

    fn shares(logits: &[f32], prices: &[f32]) -> Vec<f32> {
        let clusters = prices.len();
        let mut mean = vec![0.0; clusters];
        let mut soft = vec![0.0; clusters];
        for row in logits.chunks_exact(clusters) {
            softmax(row, prices, &mut soft);
            for (m, s) in mean.iter_mut().zip(&soft) {
                *m += s * clusters as f32 / logits.len() as f32;
            }
        }
        mean
    }

    #[test]
    fn five_rounds_bring_random_logits_to_the_target() {
        let mut rng = stream(3, "projection", 0);
        let logits: Vec<f32> = (0..256 * 6).map(|_| rng.random_range(-3.0..3.0)).collect();
        for target in [vec![1.0 / 6.0; 6], vec![0.3, 0.2, 0.2, 0.1, 0.1, 0.1]] {
            let reached = shares(&logits, &prices(&logits, &target, 5));
            for (share, wanted) in reached.iter().zip(&target) {
                assert!((share - wanted).abs() < 1e-2, "{reached:?} {target:?}");
            }
        }
    }

    #[test]
    fn prices_equal_those_of_the_formula_round_by_round() {
        let mut rng = stream(5, "projection", 0);
        // Up to 120 apart: their exponentials do not fit into single precision.
        let logits: Vec<f32> = (0..200 * 5).map(|_| rng.random_range(-60.0..60.0)).collect();
        let target = [0.4, 0.3, 0.1, 0.1, 0.1];
        let mut expected = vec![0.0f32; 5];
        for rounds in 0..8 {
            for (price, expected) in prices(&logits, &target, rounds).iter().zip(&expected) {
                assert!((price - expected).abs() < 1e-4, "{price} {expected} after {rounds} rounds");
            }
            let reached = shares(&logits, &expected);
            for ((price, reached), share) in expected.iter_mut().zip(reached).zip(target) {
                *price += (reached / share + 1e-6).ln();
            }
        }
    }

    #[test]
    fn a_shift_of_one_column_is_undone() {
        let mut rng = stream(4, "projection", 0);
        let logits: Vec<f32> =
            (0..60 * 3).map(|i| rng.random_range(-1.0..1.0) + if i % 3 == 0 { 1.0 } else { 0.0 }).collect();
        let reached = shares(&logits, &prices(&logits, &[1.0 / 3.0; 3], 10));
        assert!(reached.iter().all(|s| (s - 1.0 / 3.0).abs() < 1e-2), "{reached:?}");
    }

    #[test]
    fn half_strength_prices_have_mean_zero_and_half_the_spread() {
        let mut prices = vec![1.0, 3.0, 5.0];
        soften(&mut prices, 0.5);
        assert_eq!(prices, vec![-1.0, 0.0, 1.0]);
    }
}
