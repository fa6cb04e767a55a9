//! The baseline of every table: an autoencoder, then k-means on its code.

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Autoencoder, Check, Context, Inference, Objective, Parameters, Pass, Schedule, Seating, Shape, Stage, Views,
    permute_rows, squared_distances,
};
use crate::network::{Activation, AdamSettings, Init, Layout, Tensor};
use crate::stats::kmeans;

/// Starts of k-means.
const RESTARTS: usize = 20;

/// `[objective]` of `objective = "ae-k-means"`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AutoencoderKMeansParameters {
    /// Probability that training drops a feature of a row before it is encoded, to be given back whole (Vincent et al. 2008).
    pub denoise: f64,
}

impl Parameters for AutoencoderKMeansParameters {
    const NAME: &'static str = "ae-k-means";

    fn check(&self, _shape: &Shape, check: &mut Check) {
        check.share("denoise", self.denoise);
    }

    fn build(&self, shape: &Shape) -> Arc<dyn Objective> {
        Arc::new(AutoencoderKMeans::new(shape, self.clone()))
    }
}

/// A fresh fit trains the autoencoder alone and ends with k-means on the code, the best of 20 starts:
///
/// ```text
/// L = 1/(B·D)·Σ_i ‖x_i - g(f(x_i))‖²
/// ```
///
/// Between fresh fits the centroids follow the code, which goes on learning, by mini-batch k-means as a gradient that stops at
/// the code: `L + 1/B·Σ_i min_k ‖z_i - c_k‖²`.
///
/// Scores are `-‖z - c_k‖²/(2v)` with `v` the variance of a dimension of the code around its centroid when these were seated.
#[derive(Clone, Debug)]
pub struct AutoencoderKMeans {
    parameters: AutoencoderKMeansParameters,
    layout: Layout,
    autoencoder: Autoencoder,
    centroids: usize,
    variance: usize,
    clusters: usize,
    embedding: usize,
}

impl AutoencoderKMeans {
    /// The mirrored autoencoder `features → hidden… → embedding` with centroids in its code.
    #[must_use]
    pub fn new(shape: &Shape, parameters: AutoencoderKMeansParameters) -> Self {
        let mut layout = Layout::default();
        let autoencoder = Autoencoder::new(&mut layout, shape, Activation::Relu);
        let centroids = layout.push(shape.clusters, shape.embedding, Init::Glorot);
        let variance = layout.push_state(1, 1, 1.0);
        let (clusters, embedding) = (shape.clusters, shape.embedding);
        Self { parameters, layout, autoencoder, centroids, variance, clusters, embedding }
    }
}

impl Objective for AutoencoderKMeans {
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
        AdamSettings { decay: 0.0, ..AdamSettings::default() }
    }

    fn schedule(&self) -> Schedule {
        Schedule { pretraining: 1.0, denoise: self.parameters.denoise, ..Schedule::default() }
    }

    fn infer(&self, matrices: &[Tensor<2>], rows: Tensor<2>) -> Inference {
        let embedding = self.autoencoder.encode(matrices, rows);
        let squared = squared_distances(embedding.clone(), matrices[self.centroids].clone());
        let scores = -squared.clone() / (matrices[self.variance].clone() * 2.0);
        Inference { embedding, scores, distances: squared.sqrt() }
    }

    fn forward(&self, leaves: &[Tensor<2>], rows: Tensor<2>, _seeds: &[u64]) -> Pass {
        let embedding = self.autoencoder.encode(leaves, rows.clone());
        let head = squared_distances(embedding.clone().detach(), leaves[self.centroids].clone());
        Pass { input: rows, embedding, head, extra: Vec::new() }
    }

    fn evidence_width(&self) -> usize {
        0
    }

    fn evidence(&self, _pass: &Pass) -> Vec<f32> {
        Vec::new()
    }

    fn loss(&self, leaves: &[Tensor<2>], pass: &Pass, context: &Context<'_>) -> Tensor<1> {
        let reconstruction = self.autoencoder.reconstruction(leaves, pass, context);
        if context.stage == Stage::Pretraining {
            return reconstruction;
        }
        reconstruction + pass.head.clone().min_dim(1).sum() / (2.0 * context.pairs as f64)
    }

    fn seat(&self, parameters: &mut [f32], seating: &Seating<'_>, rng: &mut ChaCha8Rng) {
        let solution = kmeans::fit(seating.embeddings, self.embedding, self.clusters, RESTARTS, rng);
        let variance = solution.inertia / seating.embeddings.len().max(1) as f64;
        self.layout.part_mut(parameters, self.centroids).copy_from_slice(&solution.centroids);
        self.layout.part_mut(parameters, self.variance).fill(variance.max(1e-6) as f32);
    }

    fn renumber(&self, parameters: &mut [f32], order: &[usize]) {
        permute_rows(self.layout.part_mut(parameters, self.centroids), self.embedding, order);
    }
}
