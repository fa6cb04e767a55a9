//! AE-CM: an autoencoder whose code is clustered by a one-hidden-layer autoencoder.

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Autoencoder, Check, ClusteringModule, Context, Inference, Objective, Parameters, Pass, Schedule, Seating, Shape,
    Stage, Views, squared_distances,
};
use crate::network::{Activation, AdamSettings, Layout, Tensor, matrix, values};

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
    /// Whether the code is scaled when centroids are seated, so that these have length 1 on average.
    pub scaled: bool,
    /// Share of a fresh fit in which the autoencoder learns alone, before k-means seats the centroids.
    pub pretraining: f64,
    /// Probability that pretraining drops a feature of a row before it is encoded, to be given back whole (Vincent et al. 2008).
    pub denoise: f64,
    /// Added by Adam to the root of the mean squared gradient. The authors' 1e-3 slows every weight whose gradient is smaller.
    pub epsilon: f64,
}

impl Default for AeCmParameters {
    fn default() -> Self {
        Self { beta: 100.0, lambda: 0.1, alpha: 1.1, scaled: true, pretraining: 0.6, denoise: 0.0, epsilon: 1e-8 }
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
        check.share("denoise", self.denoise);
        check.positive("epsilon", self.epsilon);
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
/// (the authors use the pseudo-inverse of the centroids); if `scaled`, encoder and decoder are changed together before the
/// first step of clustering so that these centroids have length 1 on average, which the third and fourth term want, and the
/// reconstruction stays as it was; weights are averaged continuously by the learner's teacher instead of over one extra epoch;
/// Adam's `ε` is the usual one, because theirs of 10⁻³ wants their thousand readings.
#[derive(Clone, Debug)]
pub struct AeCm {
    parameters: AeCmParameters,
    layout: Layout,
    autoencoder: Autoencoder,
    module: ClusteringModule,
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
        let module = ClusteringModule::new(&mut layout, clusters, embedding);
        Self { parameters, layout, autoencoder, module, clusters, embedding }
    }
}

/// `1` on the diagonal.
fn identity(size: usize, like: &Tensor<2>) -> Tensor<2> {
    let values = (0..size * size).map(|i| if i % (size + 1) == 0 { 1.0 } else { 0.0 }).collect();
    matrix(values, size, size, &like.device())
}

impl Objective for AeCm {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn clusters(&self) -> usize {
        self.clusters
    }

    fn views(&self) -> Views {
        Views::PLAIN
    }

    fn adam(&self) -> AdamSettings {
        AdamSettings { epsilon: self.parameters.epsilon as f32, decay: 0.0, ..AdamSettings::default() }
    }

    fn schedule(&self) -> Schedule {
        let AeCmParameters { pretraining, denoise, .. } = self.parameters;
        Schedule { pretraining, denoise, ..Schedule::default() }
    }

    fn infer(&self, matrices: &[Tensor<2>], rows: Tensor<2>) -> Inference {
        let embedding = self.autoencoder.encode(matrices, rows);
        let distances = squared_distances(embedding.clone(), self.module.means(matrices)).sqrt();
        Inference { scores: self.module.logits(matrices, embedding.clone()), embedding, distances }
    }

    fn forward(&self, leaves: &[Tensor<2>], rows: Tensor<2>, _seeds: &[u64]) -> Pass {
        let embedding = self.autoencoder.encode(leaves, rows.clone());
        let head = self.module.responsibilities(leaves, embedding.clone());
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
        let pulled = self.module.reconstruct(leaves, gamma.clone());
        let first = (pass.embedding.clone() - pulled).square().sum() * per_code;
        let second = (gamma.clone() * (-gamma.clone() + 1.0)).sum() * per_code;
        // This slice's part of a term that belongs to the whole batch.
        let part = context.slice.len() as f64 / context.pairs as f64;
        let means = self.module.means(leaves);
        let gram = means.clone().matmul(means.transpose());
        let gap = gram.clone() - identity(self.clusters, &gram);
        let third = gap.square().sum() * (self.parameters.lambda * part);
        let fourth = self.module.prior(gamma, self.parameters.alpha, context);
        reconstruction + first + second + third + fourth
    }

    fn seat(&self, parameters: &mut [f32], seating: &Seating<'_>, rng: &mut ChaCha8Rng) {
        let clusters = self.clusters as f32;
        let rms = |centroids: &[f32]| (centroids.iter().map(|v| v * v).sum::<f32>() / clusters).sqrt();
        let unit = |centroids: &[f32]| if self.parameters.scaled { rms(centroids).max(1e-6).recip() } else { 1.0 };
        let factor = self.module.seat_scaled(&self.layout, parameters, seating.embeddings, rng, unit);
        self.autoencoder.scale_code(&self.layout, parameters, factor);
    }

    fn renumber(&self, parameters: &mut [f32], order: &[usize]) {
        self.module.renumber(&self.layout, parameters, order);
    }
}
