//! The clustering module: a one-hidden-layer autoencoder whose loss is that of an isotropic mixture.

use burn::tensor::activation;
use rand_chacha::ChaCha8Rng;

use super::{Context, permute_rows};
use crate::network::{Init, Layout, Tensor, matrix};
use crate::stats::kmeans;

/// Starts of k-means when centroids are seated.
const RESTARTS: usize = 20;

/// Boubekki, Kampffmeyer, Brefeld and Jenssen (2021):
///
/// ```text
/// γ_i = softmax(z_i·W + b)     z̄_i = γ_i·U + c     μ_k = U_k + c
/// ```
#[derive(Clone, Debug)]
pub struct ClusteringModule {
    weight: usize,
    bias: usize,
    centroids: usize,
    offset: usize,
    clusters: usize,
    width: usize,
}

impl ClusteringModule {
    /// Adds the matrices of a module on rows of `width` to `layout`.
    #[must_use]
    pub fn new(layout: &mut Layout, clusters: usize, width: usize) -> Self {
        let weight = layout.push(width, clusters, Init::Glorot);
        let bias = layout.push(1, clusters, Init::Zeros);
        let centroids = layout.push(clusters, width, Init::Glorot);
        let offset = layout.push(1, width, Init::Zeros);
        Self { weight, bias, centroids, offset, clusters, width }
    }

    /// `ln γ` up to a constant per row.
    ///
    /// # Shapes
    /// - `rows`: `[rows, width]`
    /// - output: `[rows, clusters]`
    #[must_use]
    pub fn logits(&self, matrices: &[Tensor<2>], rows: Tensor<2>) -> Tensor<2> {
        rows.matmul(matrices[self.weight].clone()) + matrices[self.bias].clone()
    }

    /// `γ`: `[rows, clusters]`.
    #[must_use]
    pub fn responsibilities(&self, matrices: &[Tensor<2>], rows: Tensor<2>) -> Tensor<2> {
        activation::softmax(self.logits(matrices, rows), 1)
    }

    /// `μ`: `[clusters, width]`.
    #[must_use]
    pub fn means(&self, matrices: &[Tensor<2>]) -> Tensor<2> {
        matrices[self.centroids].clone() + matrices[self.offset].clone()
    }

    /// `z̄`: `[rows, width]`.
    #[must_use]
    pub fn reconstruct(&self, matrices: &[Tensor<2>], gamma: Tensor<2>) -> Tensor<2> {
        gamma.matmul(matrices[self.centroids].clone()) + matrices[self.offset].clone()
    }

    /// The slice's part of the Dirichlet prior on the mean responsibilities, up to a constant of the step:
    ///
    /// ```text
    /// Σ_k (1-α)·ln(ḡ_k + 1e-10)          ḡ = mean_i γ_i over the whole batch
    /// ```
    ///
    /// Its derivative with respect to `γ_ik` is `(1-α)/(B·ḡ_k)`: linear in the slice once `ḡ` of the whole batch is known from the
    /// evidence, which must be `γ`.
    #[must_use]
    pub fn prior(&self, gamma: Tensor<2>, alpha: f64, context: &Context<'_>) -> Tensor<1> {
        let rows = 2.0 * context.pairs as f64;
        let slopes = (0..self.clusters)
            .map(|k| {
                let mass: f64 = context.evidence.iter().skip(k).step_by(self.clusters).map(|g| f64::from(*g)).sum();
                ((1.0 - alpha) / (mass + rows * 1e-10)) as f32
            })
            .collect();
        let slopes = matrix(slopes, 1, self.clusters, &gamma.device());
        (gamma * slopes).sum()
    }

    /// Puts the centroids where k-means finds them in `rows`, `[rows, width]`, and `W, b` at the responsibilities of an
    /// isotropic mixture around them.
    pub fn seat(&self, layout: &Layout, parameters: &mut [f32], rows: &[f32], rng: &mut ChaCha8Rng) {
        self.seat_scaled(layout, parameters, rows, rng, |_| 1.0);
    }

    /// Like [`seat`](Self::seat) for rows that will be multiplied by a factor made from the centroids, which it returns.
    pub fn seat_scaled(
        &self,
        layout: &Layout,
        parameters: &mut [f32],
        rows: &[f32],
        rng: &mut ChaCha8Rng,
        factor: impl Fn(&[f32]) -> f32,
    ) -> f32 {
        let mut solution = kmeans::fit(rows, self.width, self.clusters, RESTARTS, rng);
        let factor = factor(&solution.centroids);
        solution.centroids.iter_mut().for_each(|value| *value *= factor);
        let variance = solution.inertia * f64::from(factor * factor) / rows.len().max(1) as f64;
        self.place(layout, parameters, &solution.centroids, variance);
        factor
    }

    /// Sets the centroids and the responsibilities of an isotropic mixture of this variance around them.
    fn place(&self, layout: &Layout, parameters: &mut [f32], centroids: &[f32], variance: f64) {
        let sharpness = (1.0 / variance.max(1e-6)) as f32;
        let (mut weight, mut bias) = (vec![0.0; self.width * self.clusters], vec![0.0; self.clusters]);
        for (k, centroid) in centroids.chunks_exact(self.width).enumerate() {
            for (d, value) in centroid.iter().enumerate() {
                weight[d * self.clusters + k] = sharpness * value;
            }
            bias[k] = -0.5 * sharpness * centroid.iter().map(|v| v * v).sum::<f32>();
        }
        layout.part_mut(parameters, self.centroids).copy_from_slice(centroids);
        layout.part_mut(parameters, self.offset).fill(0.0);
        layout.part_mut(parameters, self.weight).copy_from_slice(&weight);
        layout.part_mut(parameters, self.bias).copy_from_slice(&bias);
    }

    /// Renumbers clusters: new cluster `k` is the old `order[k]`.
    pub fn renumber(&self, layout: &Layout, parameters: &mut [f32], order: &[usize]) {
        permute_rows(layout.part_mut(parameters, self.centroids), self.width, order);
        permute_rows(layout.part_mut(parameters, self.bias), 1, order);
        for row in layout.part_mut(parameters, self.weight).chunks_exact_mut(self.clusters) {
            permute_rows(row, 1, order);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Backend, open, values};
    use crate::stats::random::stream;

    #[test]
    fn k_means_seats_the_responsibilities() {
        let mut layout = Layout::default();
        let module = ClusteringModule::new(&mut layout, 3, 2);
        let mut parameters = layout.draw(&mut stream(10, "module", 0));
        let rows: Vec<f32> = (0..90).flat_map(|i| [(i % 3) as f32 * 5.0, (i / 3) as f32 * 0.02]).collect();
        module.seat(&layout, &mut parameters, &rows, &mut stream(1, "seat", 0));
        let device = open(Backend::Flex).unwrap();
        let matrices = layout.tensors(&parameters, &device);
        let scores = values(module.logits(&matrices, matrix(rows, 90, 2, &device)));
        let best = |i: usize| (0..3).max_by(|a, b| scores[i * 3 + a].total_cmp(&scores[i * 3 + b]));
        for i in 3..90 {
            assert_eq!(best(i), best(i % 3));
        }
    }
}
