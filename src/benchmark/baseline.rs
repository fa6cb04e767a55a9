//! What needs no network: k-means and Gaussian mixtures on scaled rows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stats::kmeans;
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
}

/// The methods without a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BaselineKind {
    /// Lloyd's algorithm from k-means++ seeds.
    #[serde(rename = "k-means")]
    KMeans,
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
        match self.kind {
            BaselineKind::KMeans => kmeans::fit(rows, width, clusters, self.restarts, rng).labels,
        }
    }
}
