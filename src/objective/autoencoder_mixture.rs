//! A baseline: an autoencoder, then a Gaussian mixture on its code.

use std::sync::Arc;

use burn::tensor::{Tensor as AnyTensor, activation};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Autoencoder, Check, Context, Inference, Objective, Parameters, Pass, Schedule, Seating, Shape, Stage, Views,
    permute_rows, squared_distances,
};
use crate::network::{Activation, AdamSettings, Init, Layout, Tensor};
use crate::stats::mixture::{self, Covariance, MixtureSettings};

/// Log-variances stay above: `e⁻¹²` is a thousandth of the least deviation that means something in a code.
const LEAST_LOG_VARIANCE: f32 = -12.0;

/// `[objective]` of `objective = "ae-gmm"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AutoencoderMixtureParameters {
    /// Starts of the mixture, of which the likeliest is kept.
    pub restarts: usize,
    /// Probability that training drops a feature of a row before it is encoded, to be given back whole (Vincent et al. 2008).
    pub denoise: f64,
}

impl Default for AutoencoderMixtureParameters {
    fn default() -> Self {
        Self { restarts: 5, denoise: 0.0 }
    }
}

impl Parameters for AutoencoderMixtureParameters {
    const NAME: &'static str = "ae-gmm";

    fn check(&self, _shape: &Shape, check: &mut Check) {
        check.positive("restarts", self.restarts as f64);
        check.share("denoise", self.denoise);
    }

    fn build(&self, shape: &Shape) -> Arc<dyn Objective> {
        Arc::new(AutoencoderMixture::new(shape, self.clone()))
    }
}

/// A fresh fit trains the autoencoder alone and ends with a mixture of axis-parallel Gaussians on the code:
///
/// ```text
/// L = 1/(B·D)·Σ_i ‖x_i - g(f(x_i))‖²          then  z ~ Σ_k π_k N(μ_k, diag σ_k²)  by expectation maximisation
/// ```
///
/// Between fresh fits the mixture follows the code, which goes on learning, by the gradient of its likelihood, which stops at
/// the code: `L - 1/(B·M)·Σ_i ln p(z_i)`.
#[derive(Clone, Debug)]
pub struct AutoencoderMixture {
    parameters: AutoencoderMixtureParameters,
    layout: Layout,
    autoencoder: Autoencoder,
    logits: usize,
    means: usize,
    log_variances: usize,
    clusters: usize,
    embedding: usize,
}

impl AutoencoderMixture {
    /// The mirrored autoencoder `features → hidden… → embedding` with a mixture in its code.
    #[must_use]
    pub fn new(shape: &Shape, parameters: AutoencoderMixtureParameters) -> Self {
        let mut layout = Layout::default();
        let (clusters, embedding) = (shape.clusters, shape.embedding);
        let autoencoder = Autoencoder::new(&mut layout, shape, Activation::Relu);
        let logits = layout.push(1, clusters, Init::Zeros);
        let means = layout.push(clusters, embedding, Init::Glorot);
        let log_variances = layout.push(clusters, embedding, Init::Zeros);
        Self { parameters, layout, autoencoder, logits, means, log_variances, clusters, embedding }
    }

    /// `ln π_k + ln N(z_i; μ_k, σ_k²)` without the constant: `[rows, clusters]`.
    fn log_joint(&self, matrices: &[Tensor<2>], codes: Tensor<2>) -> Tensor<2> {
        let log_variances = matrices[self.log_variances].clone().clamp_min(LEAST_LOG_VARIANCE);
        let gaps: AnyTensor<3> = codes.unsqueeze_dim::<3>(1) - matrices[self.means].clone().unsqueeze_dim::<3>(0);
        let scaled: AnyTensor<3> = gaps.square() * (-log_variances.clone()).exp().unsqueeze_dim::<3>(0);
        let squared: Tensor<2> = scaled.sum_dim(2).squeeze_dim(2);
        let weights = activation::log_softmax(matrices[self.logits].clone(), 1);
        weights - (squared + log_variances.sum_dim(1).transpose()) * 0.5
    }
}

impl Objective for AutoencoderMixture {
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
        let scores = self.log_joint(matrices, embedding.clone());
        let distances = squared_distances(embedding.clone(), matrices[self.means].clone()).sqrt();
        Inference { embedding, scores, distances }
    }

    fn forward(&self, leaves: &[Tensor<2>], rows: Tensor<2>, _seeds: &[u64]) -> Pass {
        let embedding = self.autoencoder.encode(leaves, rows.clone());
        let head = self.log_joint(leaves, embedding.clone().detach());
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
        let top = pass.head.clone().detach().max_dim(1);
        let likelihood = (pass.head.clone() - top.clone()).exp().sum_dim(1).log() + top;
        reconstruction - likelihood.sum() / (2.0 * context.pairs as f64 * self.embedding as f64)
    }

    fn seat(&self, parameters: &mut [f32], seating: &Seating<'_>, rng: &mut ChaCha8Rng) {
        let settings = MixtureSettings {
            restarts: self.parameters.restarts,
            ..MixtureSettings::new(self.clusters, Covariance::Diagonal)
        };
        let mixture = mixture::fit(seating.embeddings, self.embedding, &settings, rng).mixture;
        let mut set = |slot: usize, values: &[f64], make: fn(f64) -> f64| {
            let part = self.layout.part_mut(parameters, slot);
            part.iter_mut().zip(values).for_each(|(to, from)| *to = make(*from) as f32);
        };
        set(self.logits, &mixture.weights, |weight| weight.max(1e-12).ln());
        set(self.means, &mixture.means, |mean| mean);
        set(self.log_variances, &mixture.covariances, f64::ln);
    }

    fn renumber(&self, parameters: &mut [f32], order: &[usize]) {
        permute_rows(self.layout.part_mut(parameters, self.logits), 1, order);
        permute_rows(self.layout.part_mut(parameters, self.means), self.embedding, order);
        permute_rows(self.layout.part_mut(parameters, self.log_variances), self.embedding, order);
    }
}
