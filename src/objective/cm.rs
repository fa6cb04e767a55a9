//! The clustering module on the inputs themselves: an isotropic mixture as a one-hidden-layer autoencoder.

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Check, ClusteringModule, Context, Inference, Objective, Parameters, Pass, Schedule, Seating, Shape, Views,
    squared_distances,
};
use crate::network::{AdamSettings, Layout, Tensor, values};

/// Where centroids begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// Where k-means finds them.
    KMeans,
    /// At random.
    Random,
}

/// `[objective]` of `objective = "cm"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CmParameters {
    /// Dirichlet prior on the mean responsibilities: above 1 keeps every cluster alive, 1 is off.
    pub alpha: f64,
    /// Where centroids begin.
    pub start: Start,
}

impl Default for CmParameters {
    fn default() -> Self {
        Self { alpha: 1.002, start: Start::KMeans }
    }
}

impl Parameters for CmParameters {
    const NAME: &'static str = "cm";

    fn check(&self, _shape: &Shape, check: &mut Check) {
        check.within("alpha", self.alpha, "at least 1", |v| v >= 1.0);
    }

    fn build(&self, shape: &Shape) -> Arc<dyn Objective> {
        Arc::new(Cm::new(shape, self.clone()))
    }
}

/// Boubekki, Kampffmeyer, Brefeld and Jenssen (2021), equation 8 with every sum over rows divided by their number and width:
///
/// ```text
/// γ_i = softmax(x_i·W + b)     x̄_i = γ_i·U + c     μ_k = U_k + c
/// E1 = Σ_i ‖x_i - x̄_i‖²     E2 = Σ_ik γ_ik(1-γ_ik)‖μ_k‖²     E3 = -Σ_i Σ_{k≠l} γ_ik·γ_il·μ_k·μ_l
/// L = 1/(B·D)·(E1 + E2 + E3) + Σ_k (1-α)·ln(ḡ_k + 1e-10),          ḡ = mean_i γ_i
/// ```
///
/// `E1 + E2 + E3 = Σ_ik γ_ik·‖x_i - μ_k‖²` exactly, which is what is computed. An `α` of the paper, which divides nothing,
/// corresponds to `1 + (α-1)/(B·D)` here: 1.002 for theirs on MNIST, 1.001 on USPS, 1.009 on pen digits.
///
/// The network's widths are not looked at: rows are their own embedding.
#[derive(Clone, Debug)]
pub struct Cm {
    parameters: CmParameters,
    layout: Layout,
    module: ClusteringModule,
    clusters: usize,
}

impl Cm {
    /// A module on the features.
    #[must_use]
    pub fn new(shape: &Shape, parameters: CmParameters) -> Self {
        let mut layout = Layout::default();
        let module = ClusteringModule::new(&mut layout, shape.clusters, shape.features);
        Self { parameters, layout, module, clusters: shape.clusters }
    }
}

impl Objective for Cm {
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
        AdamSettings { epsilon: 1e-3, decay: 0.0, ..AdamSettings::default() }
    }

    fn schedule(&self) -> Schedule {
        Schedule { seats_first: self.parameters.start == Start::KMeans, ..Schedule::default() }
    }

    fn infer(&self, matrices: &[Tensor<2>], rows: Tensor<2>) -> Inference {
        let distances = squared_distances(rows.clone(), self.module.means(matrices)).sqrt();
        Inference { scores: self.module.logits(matrices, rows.clone()), embedding: rows, distances }
    }

    fn forward(&self, leaves: &[Tensor<2>], rows: Tensor<2>, _seeds: &[u64]) -> Pass {
        let head = self.module.responsibilities(leaves, rows.clone());
        Pass { input: rows.clone(), embedding: rows, head, extra: Vec::new() }
    }

    fn evidence(&self, pass: &Pass) -> Vec<f32> {
        values(pass.head.clone().inner())
    }

    fn loss(&self, leaves: &[Tensor<2>], pass: &Pass, context: &Context<'_>) -> Tensor<1> {
        let entries = 2.0 * context.pairs as f64 * pass.input.dims()[1] as f64;
        let squared = squared_distances(pass.input.clone(), self.module.means(leaves));
        let distortion = (pass.head.clone() * squared).sum() / entries;
        distortion + self.module.prior(pass.head.clone(), self.parameters.alpha, context)
    }

    fn seat(&self, parameters: &mut [f32], seating: &Seating<'_>, rng: &mut ChaCha8Rng) {
        self.module.seat(&self.layout, parameters, seating.rows, rng);
    }

    fn renumber(&self, parameters: &mut [f32], order: &[usize]) {
        self.module.renumber(&self.layout, parameters, order);
    }
}

#[cfg(test)]
mod tests;
