//! What needs no network: k-means and Gaussian mixtures on scaled rows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stats::kmeans;
use crate::stats::mixture::{self, Covariance, MixtureSettings};
use crate::stats::random::stream;

/// A method without a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Which one.
    pub kind: BaselineKind,
    /// Starts, of which the best by the method's own criterion is kept.
    #[serde(default = "restarts")]
    pub restarts: usize,
    /// Starts of each k-means that a mixture's start begins with, of which the best is kept.
    #[serde(default = "seeds")]
    pub seeds: usize,
    /// Added to every variance of a mixture.
    #[serde(default = "regularisation")]
    pub regularisation: f64,
}

/// The methods without a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BaselineKind {
    /// Lloyd's algorithm from k-means++ seeds.
    #[serde(rename = "k-means")]
    KMeans,
    /// A Gaussian mixture with one variance per feature.
    #[serde(rename = "gmm-diagonal")]
    DiagonalMixture,
    /// A Gaussian mixture with any covariances.
    #[serde(rename = "gmm-full")]
    FullMixture,
}

fn regularisation() -> f64 {
    1e-6
}

fn seeds() -> usize {
    1
}

fn restarts() -> usize {
    20
}

impl Baseline {
    /// The cluster of each row.
    ///
    /// # Shapes
    /// - `rows`: `[rows, width]`, row-major
    #[must_use]
    pub fn labels(&self, rows: &[f32], width: usize, clusters: usize, seed: u64) -> Vec<u32> {
        let rng = &mut stream(seed, "baseline", 0);
        let covariance = match self.kind {
            BaselineKind::KMeans => return kmeans::fit(rows, width, clusters, self.restarts, rng).labels,
            BaselineKind::DiagonalMixture => Covariance::Diagonal,
            BaselineKind::FullMixture => Covariance::Full,
        };
        let settings = MixtureSettings {
            restarts: self.restarts,
            seeds: self.seeds,
            regularisation: self.regularisation,
            ..MixtureSettings::new(clusters, covariance)
        };
        let joint = mixture::fit(rows, width, &settings, rng).mixture.log_joint(rows);
        let likeliest = |line: &[f64]| (0..clusters).max_by(|a, b| line[*a].total_cmp(&line[*b])).unwrap_or_default();
        joint.chunks_exact(clusters).map(|line| likeliest(line) as u32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_finds_separated_groups() {
        let noise = |i: usize, d: usize| ((i * 7919 + d * 31) % 101) as f32 * 0.004;
        let rows: Vec<f32> = (0..90).flat_map(|i| [(i % 3) as f32 + noise(i, 0), noise(i, 1)]).collect();
        for kind in [BaselineKind::KMeans, BaselineKind::DiagonalMixture, BaselineKind::FullMixture] {
            let labels = Baseline { kind, restarts: 5, seeds: 1, regularisation: 1e-6 }.labels(&rows, 2, 3, 1);
            assert!((3..90).all(|i| labels[i] == labels[i % 3]), "{kind:?}: {labels:?}");
            assert!(labels[0] != labels[1] && labels[1] != labels[2] && labels[0] != labels[2], "{kind:?}");
        }
    }
}
