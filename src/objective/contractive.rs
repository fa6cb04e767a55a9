//! Contractive features with a focal clustering loss, reconstructed from an abstract.

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Autoencoder, Check, Context, Inference, Objective, Parameters, Pass, Schedule, Seating, Shape, Stage, Student,
    Views,
};
use crate::network::{Activation, AdamSettings, Layout, Tensor, matrix, values};
use crate::stats::random::mix;

/// How the norm of the encoder's Jacobian is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Jacobian {
    /// All of its rows: as many passes through the encoder as the embedding is wide.
    Exact,
    /// One random combination of its rows for each row of the batch, with the norm as its mean (Hutchinson): one pass.
    Sampled,
}

/// What assignments are pulled to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PseudoTargets {
    /// The sharpened assignments of DEC.
    Soft,
    /// The cluster that these are largest for.
    Hard,
}

/// `[objective]` of `objective = "contractive-focal"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ContractiveFocalParameters {
    /// Weight of the squared norm of the encoder's Jacobian.
    pub contraction: f64,
    /// How that norm is computed.
    pub jacobian: Jacobian,
    /// Weight of the clustering loss.
    pub clustering: f64,
    /// Exponent of the focal factor: 0 is the plain cross-entropy.
    pub focus: f64,
    /// Share of the clustering stage in which the exponent rises to `focus`.
    pub ramp: f64,
    /// What assignments are pulled to.
    pub targets: PseudoTargets,
    /// Whether the code is brought to the scale of the kernel when centroids are seated.
    pub scaled: bool,
    /// Share of a fresh fit in which the autoencoder learns alone, before k-means seats the centroids.
    pub pretraining: f64,
    /// Probability that pretraining drops a feature of a row before it is encoded, to be given back whole (Vincent et al. 2008).
    pub denoise: f64,
}

impl Default for ContractiveFocalParameters {
    fn default() -> Self {
        Self {
            contraction: 1e-3,
            jacobian: Jacobian::Exact,
            clustering: 0.1,
            focus: 2.0,
            ramp: 0.5,
            targets: PseudoTargets::Soft,
            scaled: false,
            pretraining: 0.6,
            denoise: 0.0,
        }
    }
}

impl Parameters for ContractiveFocalParameters {
    const NAME: &'static str = "contractive-focal";

    fn check(&self, _shape: &Shape, check: &mut Check) {
        check.not_negative("contraction", self.contraction);
        check.not_negative("clustering", self.clustering);
        check.not_negative("focus", self.focus);
        check.share("ramp", self.ramp);
        check.share("pretraining", self.pretraining);
        check.share("denoise", self.denoise);
    }

    fn build(&self, shape: &Shape) -> Arc<dyn Objective> {
        Arc::new(ContractiveFocal::new(shape, self.clone()))
    }
}

/// Our reading of Cai, Wang, Xu and Guo (2022), whose abstract alone could be had: no number of theirs is claimed.
///
/// ```text
/// z = f(x)   x̂ = g(z)   q, p: see Student   J_i = ∂f/∂x at x_i   t = p, or 1 where p is largest and 0 elsewhere
/// L = 1/(B·D)·Σ_i ‖x_i - x̂_i‖² + λ/B·Σ_i ‖J_i‖² - β/B·Σ_ik t_ik·(1-q_ik)^g·ln q_ik
/// ```
///
/// `λ` is `contraction`, which pretraining has as well (Rifai et al. 2011), `β` is `clustering`; `g` rises from 0 to `focus`
/// (Lin et al. 2017), for the rows that focus enlarges are at first those whose pseudo-label is wrong. At `g = 0`, `λ = 0` and
/// soft targets the gradient is that of [`Idec`](super::Idec).
#[derive(Clone, Debug)]
pub struct ContractiveFocal {
    parameters: ContractiveFocalParameters,
    layout: Layout,
    autoencoder: Autoencoder,
    student: Student,
    clusters: usize,
    embedding: usize,
}

impl ContractiveFocal {
    /// The mirrored autoencoder `features → hidden… → embedding` with a clustering layer on its code.
    #[must_use]
    pub fn new(shape: &Shape, parameters: ContractiveFocalParameters) -> Self {
        let mut layout = Layout::default();
        let autoencoder = Autoencoder::new(&mut layout, shape, Activation::Relu);
        let student = Student::new(&mut layout, shape.clusters, shape.embedding);
        Self { parameters, layout, autoencoder, student, clusters: shape.clusters, embedding: shape.embedding }
    }

    /// Random signs of the embedding's dimensions, each row's its own: `[rows, embedding]`, row-major.
    fn signs(&self, seeds: &[u64]) -> Vec<f32> {
        let sign = |seed: u64, d: u64| if mix(seed ^ mix(d)) & 1 == 0 { 1.0 } else { -1.0 };
        seeds.iter().flat_map(|seed| (0..self.embedding as u64).map(move |d| sign(*seed, d))).collect()
    }

    /// The slice's `Σ_i ‖J_i‖²`, or an estimate of it.
    fn squared_jacobian(&self, leaves: &[Tensor<2>], pass: &Pass) -> Tensor<1> {
        let (slopes, signs) = pass.extra.split_at(pass.extra.len() - 1);
        let norm = |covectors| self.autoencoder.encoder.pull_back(leaves, slopes, covectors).square().sum();
        match self.parameters.jacobian {
            Jacobian::Sampled => norm(signs[0].clone()),
            Jacobian::Exact => (0..self.embedding).fold(pass.input.zeros_like().sum(), |sum, output| {
                let rows = pass.input.dims()[0];
                let unit = (0..rows * self.embedding).map(|i| f32::from(i % self.embedding == output)).collect();
                sum + norm(matrix(unit, rows, self.embedding, &pass.input.device()))
            }),
        }
    }

    /// What assignments are pulled to: `[rows, clusters]`, without a graph.
    fn targets(&self, pass: &Pass, context: &Context<'_>) -> Tensor<2> {
        let soft = self.student.target(&self.layout, context, &pass.head.device());
        match self.parameters.targets {
            PseudoTargets::Soft => soft,
            PseudoTargets::Hard => {
                let rows = soft.dims()[0];
                let device = soft.device();
                let mut hard = vec![0.0; rows * self.clusters];
                for (line, soft) in hard.chunks_exact_mut(self.clusters).zip(values(soft).chunks_exact(self.clusters)) {
                    let best = (1..self.clusters).fold(0, |best, k| if soft[k] > soft[best] { k } else { best });
                    line[best] = 1.0;
                }
                matrix(hard, rows, self.clusters, &device)
            }
        }
    }
}

impl Objective for ContractiveFocal {
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
        let ContractiveFocalParameters { pretraining, denoise, .. } = self.parameters;
        Schedule { pretraining, denoise, ..Schedule::default() }
    }

    fn infer(&self, matrices: &[Tensor<2>], rows: Tensor<2>) -> Inference {
        self.student.infer(matrices, self.autoencoder.encode(matrices, rows))
    }

    fn forward(&self, leaves: &[Tensor<2>], rows: Tensor<2>, seeds: &[u64]) -> Pass {
        let (embedding, mut extra) = self.autoencoder.encoder.forward_with_slopes(leaves, rows.clone());
        extra.push(matrix(self.signs(seeds), seeds.len(), self.embedding, &rows.device()));
        let head = self.student.log_assignments(leaves, embedding.clone());
        Pass { input: rows, embedding, head, extra }
    }

    fn evidence(&self, pass: &Pass) -> Vec<f32> {
        self.student.evidence(&pass.head)
    }

    fn loss(&self, leaves: &[Tensor<2>], pass: &Pass, context: &Context<'_>) -> Tensor<1> {
        let ContractiveFocalParameters { contraction, clustering, focus, ramp, .. } = self.parameters;
        let rows = 2.0 * context.pairs as f64;
        let mut loss = self.autoencoder.reconstruction(leaves, pass, context);
        if contraction > 0.0 {
            loss = loss + self.squared_jacobian(leaves, pass) * (contraction / rows);
        }
        if context.stage == Stage::Pretraining {
            return loss;
        }
        let exponent = if ramp > 0.0 { focus * (context.progress / ramp).min(1.0) } else { focus };
        loss + focal(self.targets(pass, context), pass.head.clone(), exponent) * (clustering / rows)
    }

    fn seat(&self, parameters: &mut [f32], seating: &Seating<'_>, rng: &mut ChaCha8Rng) {
        if self.parameters.scaled {
            self.student.seat_to_scale(&self.layout, parameters, &self.autoencoder, seating.embeddings, rng);
        } else {
            self.student.seat(&self.layout, parameters, seating.embeddings, rng);
        }
    }

    fn settle(&self, parameters: &mut [f32], context: &Context<'_>) {
        if context.stage != Stage::Pretraining {
            self.student.settle(&self.layout, parameters, context.evidence);
        }
    }

    fn renumber(&self, parameters: &mut [f32], order: &[usize]) {
        self.student.renumber(&self.layout, parameters, order);
    }
}

/// The focal loss of Lin, Goyal, Girshick, He and Dollár (2017), equation 4 with `α = 1`, summed over rows and clusters:
///
/// ```text
/// -Σ_ik t_ik·(1 - q_ik)^g·ln q_ik
/// ```
///
/// The power is taken through the logarithm of at least 1e-6: its derivative stays finite at `q = 1` for exponents below 1.
fn focal(targets: Tensor<2>, log_assignments: Tensor<2>, exponent: f64) -> Tensor<1> {
    let rest = (-log_assignments.clone().exp() + 1.0).clamp_min(1e-6);
    let factor = (rest.log() * exponent).exp();
    -(targets * factor * log_assignments).sum()
}

#[cfg(test)]
mod tests;
