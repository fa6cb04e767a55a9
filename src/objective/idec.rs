//! IDEC: clusters sharpen themselves while the decoder keeps the code honest.

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Autoencoder, Check, Context, Inference, Objective, Parameters, Pass, Schedule, Seating, Shape, Stage, Student,
    Views,
};
use crate::network::{Activation, AdamSettings, Layout, Tensor};

/// `[objective]` of `objective = "idec"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IdecParameters {
    /// Weight of the divergence between assignments and their sharpened targets.
    pub gamma: f64,
    /// Whether the code is brought to the scale of the kernel when centroids are seated.
    pub scaled: bool,
    /// Share of a fresh fit in which the autoencoder learns alone, before k-means seats the centroids.
    pub pretraining: f64,
    /// Probability that pretraining drops a feature of a row before it is encoded, to be given back whole (Vincent et al. 2008).
    pub denoise: f64,
}

impl Default for IdecParameters {
    fn default() -> Self {
        Self { gamma: 0.1, scaled: false, pretraining: 0.6, denoise: 0.0 }
    }
}

impl Parameters for IdecParameters {
    const NAME: &'static str = "idec";

    fn check(&self, _shape: &Shape, check: &mut Check) {
        check.not_negative("gamma", self.gamma);
        check.share("pretraining", self.pretraining);
        check.share("denoise", self.denoise);
    }

    fn build(&self, shape: &Shape) -> Arc<dyn Objective> {
        Arc::new(Idec::new(shape, self.clone()))
    }
}

/// Guo, Gao, Liu and Yin (2017), equations 6 to 9:
///
/// ```text
/// z = f(x)   x̂ = g(z)   q, p: see Student
/// L = 1/(B·D)·Σ_i ‖x_i - x̂_i‖² + γ/B·Σ_ik p_ik·ln(p_ik/q_ik)
/// ```
///
/// Differences from the paper: the target of a row is made from the present network and running cluster shares at every step
/// instead of from a pass over the whole data set every so many; the optimiser is Adam on all data; the autoencoder is pretrained
/// end to end instead of layer by layer.
#[derive(Clone, Debug)]
pub struct Idec {
    parameters: IdecParameters,
    layout: Layout,
    autoencoder: Autoencoder,
    student: Student,
    clusters: usize,
}

impl Idec {
    /// The mirrored autoencoder `features → hidden… → embedding` with a clustering layer on its code.
    #[must_use]
    pub fn new(shape: &Shape, parameters: IdecParameters) -> Self {
        let mut layout = Layout::default();
        let autoencoder = Autoencoder::new(&mut layout, shape, Activation::Relu);
        let student = Student::new(&mut layout, shape.clusters, shape.embedding);
        Self { parameters, layout, autoencoder, student, clusters: shape.clusters }
    }
}

impl Objective for Idec {
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
        let IdecParameters { pretraining, denoise, .. } = self.parameters;
        Schedule { pretraining, denoise, ..Schedule::default() }
    }

    fn infer(&self, matrices: &[Tensor<2>], rows: Tensor<2>) -> Inference {
        self.student.infer(matrices, self.autoencoder.encode(matrices, rows))
    }

    fn forward(&self, leaves: &[Tensor<2>], rows: Tensor<2>, _seeds: &[u64]) -> Pass {
        let embedding = self.autoencoder.encode(leaves, rows.clone());
        let head = self.student.log_assignments(leaves, embedding.clone());
        Pass { input: rows, embedding, head, extra: Vec::new() }
    }

    fn evidence(&self, pass: &Pass) -> Vec<f32> {
        self.student.evidence(&pass.head)
    }

    fn loss(&self, leaves: &[Tensor<2>], pass: &Pass, context: &Context<'_>) -> Tensor<1> {
        let reconstruction = self.autoencoder.reconstruction(leaves, pass, context);
        if context.stage == Stage::Pretraining {
            return reconstruction;
        }
        let target = self.student.target(&self.layout, context, &pass.head.device());
        reconstruction + self.student.divergence(target, pass.head.clone(), context) * self.parameters.gamma
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
