//! The fairness term: confident strong views are to be as fairly spread as weak views are.

/// What the term compares.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sides<'a> {
    /// Running mean of the probabilities of weak views.
    pub(super) weak: &'a [f32],
    /// Running shares of their classes.
    pub(super) weak_shares: &'a [f32],
    /// Mean probabilities of the strong views of confident rows.
    pub(super) strong: &'a [f32],
    /// Shares of their classes.
    pub(super) strong_shares: &'a [f32],
}

fn normalised_ratio(probabilities: &[f32], shares: &[f32]) -> (Vec<f64>, f64) {
    let ratio = |(p, h): (&f32, &f32)| if *h > 0.0 { f64::from(*p) / f64::from(*h) } else { 0.0 };
    let ratios: Vec<f64> = probabilities.iter().zip(shares).map(ratio).collect();
    let sum = ratios.iter().sum::<f64>();
    (ratios.iter().map(|r| if sum > 0.0 { r / sum } else { 0.0 }).collect(), sum)
}

const SMALL: f64 = 1e-12;

/// Self-adaptive fairness (Wang et al. 2023, FreeMatch, eq. 11):
///
/// ```text
/// L = Σ_c SN(p̄ʷ/hʷ)_c · ln(SN(p̄ˢ/hˢ)_c + 1e-12)        SN(v) = v/Σv,  1/0 = 0
/// ```
#[cfg(test)]
pub(super) fn value(sides: Sides<'_>) -> f64 {
    let (weak, _) = normalised_ratio(sides.weak, sides.weak_shares);
    let (strong, _) = normalised_ratio(sides.strong, sides.strong_shares);
    weak.iter().zip(strong).map(|(a, b)| a * (b + SMALL).ln()).sum()
}

/// Its slope with respect to `strong`: what the term adds to the gradient of a batch once the means of the whole are known.
///
/// ```text
/// r = p̄ˢ/hˢ,  b = r/Σr:   ∂L/∂p̄ˢ_c = (w_c - Σ_j w_j·b_j) / (hˢ_c·Σr),   w = SN(p̄ʷ/hʷ)/(b + 1e-12)
/// ```
pub(super) fn slopes(sides: Sides<'_>) -> Vec<f32> {
    let (weak, _) = normalised_ratio(sides.weak, sides.weak_shares);
    let (strong, sum) = normalised_ratio(sides.strong, sides.strong_shares);
    // A class without a confident answer has no ratio that could move.
    let alive = |c: usize| sides.strong_shares[c] > 0.0;
    let pulls: Vec<f64> = (0..weak.len()).map(|c| if alive(c) { weak[c] / (strong[c] + SMALL) } else { 0.0 }).collect();
    let mean: f64 = pulls.iter().zip(&strong).map(|(w, b)| w * b).sum();
    let slope = |c: usize| (pulls[c] - mean) / (f64::from(sides.strong_shares[c]) * sum);
    (0..weak.len()).map(|c| if alive(c) && sum > 0.0 { slope(c) as f32 } else { 0.0 }).collect()
}
