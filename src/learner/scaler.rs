//! Running per-key scaling, part of the model version.

use serde::{Deserialize, Serialize};

use crate::data::{ScaleMethod, ScaleParameters, ScalePer};
use crate::stats::dot;

/// Scaled features are cut off here: statistics features have heavy tails.
const CLAMP: f32 = 4.0;

/// Brings features to one scale with the running statistics of the row's own key, shrunk towards those of the warm-up rows.
///
/// With `n` rows of the key so far, sums `S1`, `S2` and `n0 = shrink_rows` pseudo-rows of the warm-up mean `g` and variance `v`:
///
/// ```text
/// m  = (n0·g + S1) / (n0 + n)
/// s² = (n0·(v + g²) + S2) / (n0 + n) - m²
/// x' = clamp( (x - m) / (s + 0.01·sqrt(v) + 1e-6), -4, 4 )
/// ```
///
/// Source: online-recipe.md, Part I section 6.2 with Part II section 2.2. `minmax` maps the warm-up range to 0..1 and stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scaler {
    parameters: ScaleParameters,
    mean: Vec<f64>,
    variance: Vec<f64>,
    /// What a key without rows of its own is scaled with.
    common: Affine,
    keys: Vec<KeyStatistics>,
}

/// `(x - shift)·factor`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Affine {
    shift: Vec<f32>,
    factor: Vec<f32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct KeyStatistics {
    rows: f64,
    sum: Vec<f64>,
    squares: Vec<f64>,
    affine: Option<Affine>,
}

impl Scaler {
    /// Takes the warm-up statistics from `rows` and counts each row for its key.
    #[must_use]
    pub fn new(parameters: ScaleParameters, rows: &[(u32, &[f32])]) -> Self {
        let width = rows.first().map_or(0, |(_, row)| row.len());
        let count = rows.len().max(1) as f64;
        let mut mean = vec![0.0f64; width];
        for (_, row) in rows {
            mean.iter_mut().zip(*row).for_each(|(m, x)| *m += f64::from(*x) / count);
        }
        let mut variance = vec![0.0f64; width];
        for (_, row) in rows {
            for ((v, x), m) in variance.iter_mut().zip(*row).zip(&mean) {
                *v += (f64::from(*x) - m).powi(2) / count;
            }
        }
        let common = match parameters.method {
            ScaleMethod::None => Affine { shift: vec![0.0; width], factor: vec![1.0; width] },
            ScaleMethod::Standard => standard(&mean, &variance, &variance),
            ScaleMethod::Minmax => {
                let bound = |pick: fn(f32, f32) -> f32, start: f32| {
                    let mut bound = vec![start; width];
                    rows.iter().for_each(|(_, row)| bound.iter_mut().zip(*row).for_each(|(b, x)| *b = pick(*b, *x)));
                    bound
                };
                let (low, high) = (bound(f32::min, f32::INFINITY), bound(f32::max, f32::NEG_INFINITY));
                let factor = low.iter().zip(&high).map(|(l, h)| if h > l { (h - l).recip() } else { 1.0 }).collect();
                Affine { shift: low, factor }
            }
        };
        let mut scaler = Self { parameters, mean, variance, common, keys: Vec::new() };
        scaler.absorb(rows);
        scaler
    }

    /// Adds rows to the statistics of their keys.
    pub fn absorb(&mut self, rows: &[(u32, &[f32])]) {
        if self.parameters.method != ScaleMethod::Standard {
            return;
        }
        let width = self.mean.len();
        let mut touched: Vec<usize> = rows.iter().map(|(key, _)| self.slot(*key)).collect();
        for ((_, row), slot) in rows.iter().zip(&touched) {
            if self.keys.len() <= *slot {
                self.keys.resize_with(slot + 1, KeyStatistics::default);
            }
            let key = &mut self.keys[*slot];
            if key.sum.is_empty() {
                key.sum = vec![0.0; width];
                key.squares = vec![0.0; width];
            }
            key.rows += 1.0;
            for ((s, q), x) in key.sum.iter_mut().zip(&mut key.squares).zip(*row) {
                let x = f64::from(*x);
                *s += x;
                *q += x * x;
            }
        }
        touched.sort_unstable();
        touched.dedup();
        for slot in touched {
            self.keys[slot].affine = Some(self.shrunk(&self.keys[slot]));
        }
    }

    fn slot(&self, key: u32) -> usize {
        match self.parameters.per {
            ScalePer::All => 0,
            ScalePer::Key => key as usize,
        }
    }

    fn shrunk(&self, key: &KeyStatistics) -> Affine {
        let pseudo = self.parameters.shrink_rows;
        let total = (pseudo + key.rows).max(1.0);
        let mean: Vec<f64> = self.mean.iter().zip(&key.sum).map(|(g, s)| (pseudo * g + s) / total).collect();
        let variance: Vec<f64> = (0..mean.len())
            .map(|d| {
                let (g, v) = (self.mean[d], self.variance[d]);
                let square = (pseudo * (v + g * g) + key.squares[d]) / total;
                (square - mean[d] * mean[d]).max(1e-6 * v + 1e-12)
            })
            .collect();
        standard(&mean, &variance, &self.variance)
    }

    fn affine(&self, key: u32) -> &Affine {
        self.keys.get(self.slot(key)).and_then(|k| k.affine.as_ref()).unwrap_or(&self.common)
    }

    /// The scaled row at unit length.
    #[must_use]
    pub fn direction(&self, key: u32, row: &[f32]) -> Vec<f32> {
        let mut scaled = Vec::with_capacity(self.width());
        self.scale(key, row, &mut scaled);
        let length = dot(&scaled, &scaled).sqrt().max(f32::MIN_POSITIVE);
        scaled.iter_mut().for_each(|x| *x /= length);
        scaled
    }

    /// Appends the scaled row to `out`.
    pub fn scale(&self, key: u32, row: &[f32], out: &mut Vec<f32>) {
        let Affine { shift, factor } = self.affine(key);
        let scaled = row.iter().zip(shift).zip(factor).map(|((x, m), f)| (x - m) * f);
        match self.parameters.method {
            ScaleMethod::Standard => out.extend(scaled.map(|x| x.clamp(-CLAMP, CLAMP))),
            _ => out.extend(scaled),
        }
    }

    /// Number of features.
    #[must_use]
    pub fn width(&self) -> usize {
        self.mean.len()
    }
}

fn standard(mean: &[f64], variance: &[f64], floor: &[f64]) -> Affine {
    let factor = variance.iter().zip(floor).map(|(v, g)| (1.0 / (v.sqrt() + 0.01 * g.sqrt() + 1e-6)) as f32);
    Affine { shift: mean.iter().map(|m| *m as f32).collect(), factor: factor.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(scaler: &Scaler, key: u32, row: &[f32]) -> Vec<f32> {
        let mut out = Vec::new();
        scaler.scale(key, row, &mut out);
        out
    }

    fn parameters(shrink_rows: f64) -> ScaleParameters {
        ScaleParameters { shrink_rows, ..ScaleParameters::default() }
    }

    #[test]
    fn a_key_with_many_rows_is_scaled_by_its_own_statistics() {
        let warm: Vec<Vec<f32>> = (0..100).map(|i| vec![(i % 10) as f32]).collect();
        let warm: Vec<(u32, &[f32])> = warm.iter().map(|r| (0, r.as_slice())).collect();
        let mut scaler = Scaler::new(parameters(50.0), &warm);
        let other: Vec<Vec<f32>> = (0..50_000).map(|i| vec![1000.0 + (i % 10) as f32 * 100.0]).collect();
        scaler.absorb(&other.iter().map(|r| (1, r.as_slice())).collect::<Vec<_>>());
        assert!((scaled(&scaler, 1, &[1450.0])[0]).abs() < 0.02);
        assert!((scaled(&scaler, 0, &[4.5])[0]).abs() < 1e-5);
        assert_eq!(scaled(&scaler, 0, &[1450.0])[0], 4.0);
    }

    #[test]
    fn an_unknown_key_is_scaled_by_the_warm_up_statistics() {
        let warm = [vec![1.0f32, 5.0], vec![3.0, 5.0]];
        let scaler = Scaler::new(parameters(50.0), &[(0, &warm[0]), (0, &warm[1])]);
        let row = scaled(&scaler, 7, &[2.0, 5.0]);
        assert!(row.iter().all(|x| x.abs() < 1e-6), "{row:?}");
    }

    #[test]
    fn a_constant_column_stays_finite() {
        let scaler = Scaler::new(parameters(50.0), &[(0, &[2.0]), (0, &[2.0])]);
        assert_eq!(scaled(&scaler, 0, &[2.0]), vec![0.0]);
        assert_eq!(scaled(&scaler, 0, &[3.0]), vec![4.0]);
    }

    #[test]
    fn minmax_maps_the_warm_up_range_to_one() {
        let parameters = ScaleParameters { method: ScaleMethod::Minmax, ..ScaleParameters::default() };
        let scaler = Scaler::new(parameters, &[(0, &[2.0, 1.0]), (0, &[6.0, 1.0])]);
        assert_eq!(scaled(&scaler, 0, &[4.0, 1.0]), vec![0.5, 0.0]);
    }
}
