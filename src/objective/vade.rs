//! VaDE: a variational autoencoder whose prior is a Gaussian mixture, clusters being its components.

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::variational::{self, Likelihood, Variational};
use super::{Check, Context, Inference, Objective, Parameters, Pass, Schedule, Seating, Shape, Views};
use crate::network::{AdamSettings, Layout, Tensor};
use crate::stats::mixture::{self, Covariance, MixtureSettings};

/// `[objective]` of `objective = "vade"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VadeParameters {
    /// What features are.
    pub likelihood: Likelihood,
    /// Variance of a feature given its code if Gaussian: the smaller, the more reconstruction counts.
    pub variance: f64,
    /// Share of a fresh fit in which the autoencoder learns alone, before a mixture seats the clusters.
    pub pretraining: f64,
    /// Probability that pretraining drops a feature of a row before it is encoded, to be given back whole (Vincent et al. 2008).
    pub denoise: f64,
    /// Learning rate of a fresh fit.
    pub rate: f64,
    /// How much faster the mixture learns than the networks.
    pub mixture_rate: f64,
    /// Share of the clustering stage in which the weight of the divergence from the prior rises from 0 to 1; 0 as published.
    pub kl_warmup: f64,
}

impl Default for VadeParameters {
    fn default() -> Self {
        Self {
            likelihood: Likelihood::Gaussian,
            variance: 0.1,
            pretraining: 0.4,
            denoise: 0.0,
            rate: 2e-3,
            mixture_rate: 1.0,
            kl_warmup: 0.0,
        }
    }
}

impl Parameters for VadeParameters {
    const NAME: &'static str = "vade";

    fn check(&self, _shape: &Shape, check: &mut Check) {
        check.positive("variance", self.variance);
        check.share("pretraining", self.pretraining);
        check.share("denoise", self.denoise);
        check.positive("rate", self.rate);
        check.positive("mixture_rate", self.mixture_rate);
        check.share("kl_warmup", self.kl_warmup);
    }

    fn build(&self, shape: &Shape) -> Arc<dyn Objective> {
        Arc::new(Vade::new(shape, self.clone()))
    }
}

/// Jiang, Zheng, Tan, Tang and Zhou (2017), equation 12, the responsibilities being those of the sampled code:
///
/// ```text
/// z_i = m̃_i + σ̃_i·ε_i     γ_ik = π_k·N(z_i; μ_k, σ_k²) / Σ_l π_l·N(z_i; μ_l, σ_l²)
/// L = 1/B·Σ_i [ -ln p(x_i|z_i) + KL(q(z|x_i)·γ_i ‖ p(c)·p(z|c)) ]
/// ```
///
/// Differences from the authors' code: `γ` by log-sum-exp, `π` enters it once and is a softmax, variances are logarithms
/// within bounds, and rows are assigned by their mean code instead of a random one. Clusters are seated by a diagonal mixture
/// of the codes, the likeliest of several starts, where the authors start again until the labels agree.
#[derive(Clone, Debug)]
pub struct Vade {
    parameters: VadeParameters,
    layout: Layout,
    model: Variational,
}

impl Vade {
    /// The networks `features → hidden… → embedding` and back with a mixture of `clusters` components between.
    #[must_use]
    pub fn new(shape: &Shape, parameters: VadeParameters) -> Self {
        let mut layout = Layout::default();
        let VadeParameters { likelihood, variance, mixture_rate, .. } = parameters;
        let model = Variational::new(&mut layout, shape, likelihood, variance, mixture_rate);
        Self { parameters, layout, model }
    }
}

impl Objective for Vade {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn clusters(&self) -> usize {
        self.model.clusters()
    }

    fn views(&self) -> Views {
        Views::PLAIN
    }

    fn adam(&self) -> AdamSettings {
        AdamSettings { epsilon: 1e-4, decay: 0.0, ..AdamSettings::default() }
    }

    fn schedule(&self) -> Schedule {
        let VadeParameters { pretraining, denoise, rate, .. } = self.parameters;
        variational::schedule(pretraining, denoise, rate)
    }

    fn infer(&self, matrices: &[Tensor<2>], rows: Tensor<2>) -> Inference {
        let embedding = self.model.encode(matrices, rows).mean;
        let scores = self.model.log_joint(matrices, &embedding);
        Inference { scores, distances: self.model.distances(matrices, &embedding), embedding }
    }

    fn forward(&self, leaves: &[Tensor<2>], rows: Tensor<2>, seeds: &[u64]) -> Pass {
        self.model.forward(leaves, rows, seeds, |codes| self.model.log_joint(leaves, codes))
    }

    fn evidence(&self, _pass: &Pass) -> Vec<f32> {
        Vec::new()
    }

    fn loss(&self, leaves: &[Tensor<2>], pass: &Pass, context: &Context<'_>) -> Tensor<1> {
        self.model.loss(leaves, pass, context, self.parameters.kl_warmup)
    }

    fn seat(&self, parameters: &mut [f32], seating: &Seating<'_>, rng: &mut ChaCha8Rng) {
        let settings = MixtureSettings {
            regularisation: 1e-3,
            restarts: 10,
            ..MixtureSettings::new(self.clusters(), Covariance::Diagonal)
        };
        let found = mixture::fit(seating.embeddings, self.model.width(), &settings, rng).mixture;
        self.model.seat(&self.layout, parameters, &found.weights, &found.means, &found.covariances);
    }

    fn renumber(&self, parameters: &mut [f32], order: &[usize]) {
        self.model.renumber(&self.layout, parameters, order);
    }
}
