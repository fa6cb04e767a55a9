//! K-DAE: one autoencoder per cluster, and each row belongs to the one that reconstructs it best.

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Autoencoder, Check, Context, Inference, Objective, Parameters, Pass, Schedule, Seating, Shape, Stage, Views,
    permute_rows, squared_distances,
};
use crate::network::{Activation, AdamSettings, Layout, Tensor, matrix, values};
use crate::stats::kmeans;

/// Starts of k-means.
const RESTARTS: usize = 20;
/// What running shares and errors keep of themselves at every step.
const KEEP: f32 = 0.99;
/// A cluster with less than this much of an even share starves.
const STARVING: f32 = 0.1;
/// Added under the root: the derivative of a norm has none at 0.
const LEAST_ERROR: f64 = 1e-8;

/// `[objective]` of `objective = "k-dae"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KDaeParameters {
    /// Hidden widths of each cluster's encoder; its decoder mirrors them.
    pub hidden: Vec<usize>,
    /// Width of each cluster's code.
    pub code: usize,
    /// Share of a fresh fit in which the common autoencoder learns, before k-means divides the rows.
    pub pretraining: f64,
    /// Probability that pretraining drops a feature of a row before it is encoded, to be given back whole (Vincent et al. 2008).
    pub denoise: f64,
    /// Share of the rest in which each cluster's autoencoder learns what k-means gave it, before rows choose.
    pub guided: f64,
}

impl Default for KDaeParameters {
    fn default() -> Self {
        Self { hidden: vec![500, 100], code: 10, pretraining: 0.6, denoise: 0.0, guided: 0.2 }
    }
}

impl Parameters for KDaeParameters {
    const NAME: &'static str = "k-dae";

    fn check(&self, _shape: &Shape, check: &mut Check) {
        check.positive("code", self.code as f64);
        for width in &self.hidden {
            check.positive("hidden", *width as f64);
        }
        check.share("pretraining", self.pretraining);
        check.share("denoise", self.denoise);
        check.share("guided", self.guided);
    }

    fn build(&self, shape: &Shape) -> Arc<dyn Objective> {
        Arc::new(KDae::new(shape, self.clone()))
    }
}

/// Opochinsky, Chazan, Gannot and Goldberger (2020):
///
/// ```text
/// e_ik = ‖x_i - g_k(f_k(x_i))‖          L = 1/B·Σ_i e_{i,c(i)}          c(i) = argmin_k e_ik
/// ```
///
/// A common autoencoder is pretrained first; k-means on its code divides the rows, and each cluster's own autoencoder learns its
/// part before the rows choose. The embedding is the common code, which then stays as it is.
///
/// Differences from the paper: a cluster whose running share of the rows is below a tenth of an even one is given the rows of
/// the batch that are reconstructed worst, a quarter of an even share of them, since an autoencoder that wins nothing would never
/// learn again; the common autoencoder is the mirrored one of the other methods, with squared errors, no batch normalisation
/// and linear outputs.
///
/// Scores are logarithms of Gaussian likelihoods, `-e_ik²/(2v)` with `v` the running variance of a feature around its best
/// reconstruction.
#[derive(Clone, Debug)]
pub struct KDae {
    parameters: KDaeParameters,
    layout: Layout,
    common: Autoencoder,
    specialists: Vec<Autoencoder>,
    seats: usize,
    shares: usize,
    variance: usize,
    features: usize,
    embedding: usize,
}

impl KDae {
    /// The common autoencoder `features → hidden… → embedding`, and a smaller one for each cluster.
    #[must_use]
    pub fn new(shape: &Shape, parameters: KDaeParameters) -> Self {
        let mut layout = Layout::default();
        let common = Autoencoder::new(&mut layout, shape, Activation::Relu);
        let own = Shape { encoder: parameters.hidden.clone(), embedding: parameters.code, ..shape.clone() };
        let specialists = (0..shape.clusters).map(|_| Autoencoder::new(&mut layout, &own, Activation::Relu)).collect();
        let seats = layout.push_state(shape.clusters, shape.embedding, 0.0);
        let shares = layout.push_state(1, shape.clusters, 1.0 / shape.clusters as f32);
        let variance = layout.push_state(1, 1, 1.0);
        let (features, embedding) = (shape.features, shape.embedding);
        Self { parameters, layout, common, specialists, seats, shares, variance, features, embedding }
    }

    /// `e`: `[rows, clusters]`.
    fn errors(&self, matrices: &[Tensor<2>], rows: &Tensor<2>) -> Tensor<2> {
        let error = |own: &Autoencoder| {
            let reconstructed = own.decode(matrices, own.encode(matrices, rows.clone()));
            ((reconstructed - rows.clone()).square().sum_dim(1) + LEAST_ERROR).sqrt()
        };
        Tensor::cat(self.specialists.iter().map(error).collect(), 1)
    }

    /// For each row of the batch the cluster that reconstructs it best, and how well.
    fn winners(&self, errors: &[f32]) -> Vec<(usize, f32)> {
        errors.chunks_exact(self.specialists.len()).map(least).collect()
    }

    /// Who learns which row of the batch: its winner, but the worst rows go to those that starve.
    fn learners(&self, context: &Context<'_>) -> Vec<usize> {
        let clusters = self.specialists.len();
        let winners = self.winners(context.evidence);
        let mut learners: Vec<usize> = winners.iter().map(|(winner, _)| *winner).collect();
        let shares = self.layout.part(context.parameters, self.shares);
        let starving: Vec<usize> = (0..clusters).filter(|k| shares[*k] * clusters as f32 <= STARVING).collect();
        if starving.is_empty() {
            return learners;
        }
        let given = (winners.len() / (4 * clusters)).max(1);
        let mut worst: Vec<usize> = (0..winners.len()).collect();
        worst.sort_by(|a, b| winners[*b].1.total_cmp(&winners[*a].1).then(a.cmp(b)));
        for (place, row) in worst.into_iter().take(given * starving.len()).enumerate() {
            learners[row] = starving[place % starving.len()];
        }
        learners
    }

    /// The clusters that k-means gave the rows of a pass.
    fn guided(&self, leaves: &[Tensor<2>], pass: &Pass) -> Vec<usize> {
        let seats = leaves[self.seats].clone();
        let squared = values(squared_distances(pass.embedding.clone().detach(), seats));
        squared.chunks_exact(self.specialists.len()).map(|line| least(line).0).collect()
    }
}

/// The least value of a line and where it is; the first of several.
fn least(line: &[f32]) -> (usize, f32) {
    line.iter().copied().enumerate().fold((0, f32::INFINITY), |best, next| if next.1 < best.1 { next } else { best })
}

impl Objective for KDae {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn clusters(&self) -> usize {
        self.specialists.len()
    }

    fn views(&self) -> Views {
        Views::PLAIN
    }

    fn adam(&self) -> AdamSettings {
        AdamSettings { decay: 0.0, ..AdamSettings::default() }
    }

    fn schedule(&self) -> Schedule {
        let KDaeParameters { pretraining, denoise, .. } = self.parameters;
        Schedule { pretraining, denoise, ..Schedule::default() }
    }

    fn infer(&self, matrices: &[Tensor<2>], rows: Tensor<2>) -> Inference {
        let distances = self.errors(matrices, &rows);
        let scores = -distances.clone().square() / (matrices[self.variance].clone() * 2.0);
        Inference { embedding: self.common.encode(matrices, rows), scores, distances }
    }

    fn forward(&self, leaves: &[Tensor<2>], rows: Tensor<2>, _seeds: &[u64]) -> Pass {
        let head = self.errors(leaves, &rows);
        let embedding = self.common.encode(leaves, rows.clone());
        Pass { input: rows, embedding, head, extra: Vec::new() }
    }

    fn evidence(&self, pass: &Pass) -> Vec<f32> {
        values(pass.head.clone().inner())
    }

    fn loss(&self, leaves: &[Tensor<2>], pass: &Pass, context: &Context<'_>) -> Tensor<1> {
        if context.stage == Stage::Pretraining {
            return self.common.reconstruction(leaves, pass, context);
        }
        let learners = if context.progress < self.parameters.guided {
            self.guided(leaves, pass)
        } else {
            let (all, pairs, slice) = (self.learners(context), context.pairs, context.slice.clone());
            slice.clone().chain(pairs + slice.start..pairs + slice.end).map(|row| all[row]).collect()
        };
        let clusters = self.specialists.len();
        let chosen = learners.iter().flat_map(|own| (0..clusters).map(move |k| f32::from(k == *own))).collect();
        let chosen = matrix(chosen, learners.len(), clusters, &pass.head.device());
        (pass.head.clone() * chosen).sum() / (2.0 * context.pairs as f64)
    }

    fn seat(&self, parameters: &mut [f32], seating: &Seating<'_>, rng: &mut ChaCha8Rng) {
        let clusters = self.specialists.len();
        let solution = kmeans::fit(seating.embeddings, self.embedding, clusters, RESTARTS, rng);
        self.layout.part_mut(parameters, self.seats).copy_from_slice(&solution.centroids);
        self.layout.part_mut(parameters, self.shares).fill(1.0 / clusters as f32);
    }

    fn settle(&self, parameters: &mut [f32], context: &Context<'_>) {
        let winners = self.winners(context.evidence);
        if context.stage == Stage::Pretraining || winners.is_empty() {
            return;
        }
        let rows = winners.len() as f32;
        let mut counts = vec![0.0; self.specialists.len()];
        winners.iter().for_each(|(winner, _)| counts[*winner] += 1.0 / rows);
        let keep = |old: f32, new: f32| KEEP * old + (1.0 - KEEP) * new;
        if context.progress >= self.parameters.guided {
            for (share, count) in self.layout.part_mut(parameters, self.shares).iter_mut().zip(counts) {
                *share = keep(*share, count);
            }
        }
        let squared = winners.iter().map(|(_, error)| error * error).sum::<f32>() / (rows * self.features as f32);
        let variance = &mut self.layout.part_mut(parameters, self.variance)[0];
        *variance = keep(*variance, squared).max(1e-6);
    }

    fn renumber(&self, parameters: &mut [f32], order: &[usize]) {
        let old = parameters.to_vec();
        for (new, from) in order.iter().enumerate() {
            for (to, from) in self.specialists[new].slots().zip(self.specialists[*from].slots()) {
                self.layout.part_mut(parameters, to).copy_from_slice(self.layout.part(&old, from));
            }
        }
        permute_rows(self.layout.part_mut(parameters, self.seats), self.embedding, order);
        permute_rows(self.layout.part_mut(parameters, self.shares), 1, order);
    }
}

#[cfg(test)]
mod tests;
