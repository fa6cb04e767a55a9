//! Augmentation from tables: noise that depends on the row's place in the batch, not on which worker computes it.

use rand::Rng;

use crate::stats::random::{mix, stream};

const LENGTH: usize = 1 << 16;

/// A long strip of normal and one of uniform numbers; a row takes a stretch of each, starting where its seed says.
///
/// Drawing a fresh normal per feature would cost more than the matrix products of a small encoder.
#[derive(Clone, Debug)]
pub struct Noise {
    normal: Vec<f32>,
    uniform: Vec<f32>,
}

impl Noise {
    /// Tables for rows of `width` features.
    #[must_use]
    pub fn new(seed: u64, width: usize) -> Self {
        let mut rng = stream(seed, "noise", 0);
        let normal = (0..LENGTH + width)
            .map(|_| {
                let radius = (-2.0 * (1.0 - rng.random::<f32>()).ln()).sqrt();
                radius * (std::f32::consts::TAU * rng.random::<f32>()).cos()
            })
            .collect();
        Self { normal, uniform: (0..LENGTH + width).map(|_| rng.random()).collect() }
    }

    /// Adds `jitter`-wide noise, then drops each feature with a probability drawn from `0..mask` for the row.
    pub fn disturb(&self, row: &mut [f32], seed: u64, jitter: f32, mask: f32) {
        let bits = mix(seed);
        if jitter > 0.0 {
            let start = bits as usize % LENGTH;
            row.iter_mut().zip(&self.normal[start..]).for_each(|(x, n)| *x += jitter * n);
        }
        if mask > 0.0 {
            let start = (bits >> 16) as usize % LENGTH;
            let drop = mask * ((bits >> 40) as f32 / (1u64 << 24) as f32);
            for (x, u) in row.iter_mut().zip(&self.uniform[start..]) {
                *x = if *u < drop { 0.0 } else { *x };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_the_stated_spread_and_drop_rate() {
        let noise = Noise::new(1, 500);
        let (mut square, mut dropped) = (0.0f64, 0usize);
        for seed in 0..400 {
            let mut row = vec![0.0; 500];
            noise.disturb(&mut row, seed, 0.1, 0.0);
            square += row.iter().map(|x| f64::from(x * x)).sum::<f64>();
            let mut row = vec![1.0; 500];
            noise.disturb(&mut row, seed, 0.0, 0.3);
            dropped += row.iter().filter(|x| **x == 0.0).count();
        }
        assert!((square / 200_000.0 - 0.01).abs() < 5e-4);
        assert!((dropped as f64 / 200_000.0 - 0.15).abs() < 0.02);
    }
}
