//! The last rows of the stream and what can be said about them.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{Observation, Reference, SHARE_ROWS, WINDOW_ROWS};

/// What is added to every cluster's count, so that an empty one has a finite logarithm.
const SMOOTHING: f64 = 0.5;

/// The last [`SHARE_ROWS`] clusters and the last [`WINDOW_ROWS`] reconstruction errors and embeddings.
///
/// Scores are computed from the rows as they stand, never updated: nothing accumulates over a long stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Window {
    clusters: VecDeque<u32>,
    reconstruction: VecDeque<f32>,
    embedding: VecDeque<f32>,
}

impl Window {
    pub(super) fn push(&mut self, row: &Observation<'_>) {
        if self.clusters.len() == SHARE_ROWS {
            self.clusters.pop_front();
        }
        if self.reconstruction.len() == WINDOW_ROWS {
            self.reconstruction.pop_front();
            self.embedding.drain(..row.embedding.len());
        }
        self.clusters.push_back(row.cluster);
        self.reconstruction.push_back(row.reconstruction);
        self.embedding.extend(row.embedding);
    }

    /// Whether the window of all signals but the shares is full.
    pub(super) fn full(&self) -> bool {
        self.reconstruction.len() == WINDOW_ROWS
    }

    /// Mean reconstruction error of the window.
    pub(super) fn reconstruction(&self) -> f64 {
        let sum: f64 = self.reconstruction.iter().map(|&error| f64::from(error)).sum();
        sum / self.reconstruction.len().max(1) as f64
    }

    /// Population stability index of the shares of the last [`SHARE_ROWS`] rows, and the cluster that contributes most.
    ///
    /// ```text
    /// sum_k (p_k - q_k) ln(p_k / q_k),   p_k = (n_k + s) / (n + s K),   q_k = (n share_k + s) / (n + s K)
    /// ```
    pub(super) fn shares(&self, reference: &Reference) -> Option<(f64, u32)> {
        if self.clusters.len() < SHARE_ROWS {
            return None;
        }
        let mut counts = vec![0.0; reference.shares.len()];
        self.clusters.iter().for_each(|&cluster| counts[cluster as usize] += 1.0);
        let rows = self.clusters.len() as f64;
        let total = rows + SMOOTHING * counts.len() as f64;
        let parts = counts.iter().zip(&reference.shares).map(|(count, share)| {
            let (now, then) = ((count + SMOOTHING) / total, (share * rows + SMOOTHING) / total);
            (now - then) * (now / then).ln()
        });
        Some(summed_and_largest(parts))
    }

    /// Distance of each cluster's mean embedding in the window from its reference centroid into `shifts` (clusters without
    /// rows keep theirs); returns the mean over the clusters, weighted by rows, and the cluster that stands out most.
    ///
    /// ```text
    /// shift_k = || mean of the rows of k - centroid_k ||,   score = sum_k n_k shift_k / n
    /// ```
    pub(super) fn centroid(&self, reference: &Reference, shifts: &mut [f64]) -> (f64, u32) {
        let width = reference.mean.len();
        let mut counts = vec![0.0; shifts.len()];
        let mut sums = vec![0.0; shifts.len() * width];
        let recent = self.clusters.iter().skip(self.clusters.len() - self.reconstruction.len());
        let mut embedding = self.embedding.iter();
        for &cluster in recent {
            let cluster = cluster as usize;
            counts[cluster] += 1.0;
            let sum = &mut sums[cluster * width..][..width];
            sum.iter_mut().zip(embedding.by_ref()).for_each(|(sum, &value)| *sum += f64::from(value));
        }
        let mut score = 0.0;
        let mut parts = vec![0.0; shifts.len()];
        for (k, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0.0) {
            let (sum, centroid) = (&sums[k * width..][..width], &reference.centroids[k * width..][..width]);
            let squares = sum.iter().zip(centroid).map(|(sum, &at)| (sum / count - f64::from(at)).powi(2));
            shifts[k] = squares.sum::<f64>().sqrt();
            score += shifts[k] * count / self.reconstruction.len() as f64;
            // A mean of few rows lies far off by chance, in proportion to one over the root of their number.
            parts[k] = shifts[k] * count.sqrt();
        }
        (score, summed_and_largest(parts.into_iter()).1)
    }

    /// Distance of the window's mean embedding from the reference mean.
    ///
    /// ```text
    /// sqrt( mean_j ((window mean_j - mean_j) / deviation_j)^2 )
    /// ```
    pub(super) fn embedding(&self, reference: &Reference) -> f64 {
        let width = reference.mean.len();
        let mut sums = vec![0.0; width];
        for (at, &value) in self.embedding.iter().enumerate() {
            sums[at % width] += f64::from(value);
        }
        let rows = self.reconstruction.len() as f64;
        // A dimension that never moved would otherwise outweigh all others.
        let largest = reference.deviation.iter().copied().fold(0.0f32, f32::max);
        let least = f64::from(largest * 1e-3).max(1e-12);
        let squares =
            sums.iter().zip(reference.mean.iter().zip(&reference.deviation)).map(|(sum, (&mean, &deviation))| {
                ((sum / rows - f64::from(mean)) / f64::from(deviation).max(least)).powi(2)
            });
        (squares.sum::<f64>() / width.max(1) as f64).sqrt()
    }
}

fn summed_and_largest(parts: impl Iterator<Item = f64>) -> (f64, u32) {
    let mut sum = 0.0;
    let mut largest = (f64::NEG_INFINITY, 0);
    for (k, part) in parts.enumerate() {
        sum += part;
        if part > largest.0 {
            largest = (part, k as u32);
        }
    }
    (sum, largest.1)
}
