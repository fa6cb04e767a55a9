//! Gaussian mixtures by expectation maximisation: seats mixture priors and is a baseline.

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::kmeans;

/// Responsibilities below this leave the moments of a component as they are to within rounding.
const NEGLIGIBLE: f64 = 1e-14;
/// Rows whose deviations are held at a time, so that a factor is read once for all of them.
const BLOCK: usize = 16;

/// What the components' covariances may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Covariance {
    /// One variance per dimension.
    Diagonal,
    /// Any.
    Full,
}

/// How a mixture is fitted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MixtureSettings {
    /// Number of components.
    pub components: usize,
    /// Shape of their covariances.
    pub covariance: Covariance,
    /// Added to every variance.
    pub regularisation: f64,
    /// Starts, of which the one with the highest likelihood is kept.
    pub restarts: usize,
    /// Starts of each k-means that a start begins with.
    pub seeds: usize,
    /// Most iterations of a start.
    pub iterations: usize,
    /// A start ends when the mean log-likelihood rises by less.
    pub tolerance: f64,
}

impl MixtureSettings {
    /// scikit-learn's constants.
    #[must_use]
    pub fn new(components: usize, covariance: Covariance) -> Self {
        Self { components, covariance, regularisation: 1e-6, restarts: 1, seeds: 1, iterations: 100, tolerance: 1e-3 }
    }
}

/// A fitted mixture.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixture {
    /// `[components]`, they sum to 1.
    pub weights: Vec<f64>,
    /// `[components, width]`, row-major.
    pub means: Vec<f64>,
    /// `[components, width]` if diagonal, `[components, width, width]` if full.
    pub covariances: Vec<f64>,
    /// Inverse of the lower Cholesky factor of each covariance (rows of it), or the inverse deviations if diagonal.
    factors: Vec<f64>,
    /// Half the logarithm of the determinant of each inverse covariance.
    half_logs: Vec<f64>,
    width: usize,
    shape: Covariance,
}

/// A fit and how it went.
#[derive(Clone, Debug, PartialEq)]
pub struct MixtureFit {
    /// The mixture.
    pub mixture: Mixture,
    /// Mean log-likelihood of the rows under the parameters that each iteration began with.
    pub trace: Vec<f64>,
}

/// Dempster, Laird and Rubin (1977) from k-means labels:
///
/// ```text
/// r_ik = π_k·N(x_i; μ_k, Σ_k) / Σ_l π_l·N(x_i; μ_l, Σ_l)                       (by log-sum-exp)
/// n_k = Σ_i r_ik    π_k = n_k/n    μ_k = Σ_i r_ik x_i / n_k    Σ_k = Σ_i r_ik (x_i-μ_k)(x_i-μ_k)ᵀ / n_k + reg·I
/// ```
///
/// The likelihood never falls when `reg` is 0; regularisation may cost a little of it at the end.
///
/// # Shapes
/// - `rows`: `[rows, width]`, row-major, at least one row
#[must_use]
pub fn fit(rows: &[f32], width: usize, settings: &MixtureSettings, rng: &mut ChaCha8Rng) -> MixtureFit {
    let mut best: Option<MixtureFit> = None;
    for _ in 0..settings.restarts.max(1) {
        let labels = kmeans::fit(rows, width, settings.components, settings.seeds, rng).labels;
        let found = maximise(rows, width, settings, &labels);
        let height = |fit: &MixtureFit| fit.trace.last().copied().unwrap_or(f64::NEG_INFINITY);
        if best.as_ref().is_none_or(|best| height(&found) > height(best)) {
            best = Some(found);
        }
    }
    best.expect("at least one start")
}

/// One start, from hard labels.
fn maximise(rows: &[f32], width: usize, settings: &MixtureSettings, labels: &[u32]) -> MixtureFit {
    let components = settings.components;
    let mut responsibilities = vec![0.0; labels.len() * components];
    for (line, label) in responsibilities.chunks_exact_mut(components).zip(labels) {
        line[*label as usize] = 1.0;
    }
    let mut mixture = Mixture::moments(rows, width, settings, &responsibilities);
    let mut trace: Vec<f64> = Vec::new();
    for _ in 0..settings.iterations {
        responsibilities = mixture.log_joint(rows);
        let total: f64 = responsibilities.chunks_exact_mut(components).map(normalise).sum();
        let mean = total / labels.len() as f64;
        let risen = trace.last().map_or(f64::INFINITY, |last| mean - last);
        trace.push(mean);
        if risen.abs() < settings.tolerance {
            break;
        }
        mixture = Mixture::moments(rows, width, settings, &responsibilities);
    }
    MixtureFit { mixture, trace }
}

/// Turns logarithms into shares of one and returns the logarithm of their sum.
fn normalise(line: &mut [f64]) -> f64 {
    let top = line.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let log = top + line.iter().map(|v| (v - top).exp()).sum::<f64>().ln();
    line.iter_mut().for_each(|v| *v = (*v - log).exp());
    log
}

impl Mixture {
    /// The mixture that is likeliest given responsibilities: `[rows, components]`.
    fn moments(rows: &[f32], width: usize, settings: &MixtureSettings, responsibilities: &[f64]) -> Self {
        let components = settings.components;
        let count = rows.len() / width;
        let mut masses = vec![10.0 * f64::EPSILON; components];
        let mut means = vec![0.0; components * width];
        for (row, line) in rows.chunks_exact(width).zip(responsibilities.chunks_exact(components)) {
            for (k, share) in line.iter().enumerate().filter(|(_, share)| **share > NEGLIGIBLE) {
                masses[k] += share;
                for (mean, x) in means[k * width..(k + 1) * width].iter_mut().zip(row) {
                    *mean += share * f64::from(*x);
                }
            }
        }
        for (mean, mass) in means.chunks_exact_mut(width).zip(&masses) {
            mean.iter_mut().for_each(|value| *value /= mass);
        }
        let square = match settings.covariance {
            Covariance::Diagonal => width,
            Covariance::Full => width * width,
        };
        let mut covariances = vec![0.0; components * square];
        let mut deviation = vec![0.0; width];
        for (row, line) in rows.chunks_exact(width).zip(responsibilities.chunks_exact(components)) {
            for (k, share) in line.iter().enumerate().filter(|(_, share)| **share > NEGLIGIBLE) {
                deviate(row, &means[k * width..(k + 1) * width], &mut deviation);
                let sums = &mut covariances[k * square..(k + 1) * square];
                if settings.covariance == Covariance::Diagonal {
                    sums.iter_mut().zip(&deviation).for_each(|(sum, d)| *sum += share * d * d);
                    continue;
                }
                for (a, left) in deviation.iter().enumerate() {
                    let left = share * left;
                    let sums = &mut sums[a * width..=a * width + a];
                    sums.iter_mut().zip(&deviation).for_each(|(sum, right)| *sum += left * right);
                }
            }
        }
        for (sums, mass) in covariances.chunks_exact_mut(square).zip(&masses) {
            sums.iter_mut().for_each(|sum| *sum /= mass);
            match settings.covariance {
                Covariance::Diagonal => sums.iter_mut().for_each(|sum| *sum += settings.regularisation),
                Covariance::Full => (0..width).for_each(|d| sums[d * width + d] += settings.regularisation),
            }
        }
        let total: f64 = masses.iter().sum();
        debug_assert!((total - count as f64).abs() < 1e-6 * count as f64 + 1e-6);
        let weights = masses.iter().map(|mass| mass / total).collect();
        let mut factors = Vec::with_capacity(covariances.len());
        let mut half_logs = Vec::with_capacity(components);
        for covariance in covariances.chunks_exact_mut(square) {
            let (factor, half_log) = match settings.covariance {
                Covariance::Diagonal => inverse_deviations(covariance),
                Covariance::Full => inverse_cholesky(covariance, width),
            };
            factors.extend(factor);
            half_logs.push(half_log);
        }
        Self { weights, means, covariances, factors, half_logs, width, shape: settings.covariance }
    }

    /// `ln π_k + ln N(x_i; μ_k, Σ_k)`: `[rows, components]`, row-major. The largest of a line is the row's component.
    #[must_use]
    pub fn log_joint(&self, rows: &[f32]) -> Vec<f64> {
        let (width, components) = (self.width, self.weights.len());
        let mut joint = vec![0.0; rows.len() / width * components];
        let square = self.factors.len() / components;
        let mut deviations = vec![0.0; BLOCK * width];
        for k in 0..components {
            let mean = &self.means[k * width..(k + 1) * width];
            let factor = &self.factors[k * square..(k + 1) * square];
            let constant = self.weights[k].ln() + self.half_logs[k] - 0.5 * width as f64 * std::f64::consts::TAU.ln();
            let lines = joint.chunks_mut(BLOCK * components);
            for (block, lines) in rows.chunks(BLOCK * width).zip(lines) {
                for (row, deviation) in block.chunks_exact(width).zip(deviations.chunks_exact_mut(width)) {
                    deviate(row, mean, deviation);
                }
                let mut lengths = [0.0; BLOCK];
                let held = block.len() / width;
                for d in 0..width {
                    let part = match self.shape {
                        Covariance::Diagonal => d..=d,
                        Covariance::Full => 0..=d,
                    };
                    let line = match self.shape {
                        Covariance::Diagonal => &factor[part.clone()],
                        Covariance::Full => &factor[d * width..=d * width + d],
                    };
                    for (length, deviation) in lengths[..held].iter_mut().zip(deviations.chunks_exact(width)) {
                        *length += dot(line, &deviation[part.clone()]).powi(2);
                    }
                }
                for (line, length) in lines.chunks_exact_mut(components).zip(&lengths) {
                    line[k] = constant - 0.5 * length;
                }
            }
        }
        joint
    }

    /// The likeliest component of each row.
    #[must_use]
    pub fn labels(&self, rows: &[f32]) -> Vec<u32> {
        let joint = self.log_joint(rows);
        let best = |line: &[f64]| (1..line.len()).fold(0, |best, k| if line[k] > line[best] { k } else { best });
        joint.chunks_exact(self.weights.len()).map(|line| best(line) as u32).collect()
    }
}

fn deviate(row: &[f32], mean: &[f64], out: &mut [f64]) {
    for ((out, x), mean) in out.iter_mut().zip(row).zip(mean) {
        *out = f64::from(*x) - mean;
    }
}

/// Eight sums side by side.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let (a, b) = (a.chunks_exact(8).remainder(), b.chunks_exact(8).remainder());
    sums.iter().sum::<f64>() + a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>()
}

fn inverse_deviations(variances: &mut [f64]) -> (Vec<f64>, f64) {
    let factor: Vec<f64> = variances.iter_mut().map(|v| floored(v).sqrt().recip()).collect();
    let half_log = factor.iter().map(|f| f.ln()).sum();
    (factor, half_log)
}

/// A variance that rounding or equal rows left at nothing is given the least that can be inverted.
fn floored(variance: &mut f64) -> f64 {
    *variance = variance.max(1e-12);
    *variance
}

/// Inverse of the lower Cholesky factor of a covariance whose lower half is given, and `-Σ ln L_dd`. A pivot that is not
/// positive is replaced by the least variance, and the upper half is filled in.
pub(super) fn inverse_cholesky(covariance: &mut [f64], width: usize) -> (Vec<f64>, f64) {
    let mut lower = vec![0.0; width * width];
    for a in 0..width {
        for b in 0..=a {
            covariance[b * width + a] = covariance[a * width + b];
            let known = dot(&lower[a * width..a * width + b], &lower[b * width..b * width + b]);
            let mut left = covariance[a * width + b] - known;
            lower[a * width + b] = if a == b { floored(&mut left).sqrt() } else { left / lower[b * width + b] };
        }
    }
    // Row by row: line a of the inverse is (e_a - Σ_{b<a} L_ab·line b) / L_aa.
    let mut inverse = vec![0.0; width * width];
    for a in 0..width {
        let (above, rest) = inverse.split_at_mut(a * width);
        let line = &mut rest[..width];
        for b in 0..a {
            let weight = lower[a * width + b];
            let known = above[b * width..=b * width + b].iter();
            line.iter_mut().zip(known).for_each(|(value, known)| *value -= weight * known);
        }
        line[a] = 1.0;
        let pivot = lower[a * width + a];
        line[..=a].iter_mut().for_each(|value| *value /= pivot);
    }
    let half_log = -(0..width).map(|d| lower[d * width + d].ln()).sum::<f64>();
    (inverse, half_log)
}

#[cfg(test)]
mod tests;
