//! Our own online objective: swapped prediction between neighbours with exactly balanced codes.

use std::sync::Arc;

use burn::tensor::activation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Check, Context, Disturbance, Inference, Objective, Parameters, Pass, Second, Shape, Views, permute_rows};
use crate::network::{Activation, Init, Layout, Perceptron, Tensor, matrix, values};
use crate::stats::projection;

/// `[objective]` of `objective = "even"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EvenParameters {
    /// Divides cosine similarities to make logits.
    pub temperature: f64,
    /// Divides logits to make codes: at 0.5 codes are squared responsibilities re-balanced; 1 collapses, 0.25 is unstable.
    pub code_temperature: f64,
    /// Standard deviation of the noise added to scaled features.
    pub jitter: f64,
    /// Features are dropped with a probability drawn from `0..mask` per row.
    pub mask: f64,
}

impl Default for EvenParameters {
    fn default() -> Self {
        Self { temperature: 0.1, code_temperature: 0.5, jitter: 0.1, mask: 0.3 }
    }
}

impl Parameters for EvenParameters {
    const NAME: &'static str = "even";

    fn check(&self, _shape: &Shape, check: &mut Check) {
        check.positive("temperature", self.temperature);
        check.within("code_temperature", self.code_temperature, "above 0 and below 1", |v| 0.0 < v && v < 1.0);
        check.not_negative("jitter", self.jitter);
        check.share("mask", self.mask);
    }

    fn build(&self, shape: &Shape) -> Arc<dyn Objective> {
        Arc::new(Even::new(shape, self.clone()))
    }
}

/// Compact encoder, unit-length embedding, cosine prototypes; no decoder.
///
/// ```text
/// z = f(x)/‖f(x)‖     l = z·Cᵀ/τ     p = softmax(l)
/// q_i = softmax(l_i/ε - kb·U_d(i) - u)                                    codes, no gradient
/// L = -½ mean_i [ Σ_k q_a,k ln p_b,k + Σ_k q_b,k ln p_a,k ]              (a, b): a row and its neighbour in time
/// ```
///
/// `u` are prices solved on the replayed rows of the batch alone ([`projection::prices`], 5 rounds), `U` the device prices.
/// Source: online-recipe.md, Part I section 6 with Part II section 2; swapped prediction after Caron et al. (2020).
#[derive(Clone, Debug)]
pub struct Even {
    parameters: EvenParameters,
    layout: Layout,
    encoder: Perceptron,
    prototypes: usize,
    clusters: usize,
    embedding: usize,
}

const ROUNDS: usize = 5;
/// With fewer replayed rows than this the prices are solved on the whole batch.
const FEWEST_BASIS_ROWS: usize = 16;

impl Even {
    /// The network `features → hidden… → embedding` with a prototype per cluster.
    #[must_use]
    pub fn new(shape: &Shape, parameters: EvenParameters) -> Self {
        let mut layout = Layout::default();
        let (clusters, embedding) = (shape.clusters, shape.embedding);
        let widths = shape.widths();
        let encoder = Perceptron::new(&mut layout, &widths, Activation::Relu);
        let prototypes = layout.push(clusters, embedding, Init::UnitRows);
        Self { parameters, layout, encoder, prototypes, clusters, embedding }
    }

    fn embed(&self, matrices: &[Tensor<2>], rows: Tensor<2>) -> Tensor<2> {
        unit(self.encoder.forward(matrices, rows))
    }

    fn cosines(&self, matrices: &[Tensor<2>], embedding: Tensor<2>) -> Tensor<2> {
        embedding.matmul(unit(matrices[self.prototypes].clone()).transpose())
    }
}

/// Rows scaled to length one.
fn unit(rows: Tensor<2>) -> Tensor<2> {
    let length = rows.clone().square().sum_dim(1).sqrt().clamp_min(1e-12);
    rows / length
}

/// Codes of the rows `slice` and `pairs + slice`, row-major.
fn codes(context: &Context<'_>, clusters: usize, temperature: f32) -> Vec<f32> {
    let pairs = context.pairs;
    let scaled: Vec<f32> =
        context.evidence.iter().zip(context.device_prices).map(|(l, u)| l / temperature - u).collect();
    let replayed = |i: usize| i % pairs >= context.fresh;
    let mut basis = Vec::with_capacity(scaled.len());
    if 2 * (pairs - context.fresh) >= FEWEST_BASIS_ROWS {
        for (i, row) in scaled.chunks_exact(clusters).enumerate() {
            if replayed(i) {
                basis.extend_from_slice(row);
            }
        }
    } else {
        basis.extend_from_slice(&scaled);
    }
    let mut prices = projection::prices(&basis, context.target, ROUNDS);
    if context.strength < 1.0 {
        projection::soften(&mut prices, context.strength);
    }
    let rows = context.slice.clone().chain(pairs + context.slice.start..pairs + context.slice.end);
    let mut codes = vec![0.0; 2 * context.slice.len() * clusters];
    for (out, i) in codes.chunks_exact_mut(clusters).zip(rows) {
        projection::softmax(&scaled[i * clusters..(i + 1) * clusters], &prices, out);
    }
    codes
}

impl Objective for Even {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn clusters(&self) -> usize {
        self.clusters
    }

    fn views(&self) -> Views {
        let disturbance = Disturbance {
            jitter: self.parameters.jitter as f32,
            mask: self.parameters.mask as f32,
            ..Disturbance::default()
        };
        Views { second: Second::Neighbour, disturbances: [disturbance; 2] }
    }

    fn infer(&self, matrices: &[Tensor<2>], rows: Tensor<2>) -> Inference {
        let embedding = self.embed(matrices, rows);
        let cosines = self.cosines(matrices, embedding.clone());
        // ‖z - c‖² = 2 - 2cos for unit vectors
        let distances = (cosines.clone() * -2.0 + 2.0).clamp_min(0.0).sqrt();
        Inference { embedding, scores: cosines / self.parameters.temperature, distances }
    }

    fn forward(&self, leaves: &[Tensor<2>], rows: Tensor<2>, _seeds: &[u64]) -> Pass {
        let embedding = self.embed(leaves, rows.clone());
        let head = self.cosines(leaves, embedding.clone()) / self.parameters.temperature;
        Pass { input: rows, embedding, head, extra: Vec::new() }
    }

    fn evidence(&self, pass: &Pass) -> Vec<f32> {
        values(pass.head.clone().inner())
    }

    fn loss(&self, _leaves: &[Tensor<2>], pass: &Pass, context: &Context<'_>) -> Tensor<1> {
        let codes = codes(context, self.clusters, self.parameters.code_temperature as f32);
        // Swapped: the first half of the rows is held to the codes of the second, and the other way round.
        let half = codes.len() / 2;
        let swapped: Vec<f32> = [&codes[half..], &codes[..half]].concat();
        let targets = matrix(swapped, 2 * context.slice.len(), self.clusters, &pass.head.device());
        (activation::log_softmax(pass.head.clone(), 1) * targets).sum() * (-0.5 / context.pairs as f64)
    }

    fn code_temperature(&self) -> Option<f32> {
        Some(self.parameters.code_temperature as f32)
    }

    fn renumber(&self, parameters: &mut [f32], order: &[usize]) {
        permute_rows(self.layout.part_mut(parameters, self.prototypes), self.embedding, order);
    }
}
