//! AE-CM: an autoencoder whose code is clustered by a one-hidden-layer autoencoder.

use std::sync::Arc;

use burn::tensor::activation;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Autoencoder, Check, Context, Disturbance, Inference, Objective, Parameters, Pass, Schedule, Seating, Second, Shape,
    Stage, Views, permute_rows, squared_distances,
};
use crate::network::{Activation, AdamSettings, Init, Layout, Tensor, values};
use crate::stats::kmeans;

/// `[objective]` of `objective = "ae-cm"`: the authors' normalised-loss recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AeCmParameters {
    /// Weight of the reconstruction.
    pub beta: f64,
    /// Weight of the orthonormality of the centroids.
    pub lambda: f64,
    /// Dirichlet prior on the mean responsibilities: above 1 keeps every cluster alive, 1 is off.
    pub alpha: f64,
    /// Share of a fresh fit in which the autoencoder learns alone, before k-means seats the centroids.
    pub pretraining: f64,
}

impl Default for AeCmParameters {
    fn default() -> Self {
        Self { beta: 100.0, lambda: 0.1, alpha: 1.1, pretraining: 0.6 }
    }
}

impl Parameters for AeCmParameters {
    const NAME: &'static str = "ae-cm";

    fn check(&self, shape: &Shape, check: &mut Check) {
        check.crowded = shape.clusters > shape.embedding;
        check.not_negative("beta", self.beta);
        check.not_negative("lambda", self.lambda);
        check.within("alpha", self.alpha, "at least 1", |v| v >= 1.0);
        check.share("pretraining", self.pretraining);
    }

    fn build(&self, shape: &Shape) -> Arc<dyn Objective> {
        Arc::new(AeCm::new(shape, self.clone()))
    }
}

/// Boubekki, Kampffmeyer, Brefeld and Jenssen (2021), with the normalised loss of their PyTorch example:
///
/// ```text
/// z = f(x)   x̂ = g(z)   γ = softmax(zW + b)   z̄ = γU + c   μ_k = U_k + c
/// L = β·mean‖x - x̂‖² + 1/(B·M)·Σ_i ‖z_i - z̄_i‖² + 1/(B·M)·Σ_ik γ_ik(1-γ_ik)
///     + λ·Σ_kl (μ_k·μ_l - [k=l])² + Σ_k (1-α)·ln(ḡ_k + 1e-10),          ḡ = mean_i γ_i
/// ```
///
/// `ḡ` is that of the whole batch, all workers' rows; the loss is therefore the same on any number of workers.
///
/// Differences from the paper: `W, b` are seated as the responsibilities of an isotropic mixture around the k-means centroids
/// (the authors use the pseudo-inverse of the centroids), and weights are averaged continuously by the learner's teacher
/// instead of over one extra epoch.
#[derive(Clone, Debug)]
pub struct AeCm {
    parameters: AeCmParameters,
    layout: Layout,
    autoencoder: Autoencoder,
    weight: usize,
    bias: usize,
    centroids: usize,
    offset: usize,
    clusters: usize,
    embedding: usize,
}

impl AeCm {
    /// The mirrored autoencoder `features → hidden… → embedding` with a clustering module on its code.
    #[must_use]
    pub fn new(shape: &Shape, parameters: AeCmParameters) -> Self {
        let mut layout = Layout::default();
        let (clusters, embedding) = (shape.clusters, shape.embedding);
        let autoencoder = Autoencoder::new(&mut layout, shape, Activation::LeakyRelu(0.2));
        let weight = layout.push(embedding, clusters, Init::Glorot);
        let bias = layout.push(1, clusters, Init::Zeros);
        let centroids = layout.push(clusters, embedding, Init::Glorot);
        let offset = layout.push(1, embedding, Init::Zeros);
        Self { parameters, layout, autoencoder, weight, bias, centroids, offset, clusters, embedding }
    }

    pub(super) fn logits(&self, matrices: &[Tensor<2>], embedding: Tensor<2>) -> Tensor<2> {
        embedding.matmul(matrices[self.weight].clone()) + matrices[self.bias].clone()
    }

    fn means(&self, matrices: &[Tensor<2>]) -> Tensor<2> {
        matrices[self.centroids].clone() + matrices[self.offset].clone()
    }
}

/// `1` on the diagonal.
fn identity(size: usize, like: &Tensor<2>) -> Tensor<2> {
    let values = (0..size * size).map(|i| if i % (size + 1) == 0 { 1.0 } else { 0.0 }).collect();
    crate::network::matrix(values, size, size, &like.device())
}

impl Objective for AeCm {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn clusters(&self) -> usize {
        self.clusters
    }

    fn views(&self) -> Views {
        Views { second: Second::Other, disturbances: [Disturbance::default(); 2] }
    }

    fn adam(&self) -> AdamSettings {
        AdamSettings { epsilon: 1e-3, decay: 0.0, ..AdamSettings::default() }
    }

    fn schedule(&self) -> Schedule {
        Schedule { pretraining: self.parameters.pretraining, ..Schedule::default() }
    }

    fn infer(&self, matrices: &[Tensor<2>], rows: Tensor<2>) -> Inference {
        let embedding = self.autoencoder.encode(matrices, rows);
        let means = self.means(matrices);
        let distances = squared_distances(embedding.clone(), means).sqrt();
        Inference { scores: self.logits(matrices, embedding.clone()), embedding, distances }
    }

    fn forward(&self, leaves: &[Tensor<2>], rows: Tensor<2>, _seeds: &[u64]) -> Pass {
        let embedding = self.autoencoder.encode(leaves, rows.clone());
        let head = activation::softmax(self.logits(leaves, embedding.clone()), 1);
        Pass { input: rows, embedding, head, extra: Vec::new() }
    }

    fn evidence(&self, pass: &Pass) -> Vec<f32> {
        values(pass.head.clone().inner())
    }

    fn loss(&self, leaves: &[Tensor<2>], pass: &Pass, context: &Context<'_>) -> Tensor<1> {
        let rows = 2.0 * context.pairs as f64;
        let reconstruction = self.autoencoder.reconstruction(leaves, pass, context) * self.parameters.beta;
        if context.stage == Stage::Pretraining {
            return reconstruction;
        }
        let gamma = pass.head.clone();
        let per_code = 1.0 / (rows * self.embedding as f64);
        let pulled = gamma.clone().matmul(leaves[self.centroids].clone()) + leaves[self.offset].clone();
        let first = (pass.embedding.clone() - pulled).square().sum() * per_code;
        let second = (gamma.clone() * (-gamma.clone() + 1.0)).sum() * per_code;
        // This slice's part of a term that belongs to the whole batch.
        let part = context.slice.len() as f64 / context.pairs as f64;
        let means = self.means(leaves);
        let gram = means.clone().matmul(means.transpose());
        let third = (gram.clone() - identity(self.clusters, &gram)).square().sum() * (self.parameters.lambda * part);
        // d/dγ of Σ_k (1-α) ln ḡ_k is (1-α)/(B·ḡ_k): linear in the slice once ḡ of the whole batch is known.
        let slopes: Vec<f32> = (0..self.clusters)
            .map(|k| {
                let mass: f64 = context.evidence.iter().skip(k).step_by(self.clusters).map(|g| f64::from(*g)).sum();
                ((1.0 - self.parameters.alpha) / (mass + rows * 1e-10)) as f32
            })
            .collect();
        let fourth = (gamma * crate::network::matrix(slopes, 1, self.clusters, &gram.device())).sum();
        reconstruction + first + second + third + fourth
    }

    fn seat(&self, parameters: &mut [f32], seating: &Seating<'_>, rng: &mut ChaCha8Rng) {
        let embeddings = seating.embeddings;
        let width = self.embedding;
        let solution = kmeans::fit(embeddings, width, self.clusters, 20, rng);
        let variance = solution.inertia / (embeddings.len().max(1)) as f64;
        let sharpness = (1.0 / variance.max(1e-6)) as f32;
        let (mut weight, mut bias) = (vec![0.0; width * self.clusters], vec![0.0; self.clusters]);
        for (k, centroid) in solution.centroids.chunks_exact(width).enumerate() {
            for (d, value) in centroid.iter().enumerate() {
                weight[d * self.clusters + k] = sharpness * value;
            }
            bias[k] = -0.5 * sharpness * centroid.iter().map(|v| v * v).sum::<f32>();
        }
        self.layout.part_mut(parameters, self.centroids).copy_from_slice(&solution.centroids);
        self.layout.part_mut(parameters, self.offset).fill(0.0);
        self.layout.part_mut(parameters, self.weight).copy_from_slice(&weight);
        self.layout.part_mut(parameters, self.bias).copy_from_slice(&bias);
    }

    fn renumber(&self, parameters: &mut [f32], order: &[usize]) {
        permute_rows(self.layout.part_mut(parameters, self.centroids), self.embedding, order);
        permute_rows(self.layout.part_mut(parameters, self.bias), 1, order);
        for row in self.layout.part_mut(parameters, self.weight).chunks_exact_mut(self.clusters) {
            permute_rows(row, 1, order);
        }
    }
}
