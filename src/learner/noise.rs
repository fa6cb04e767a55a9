//! Augmentation from tables: noise that depends on the row's place in the batch, not on which worker computes it.

use rand::Rng;

use crate::objective::Disturbance;
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

    /// Scales the row, takes features of `other`, adds noise and drops features, as far as `disturbance` says.
    pub fn disturb(&self, row: &mut [f32], seed: u64, disturbance: Disturbance, other: &[f32]) {
        let Disturbance { jitter, mask, swap, scale } = disturbance;
        let bits = mix(seed);
        let unit = |bits: u64| (bits >> 40) as f32 / (1u64 << 24) as f32;
        // Bits of their own, so that a view without swaps and scales is what it was before there were any.
        let more = mix(bits);
        if scale > 0.0 {
            let factor = 1.0 + scale * self.normal[more as usize % LENGTH];
            row.iter_mut().for_each(|x| *x *= factor);
        }
        if swap > 0.0 {
            let start = (more >> 16) as usize % LENGTH;
            let taken = swap * unit(more);
            for ((x, y), u) in row.iter_mut().zip(other).zip(&self.uniform[start..]) {
                *x = if *u < taken { *y } else { *x };
            }
        }
        if jitter > 0.0 {
            let start = bits as usize % LENGTH;
            row.iter_mut().zip(&self.normal[start..]).for_each(|(x, n)| *x += jitter * n);
        }
        if mask > 0.0 {
            let start = (bits >> 16) as usize % LENGTH;
            let drop = mask * unit(bits);
            for (x, u) in row.iter_mut().zip(&self.uniform[start..]) {
                *x = if *u < drop { 0.0 } else { *x };
            }
        }
    }

    /// Drops each feature with probability `share`; nothing is done to those that stay.
    pub fn drop_features(&self, row: &mut [f32], seed: u64, share: f32) {
        // Bits that no disturbance of the row uses.
        let start = mix(mix(mix(seed))) as usize % LENGTH;
        for (x, u) in row.iter_mut().zip(&self.uniform[start..]) {
            *x = if *u < share { 0.0 } else { *x };
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
            noise.disturb(&mut row, seed, Disturbance { jitter: 0.1, ..Disturbance::default() }, &[]);
            square += row.iter().map(|x| f64::from(x * x)).sum::<f64>();
            let mut row = vec![1.0; 500];
            noise.disturb(&mut row, seed, Disturbance { mask: 0.3, ..Disturbance::default() }, &[]);
            dropped += row.iter().filter(|x| **x == 0.0).count();
        }
        assert!((square / 200_000.0 - 0.01).abs() < 5e-4);
        assert!((dropped as f64 / 200_000.0 - 0.15).abs() < 0.02);
    }

    #[test]
    fn dropped_features_are_the_stated_share_and_the_others_stay() {
        let noise = Noise::new(1, 500);
        let row: Vec<f32> = (0..500).map(|d| d as f32 + 1.0).collect();
        let mut dropped = 0;
        for seed in 0..400 {
            let mut seen = row.clone();
            noise.drop_features(&mut seen, seed, 0.2);
            assert!(seen.iter().zip(&row).all(|(seen, x)| *seen == 0.0 || seen == x));
            dropped += seen.iter().filter(|x| **x == 0.0).count();
        }
        assert!((dropped as f64 / 200_000.0 - 0.2).abs() < 0.01, "{dropped}");
        let mut seen = row.clone();
        noise.drop_features(&mut seen, 7, 0.0);
        assert_eq!(seen, row);
    }

    #[test]
    fn swapped_features_are_those_of_the_other_row() {
        let noise = Noise::new(1, 500);
        let other: Vec<f32> = (0..500).map(|d| d as f32).collect();
        let mut swapped = 0;
        for seed in 0..400 {
            let mut row = vec![-1.0; 500];
            noise.disturb(&mut row, seed, Disturbance { swap: 0.4, ..Disturbance::default() }, &other);
            assert!(row.iter().zip(&other).all(|(x, y)| *x == -1.0 || x == y));
            swapped += row.iter().filter(|x| **x != -1.0).count();
        }
        assert!((swapped as f64 / 200_000.0 - 0.2).abs() < 0.02);
    }

    #[test]
    fn a_scaled_row_keeps_its_direction() {
        let noise = Noise::new(1, 3);
        let factors: Vec<f32> = (0..2_000)
            .map(|seed| {
                let mut row = vec![1.0, -2.0, 4.0];
                noise.disturb(&mut row, seed, Disturbance { scale: 0.1, ..Disturbance::default() }, &[]);
                assert!((row[1] + 2.0 * row[0]).abs() < 1e-5 && (row[2] - 4.0 * row[0]).abs() < 1e-5);
                row[0] - 1.0
            })
            .collect();
        let spread = factors.iter().map(|f| f * f).sum::<f32>() / 2_000.0;
        assert!((spread - 0.01).abs() < 1e-3, "{spread}");
    }
}
