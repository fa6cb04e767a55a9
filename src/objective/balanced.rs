//! Balanced deep clustering with pairwise constraints.

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Autoencoder, Check, Context, Decay, Inference, Link, Objective, Parameters, Pass, Schedule, Seating, Shape, Stage,
    Student, Views, permute_rows,
};
use crate::network::{Activation, AdamSettings, Layout, Tensor, matrix};

/// `[objective]` of `objective = "balanced"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BalancedParameters {
    /// Weight of the balance norm, as the authors state it: for batches of 256 rows.
    pub alpha: f64,
    /// Weight of the constraints, as the authors state it: for batches of 256 rows.
    pub beta: f64,
    /// Rows over which the balance norm is taken; a batch alone if it has as many.
    pub horizon_rows: f64,
    /// Share of a fresh fit in which the autoencoder learns alone, before k-means seats the centroids.
    pub pretraining: f64,
    /// Probability that pretraining drops a feature of a row before it is encoded, to be given back whole (Vincent et al. 2008).
    pub denoise: f64,
}

impl Default for BalancedParameters {
    fn default() -> Self {
        Self { alpha: 0.1, beta: 0.1, horizon_rows: 256.0, pretraining: 0.5, denoise: 0.0 }
    }
}

impl Parameters for BalancedParameters {
    const NAME: &'static str = "balanced";
    const CONSTRAINED: bool = true;

    fn check(&self, _shape: &Shape, check: &mut Check) {
        check.not_negative("alpha", self.alpha);
        check.not_negative("beta", self.beta);
        check.not_negative("horizon_rows", self.horizon_rows);
        check.share("pretraining", self.pretraining);
        check.share("denoise", self.denoise);
    }

    fn build(&self, shape: &Shape) -> Arc<dyn Objective> {
        Arc::new(Balanced::new(shape, self.clone()))
    }
}

/// Rows of a batch that the authors' weights belong to.
const AUTHORS_ROWS: f64 = 256.0;
/// Added to energies, in units of an even share: a cluster that has none yet pulls with a finite force.
const LEAST_ENERGY: f64 = 1e-3;

/// Duan, Lu, Wang, Li and Nie (2024), equations 2, 3, 7, 12 and 13 over a batch of `B` rows:
///
/// ```text
/// z = f(x)     x̂ = g(z)     q_ik ∝ (1 + ‖z_i - c_k‖²)⁻¹
/// e_k ← ρ·e_k + (1-ρ)·mean_i q_ik²                                     ρ = max(0, 1 - B/horizon_rows)
/// L   = mean (x - x̂)² + α·K²/256·Σ_k r_k²/(e_k + 10⁻³/K)
///     + β·256/B·[ Σ_must λ_ij·(1 - q_i·q_j) + Σ_cannot μ_ij·q_i·q_j ]
/// ```
///
/// With target shares `r_k = 1/K`, `ρ = 0` and `B = 256` the balance term is the authors' `α·Σ_k 1/(Σ_i q_ik²)`; written with
/// means, its minimum `α·K²/256` does not depend on the batch. By Cauchy and Schwarz it lies where rows are assigned
/// without doubt and `e_k = r_k`. It is linearised around the gathered energies of the whole batch, which leaves its gradient
/// as it is; a longer horizon replaces the energies it is linearised around.
///
/// Where the authors' program differs from their paper the program is followed, because the figures came from it: `q` itself and
/// not its sharpened form (equation 4) enters both terms, and the reconstruction is averaged over entries. What differs from
/// both: see `docs/objectives/balanced.md`.
#[derive(Clone, Debug)]
pub struct Balanced {
    parameters: BalancedParameters,
    layout: Layout,
    autoencoder: Autoencoder,
    student: Student,
    energies: usize,
    clusters: usize,
}

impl Balanced {
    /// The mirrored autoencoder `features → hidden… → embedding` with centroids in its code.
    #[must_use]
    pub fn new(shape: &Shape, parameters: BalancedParameters) -> Self {
        let mut layout = Layout::default();
        let autoencoder = Autoencoder::new(&mut layout, shape, Activation::Relu);
        let student = Student::new(&mut layout, shape.clusters, shape.embedding);
        let energies = layout.push_state(1, shape.clusters, 1.0 / shape.clusters as f32);
        Self { parameters, layout, autoencoder, student, energies, clusters: shape.clusters }
    }

    /// Energies over the horizon, the batch of the context included.
    fn energies(&self, context: &Context<'_>) -> Vec<f64> {
        let rows = 2.0 * context.pairs as f64;
        let keep = (1.0 - rows / self.parameters.horizon_rows.max(rows)).max(0.0);
        let batch = mean_squares(context.evidence, self.clusters);
        let before = self.layout.part(context.parameters, self.energies);
        before.iter().zip(batch).map(|(before, now)| keep * f64::from(*before) + (1.0 - keep) * now).collect()
    }

    /// The slice's part of the balance term.
    fn balance(&self, assignments: &Tensor<2>, context: &Context<'_>) -> Tensor<1> {
        let clusters = self.clusters as f64;
        let rows = 2.0 * context.pairs as f64;
        let energies = self.energies(context);
        let least = LEAST_ENERGY / clusters;
        let pulls = pulls(&energies, context.target, least);
        let slopes = pulls.iter().map(|pull| (pull / rows) as f32).collect();
        let linear = assignments.clone().square() * matrix(slopes, 1, self.clusters, &assignments.device());
        // Makes the linear form touch the norm, so that its value is that of the norm as well.
        let batch = mean_squares(context.evidence, self.clusters);
        let touch: f64 = pulls.iter().zip(batch).map(|(pull, energy)| pull * energy).sum();
        let constant = balance_norm(&energies, context.target, least) + touch;
        let part = context.slice.len() as f64 / context.pairs as f64;
        let weight = self.parameters.alpha * f64::from(context.strength) * clusters.powi(2) / AUTHORS_ROWS;
        (-linear.sum() + part * constant) * weight
    }

    /// The slice's part of the constraint term, if it has constraints.
    fn broken(&self, assignments: &Tensor<2>, context: &Context<'_>) -> Option<Tensor<1>> {
        let half = context.slice.len();
        let mut signed = vec![0.0; half];
        let mut constant = 0.0;
        let mut any = false;
        for constraint in context.constraints.iter().filter(|constraint| context.slice.contains(&constraint.pair)) {
            any = true;
            let place = constraint.pair - context.slice.start;
            match constraint.link {
                Link::Must => {
                    signed[place] -= constraint.multiplier;
                    constant += f64::from(constraint.multiplier);
                }
                Link::Cannot => signed[place] += constraint.multiplier,
            }
        }
        if !any {
            return None;
        }
        let first = assignments.clone().narrow(0, 0, half);
        let second = assignments.clone().narrow(0, half, half);
        let agreements = (first * second).sum_dim(1);
        let signed = matrix(signed, half, 1, &agreements.device());
        let rows = 2.0 * context.pairs as f64;
        Some(((agreements * signed).sum() + constant) * (self.parameters.beta * AUTHORS_ROWS / rows))
    }
}

/// Column means of `q²`, given `ln q`.
fn mean_squares(logs: &[f32], clusters: usize) -> Vec<f64> {
    let mut sums = vec![0.0; clusters];
    for row in logs.chunks_exact(clusters) {
        sums.iter_mut().zip(row).for_each(|(sum, log)| *sum += (2.0 * f64::from(*log)).exp());
    }
    let rows = (logs.len() / clusters).max(1) as f64;
    sums.iter().map(|sum| sum / rows).collect()
}

/// `Σ_k r_k²/(e_k + least)`: with `least = 0` it is 1 where energies equal the target shares, and more elsewhere.
fn balance_norm(energies: &[f64], target: &[f32], least: f64) -> f64 {
    energies.iter().zip(target).map(|(e, r)| f64::from(*r).powi(2) / (e + least)).sum()
}

/// How fast the balance norm falls with each energy.
fn pulls(energies: &[f64], target: &[f32], least: f64) -> Vec<f64> {
    energies.iter().zip(target).map(|(e, r)| (f64::from(*r) / (e + least)).powi(2)).collect()
}

impl Objective for Balanced {
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
        Schedule {
            pretraining: self.parameters.pretraining,
            denoise: self.parameters.denoise,
            decay: Decay::Late { share: 0.2 },
            seating_rows: 10_000,
            ..Schedule::default()
        }
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
        let assignments = pass.head.clone().exp();
        let balance = self.balance(&assignments, context);
        let total = reconstruction + balance;
        match self.broken(&assignments, context) {
            Some(broken) => total + broken,
            None => total,
        }
    }

    fn agreements(&self, context: &Context<'_>) -> Vec<f32> {
        let row = |i: usize| &context.evidence[i * self.clusters..(i + 1) * self.clusters];
        let agreement = |pair: usize| row(pair).iter().zip(row(context.pairs + pair)).map(|(a, b)| (a + b).exp()).sum();
        context.constraints.iter().map(|constraint| agreement(constraint.pair)).collect()
    }

    fn seat(&self, parameters: &mut [f32], seating: &Seating<'_>, rng: &mut ChaCha8Rng) {
        self.student.seat(&self.layout, parameters, seating.embeddings, rng);
    }

    fn seat_groups(&self, parameters: &mut [f32], embeddings: &[f32], groups: &[u32]) {
        self.student.seat_groups(&self.layout, parameters, embeddings, groups);
    }

    fn settle(&self, parameters: &mut [f32], context: &Context<'_>) {
        if context.stage == Stage::Pretraining {
            return;
        }
        self.student.settle(&self.layout, parameters, context.evidence);
        let energies = self.energies(context);
        let kept = self.layout.part_mut(parameters, self.energies);
        kept.iter_mut().zip(energies).for_each(|(kept, energy)| *kept = energy as f32);
    }

    fn renumber(&self, parameters: &mut [f32], order: &[usize]) {
        self.student.renumber(&self.layout, parameters, order);
        permute_rows(self.layout.part_mut(parameters, self.energies), 1, order);
    }
}

#[cfg(test)]
mod tests;
