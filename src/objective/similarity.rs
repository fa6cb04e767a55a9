//! DVAE's similarity loss: rows that share a cluster are to have codes that are near in Wasserstein distance.

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stats::dot;

/// Added to the mass of a cluster, which may be empty.
const LEAST_MASS: f64 = 1e-8;

/// What the sum over pairs of rows is multiplied with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SimilarityNorm {
    /// `1/N²`, as printed.
    Literal,
    /// `1/N`: the mean over rows of a cross-entropy.
    Mean,
    /// 1.
    Sum,
}

/// Ma (2022), equations 3.8 to 3.13, over the rows `1..N` of a batch, `u_i = [m̃_i, σ̃_i]`:
///
/// ```text
/// w_ij = Σ_k γ_ik·γ_jk / Σ_i' γ_i'k        d_ij = ‖u_i - u_j‖²        Q_ij = 1 / (1 + d_ij)
/// L = -c·Σ_ij w_ij·ln p_ij                 p_i = softmax_j(Q_ij / t)
/// ```
///
/// Below `t = 1` a row is not compared with itself: `Q_ii = 1` would outweigh all others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Similarity {
    pub norm: SimilarityNorm,
    pub temperature: f64,
    /// Whether the weights `w` are moved as well, or taken as they are.
    pub through_weights: bool,
    pub clusters: usize,
    pub width: usize,
}

/// All pairs of a batch, row-major `[rows, rows]`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pairs {
    /// `w_ij`; 0 where a row is not compared with itself.
    pub weights: Vec<f64>,
    /// `d_ij`
    pub distances: Vec<f32>,
    /// `ln p_ij`; 0 where a row is not compared with itself.
    pub logarithms: Vec<f64>,
}

/// Slopes of the loss by what some of the rows give.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Slopes {
    /// By `u_i`: `[rows, 2·width]`
    pub codes: Vec<f32>,
    /// By `γ_i`: `[rows, clusters]`; empty if the weights are taken as they are.
    pub responsibilities: Vec<f32>,
}

impl Similarity {
    /// Width of a line of evidence, `[γ_i, m̃_i, σ̃_i]`.
    pub fn line(&self) -> usize {
        self.clusters + 2 * self.width
    }

    /// `c`
    pub fn factor(&self, rows: usize) -> f64 {
        match self.norm {
            SimilarityNorm::Literal => 1.0 / (rows * rows) as f64,
            SimilarityNorm::Mean => 1.0 / rows as f64,
            SimilarityNorm::Sum => 1.0,
        }
    }

    fn masses(&self, evidence: &[f32]) -> Vec<f64> {
        let mut masses = vec![LEAST_MASS; self.clusters];
        for line in evidence.chunks_exact(self.line()) {
            masses.iter_mut().zip(line).for_each(|(mass, gamma)| *mass += f64::from(*gamma));
        }
        masses
    }

    /// Compares all rows of a batch.
    pub fn pairs(&self, evidence: &[f32]) -> Pairs {
        let line = self.line();
        let rows = evidence.len() / line;
        let roots: Vec<f32> = self.masses(evidence).iter().map(|mass| mass.sqrt().recip() as f32).collect();
        let shared: Vec<f32> =
            evidence.chunks_exact(line).flat_map(|row| row.iter().zip(&roots).map(|(g, root)| g * root)).collect();
        let (mut weights, mut distances) = (vec![0.0; rows * rows], vec![0.0; rows * rows]);
        for i in 0..rows {
            let own = &shared[i * self.clusters..(i + 1) * self.clusters];
            let code = &evidence[i * line + self.clusters..(i + 1) * line];
            for j in 0..=i {
                let weight = dot(own, &shared[j * self.clusters..(j + 1) * self.clusters]).into();
                let other = &evidence[j * line + self.clusters..(j + 1) * line];
                let distance: f32 = code.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum();
                for at in [i * rows + j, j * rows + i] {
                    weights[at] = weight;
                    distances[at] = distance.min(f32::MAX);
                }
            }
        }
        let mut logarithms: Vec<f64> =
            distances.iter().map(|d| 1.0 / (1.0 + f64::from(*d)) / self.temperature).collect();
        for (i, line) in logarithms.chunks_exact_mut(rows).enumerate() {
            // Q/t is at most 1/t, which exp takes without overflow from t = 0.002 on.
            let compared = line.iter().enumerate().filter(|(j, _)| *j != i || !self.alone());
            let sum: f64 = compared.map(|(_, q)| q.exp()).sum();
            line.iter_mut().for_each(|q| *q -= sum.max(f64::MIN_POSITIVE).ln());
        }
        if self.alone() {
            for i in 0..rows {
                weights[i * rows + i] = 0.0;
                logarithms[i * rows + i] = 0.0;
            }
        }
        Pairs { weights, distances, logarithms }
    }

    /// Whether a row is not compared with itself.
    fn alone(&self) -> bool {
        self.temperature < 1.0
    }

    /// Slopes by the rows of a slice: `rows` numbers them.
    ///
    /// ```text
    /// g_ij = ∂L/∂Q_ij = c/t·(p_ij·Σ_l w_il - w_ij)        ∂L/∂u_i = -2·Σ_j (g_ij + g_ji)·Q_ij²·(u_i - u_j)
    /// ∂L/∂γ_ik = -c/M_k·( Σ_j (ln p_ij + ln p_ji)·γ_jk - 1/M_k·Σ_ab γ_ak·γ_bk·ln p_ab ),        M_k = Σ_i γ_ik
    /// ```
    pub fn slopes(&self, evidence: &[f32], slices: [Range<usize>; 2]) -> Slopes {
        let line = self.line();
        let rows = evidence.len() / line;
        let factor = self.factor(rows);
        let pairs = self.pairs(evidence);
        let outflow: Vec<f64> = pairs.weights.chunks_exact(rows).map(|line| line.iter().sum()).collect();
        let own = slices.iter().cloned().flatten();
        let mut codes = Vec::new();
        for i in own.clone() {
            let code = &evidence[i * line + self.clusters..(i + 1) * line];
            let mut slope = vec![0.0f64; code.len()];
            for j in (0..rows).filter(|j| *j != i) {
                let (there, back) = (i * rows + j, j * rows + i);
                let flow = |at: usize, from: usize| pairs.logarithms[at].exp() * outflow[from] - pairs.weights[at];
                let pull = factor / self.temperature * (flow(there, i) + flow(back, j));
                let nearness = 1.0 / (1.0 + f64::from(pairs.distances[there]));
                let weight = -2.0 * pull * nearness * nearness;
                let other = &evidence[j * line + self.clusters..(j + 1) * line];
                for ((slope, a), b) in slope.iter_mut().zip(code).zip(other) {
                    *slope += weight * f64::from(a - b);
                }
            }
            codes.extend(slope.iter().map(|slope| *slope as f32));
        }
        if !self.through_weights {
            return Slopes { codes, responsibilities: Vec::new() };
        }
        let masses = self.masses(evidence);
        let gamma = |i: usize, k: usize| f64::from(evidence[i * line + k]);
        // Σ_j (ln p_ij + ln p_ji)·γ_jk of all rows, from which the double sum follows.
        let mut heard = vec![0.0f64; rows * self.clusters];
        for i in 0..rows {
            for j in 0..rows {
                let both = pairs.logarithms[i * rows + j] + pairs.logarithms[j * rows + i];
                (0..self.clusters).for_each(|k| heard[i * self.clusters + k] += both * gamma(j, k));
            }
        }
        let total = |k: usize| 0.5 * (0..rows).map(|i| gamma(i, k) * heard[i * self.clusters + k]).sum::<f64>();
        let totals: Vec<f64> = (0..self.clusters).map(|k| total(k) / masses[k]).collect();
        let slope = |i: usize, k: usize| (-factor / masses[k] * (heard[i * self.clusters + k] - totals[k])) as f32;
        let responsibilities = own.flat_map(|i| (0..self.clusters).map(move |k| (i, k)));
        Slopes { codes, responsibilities: responsibilities.map(|(i, k)| slope(i, k)).collect() }
    }
}

#[cfg(test)]
mod tests;
