//! Soft assignments by Student's t around trained centroids, and the sharpened target they are pulled to.

use burn::tensor::activation;
use rand_chacha::ChaCha8Rng;

use super::{Autoencoder, Context, Inference, permute_rows};
use crate::network::{Device, Init, Layout, Tensor, matrix, values};
use crate::stats::kmeans;

/// What the running shares keep of themselves at every step.
const KEEP: f32 = 0.99;
/// Shares count at least this much, in units of an even share, so that an empty cluster draws with finite force.
const LEAST_SHARE: f32 = 1e-3;
/// A code that varies less than this is not scaled up.
const LEAST_VARIANCE: f64 = 1e-9;
/// Starts of k-means when centroids are seated.
const RESTARTS: usize = 20;

/// The clustering layer of DEC (Xie, Girshick and Farhadi 2016, equations 1 and 3) with one degree of freedom:
///
/// ```text
/// q_ik = (1 + ‖z_i - c_k‖²)⁻¹ / Σ_l (1 + ‖z_i - c_l‖²)⁻¹
/// p_ik = (q_ik² / f_k) / Σ_l (q_il² / f_l)
/// f    ← 0.99·f + 0.01·mean_i q_i
/// ```
///
/// `f` is a running mean kept as state where the paper sums over the whole data set; only ratios of it matter. All in logarithms:
/// nothing underflows however far a row is from every centroid.
#[derive(Clone, Debug)]
pub struct Student {
    centroids: usize,
    shares: usize,
    clusters: usize,
    embedding: usize,
}

impl Student {
    /// Adds centroids and running shares to `layout`.
    #[must_use]
    pub fn new(layout: &mut Layout, clusters: usize, embedding: usize) -> Self {
        let centroids = layout.push(clusters, embedding, Init::Glorot);
        let shares = layout.push_state(1, clusters, 1.0 / clusters as f32);
        Self { centroids, shares, clusters, embedding }
    }

    /// The slot of the centroids: `[clusters, embedding]`.
    #[must_use]
    pub fn centroids(&self) -> usize {
        self.centroids
    }

    /// `ln q`.
    ///
    /// # Shapes
    /// - `embedding`: `[rows, embedding]`
    /// - output: `[rows, clusters]`
    #[must_use]
    pub fn log_assignments(&self, matrices: &[Tensor<2>], embedding: Tensor<2>) -> Tensor<2> {
        let squared = squared_distances(embedding, matrices[self.centroids].clone());
        activation::log_softmax(-squared.log1p(), 1)
    }

    /// `p` of the pass's own rows, a constant of the step. The evidence must be `ln q`.
    ///
    /// # Shapes
    /// - output: `[rows, clusters]`
    #[must_use]
    pub fn target(&self, layout: &Layout, context: &Context<'_>, device: &Device) -> Tensor<2> {
        let shares = layout.part(context.parameters, self.shares);
        let target = sharpened(&context.own_evidence(self.clusters), shares);
        matrix(target, 2 * context.slice.len(), self.clusters, device)
    }

    /// The slice's part of the Kullback-Leibler divergence of `q` from its target, averaged over the rows of the batch; the
    /// entropy of the target, a constant, is included:
    ///
    /// ```text
    /// 1/B·Σ_ik p_ik·(ln p_ik - ln q_ik)
    /// ```
    #[must_use]
    pub fn divergence(&self, target: Tensor<2>, log_assignments: Tensor<2>, context: &Context<'_>) -> Tensor<1> {
        let gap = target.clone().clamp_min(f32::MIN_POSITIVE).log() - log_assignments;
        (target * gap).sum() / (2.0 * context.pairs as f64)
    }

    /// What other rows must know: `ln q`, so that [`settle`](Self::settle) can renew the running shares.
    #[must_use]
    pub fn evidence(&self, log_assignments: &Tensor<2>) -> Vec<f32> {
        values(log_assignments.clone().inner())
    }

    /// Renews the running shares from `ln q` of the whole batch: `[rows, clusters]`.
    pub fn settle(&self, layout: &Layout, parameters: &mut [f32], log_assignments: &[f32]) {
        let means = mean_assignments(log_assignments, self.clusters);
        for (share, mean) in layout.part_mut(parameters, self.shares).iter_mut().zip(means) {
            *share = KEEP * *share + (1.0 - KEEP) * mean;
        }
    }

    /// Puts centroids where k-means finds them, the best of 20 starts, and the shares at what rows are then assigned.
    pub fn seat(&self, layout: &Layout, parameters: &mut [f32], embeddings: &[f32], rng: &mut ChaCha8Rng) {
        let centroids = kmeans::fit(embeddings, self.embedding, self.clusters, RESTARTS, rng).centroids;
        self.place(layout, parameters, embeddings, &centroids);
    }

    /// Puts centroids at the means of groups of embeddings, and the shares at what rows are then assigned. Every group has rows.
    pub fn seat_groups(&self, layout: &Layout, parameters: &mut [f32], embeddings: &[f32], groups: &[u32]) {
        let mut sums = vec![0.0f64; self.clusters * self.embedding];
        let mut counts = vec![0usize; self.clusters];
        for (row, group) in embeddings.chunks_exact(self.embedding).zip(groups) {
            let group = *group as usize;
            counts[group] += 1;
            let sum = &mut sums[group * self.embedding..(group + 1) * self.embedding];
            sum.iter_mut().zip(row).for_each(|(sum, z)| *sum += f64::from(*z));
        }
        let means = sums.chunks_exact(self.embedding).zip(&counts);
        let centroids: Vec<f32> = means.flat_map(|(sum, n)| sum.iter().map(move |s| (s / *n as f64) as f32)).collect();
        self.place(layout, parameters, embeddings, &centroids);
    }

    /// Like [`seat`](Self::seat), and brings the code to the scale of the kernel without changing what is reconstructed: a
    /// dimension of it then has variance 1 around the row's own centroid. On a code of small scale all assignments are alike,
    /// and sharpening them gives one cluster nearly everything.
    pub fn seat_to_scale(
        &self,
        layout: &Layout,
        parameters: &mut [f32],
        autoencoder: &Autoencoder,
        embeddings: &[f32],
        rng: &mut ChaCha8Rng,
    ) {
        let mut solution = kmeans::fit(embeddings, self.embedding, self.clusters, RESTARTS, rng);
        let variance = solution.inertia / embeddings.len().max(1) as f64;
        let factor = if variance > LEAST_VARIANCE { variance.sqrt().recip() as f32 } else { 1.0 };
        let scaled: Vec<f32> = embeddings.iter().map(|value| value * factor).collect();
        solution.centroids.iter_mut().for_each(|value| *value *= factor);
        autoencoder.scale_code(layout, parameters, factor);
        self.place(layout, parameters, &scaled, &solution.centroids);
    }

    fn place(&self, layout: &Layout, parameters: &mut [f32], embeddings: &[f32], centroids: &[f32]) {
        layout.part_mut(parameters, self.centroids).copy_from_slice(centroids);
        let mut logs = Vec::with_capacity(embeddings.len() / self.embedding * self.clusters);
        for row in embeddings.chunks_exact(self.embedding) {
            let start = logs.len();
            for centroid in centroids.chunks_exact(self.embedding) {
                let squared: f32 = row.iter().zip(centroid).map(|(z, c)| (z - c) * (z - c)).sum();
                logs.push(-squared.ln_1p());
            }
            let most = logs[start..].iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let total = logs[start..].iter().map(|l| (l - most).exp()).sum::<f32>().ln() + most;
            logs[start..].iter_mut().for_each(|l| *l -= total);
        }
        let means = mean_assignments(&logs, self.clusters);
        layout.part_mut(parameters, self.shares).copy_from_slice(&means);
    }

    /// What inference gives for `embedding`: scores are `ln q`.
    #[must_use]
    pub fn infer(&self, matrices: &[Tensor<2>], embedding: Tensor<2>) -> Inference {
        let squared = squared_distances(embedding.clone(), matrices[self.centroids].clone());
        let scores = activation::log_softmax(-squared.clone().log1p(), 1);
        Inference { embedding, scores, distances: squared.sqrt() }
    }

    /// Renumbers clusters: new cluster `k` is the old `order[k]`.
    pub fn renumber(&self, layout: &Layout, parameters: &mut [f32], order: &[usize]) {
        permute_rows(layout.part_mut(parameters, self.centroids), self.embedding, order);
        permute_rows(layout.part_mut(parameters, self.shares), 1, order);
    }
}

/// Each row of `exp(logs)` squared, divided by the shares and scaled to sum to one.
fn sharpened(logs: &[f32], shares: &[f32]) -> Vec<f32> {
    let least = LEAST_SHARE / shares.len() as f32;
    let mut sharp = Vec::with_capacity(logs.len());
    for row in logs.chunks_exact(shares.len()) {
        let start = sharp.len();
        sharp.extend(row.iter().zip(shares).map(|(log, share)| 2.0 * log - share.max(least).ln()));
        let top = sharp[start..].iter().copied().fold(f32::NEG_INFINITY, f32::max);
        sharp[start..].iter_mut().for_each(|value| *value = (*value - top).exp());
        let total: f32 = sharp[start..].iter().sum();
        sharp[start..].iter_mut().for_each(|value| *value /= total);
    }
    sharp
}

/// `‖z_i - c_k‖²` through inner products, never below 0.
///
/// # Shapes
/// - `embedding`: `[rows, embedding]`
/// - `centroids`: `[clusters, embedding]`
/// - output: `[rows, clusters]`
#[must_use]
pub fn squared_distances(embedding: Tensor<2>, centroids: Tensor<2>) -> Tensor<2> {
    let lengths = embedding.clone().square().sum_dim(1) + centroids.clone().square().sum_dim(1).transpose();
    (lengths - embedding.matmul(centroids.transpose()) * 2.0).clamp_min(0.0)
}

/// Column means of `exp(logs)`.
fn mean_assignments(logs: &[f32], clusters: usize) -> Vec<f32> {
    let mut sums = vec![0.0f64; clusters];
    for row in logs.chunks_exact(clusters) {
        sums.iter_mut().zip(row).for_each(|(s, l)| *s += f64::from(*l).exp());
    }
    let rows = (logs.len() / clusters).max(1) as f64;
    sums.iter().map(|s| (s / rows) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Backend, open};
    use crate::stats::random::stream;

    #[test]
    fn assignments_and_targets_equal_the_formulas_in_double_precision() {
        let mut layout = Layout::default();
        let student = Student::new(&mut layout, 3, 2);
        let parameters = layout.draw(&mut stream(1, "student", 0));
        let shares = [0.2f32, 0.7, 0.1];
        let rows = [0.3f32, -0.4, 2.0, 1.0, -30.0, 50.0];
        let device = open(Backend::Flex).unwrap();
        let matrices = layout.tensors(&parameters, &device);
        let logs = student.log_assignments(&matrices, matrix(rows.to_vec(), 3, 2, &device));
        let logs = values(logs);
        let target = sharpened(&logs, &shares);
        let centroids = layout.part(&parameters, student.centroids);
        for (i, row) in rows.chunks(2).enumerate() {
            let kernel: Vec<f64> = centroids
                .chunks(2)
                .map(|c| 1.0 / (1.0 + f64::from(row[0] - c[0]).powi(2) + f64::from(row[1] - c[1]).powi(2)))
                .collect();
            let q: Vec<f64> = kernel.iter().map(|v| v / kernel.iter().sum::<f64>()).collect();
            let raw: Vec<f64> = q.iter().zip(shares).map(|(q, f)| q * q / f64::from(f)).collect();
            for k in 0..3 {
                assert!((f64::from(logs[i * 3 + k]).exp() - q[k]).abs() < 1e-5);
                assert!((f64::from(target[i * 3 + k]) - raw[k] / raw.iter().sum::<f64>()).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn rows_far_from_everything_and_dead_clusters_stay_finite() {
        let mut layout = Layout::default();
        let student = Student::new(&mut layout, 3, 2);
        let parameters = layout.draw(&mut stream(2, "student", 0));
        let device = open(Backend::Flex).unwrap().autodiff();
        let leaves = layout.leaves(&parameters, &device);
        let logs = student.log_assignments(&leaves, matrix(vec![1e15, -1e15, 0.0, 0.0, 3.0, 1e9], 3, 2, &device));
        let target = matrix(sharpened(&values(logs.clone().inner()), &[0.0, 1.0, 0.0]), 3, 3, &device);
        let gradient = layout.gradient(&(target * logs).sum(), &leaves);
        assert!(gradient.iter().all(|g| g.is_finite()), "{gradient:?}");
    }

    #[test]
    fn groups_seat_centroids_at_their_means() {
        let mut layout = Layout::default();
        let student = Student::new(&mut layout, 2, 2);
        let mut parameters = layout.draw(&mut stream(6, "student", 0));
        let rows = [1.0f32, 2.0, 30.0, 40.0, 3.0, 6.0, 32.0, 40.0];
        student.seat_groups(&layout, &mut parameters, &rows, &[1, 0, 1, 0]);
        assert_eq!(layout.part(&parameters, student.centroids), [31.0, 40.0, 2.0, 4.0]);
        let shares = layout.part(&parameters, student.shares);
        assert!((shares[0] - 0.5).abs() < 0.01 && (shares[1] - 0.5).abs() < 0.01, "{shares:?}");
    }

    #[test]
    fn running_shares_follow_the_batch() {
        let mut layout = Layout::default();
        let student = Student::new(&mut layout, 2, 1);
        let mut parameters = layout.draw(&mut stream(3, "student", 0));
        let logs = [0.9f32.ln(), 0.1f32.ln(), 0.7f32.ln(), 0.3f32.ln()];
        student.settle(&layout, &mut parameters, &logs);
        let shares = layout.part(&parameters, student.shares);
        assert!((shares[0] - (0.99 * 0.5 + 0.01 * 0.8)).abs() < 1e-6);
        assert!((shares.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }
}
