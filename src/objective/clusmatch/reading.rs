//! What the evidence of a batch says, the same on all workers.

use super::fairness::{self, Sides};
use super::refinement::{ClusMatch, State};
use super::thresholds::Thresholds;
use crate::objective::Context;
use crate::stats::spherical;

/// Answers, labels and masks of all rows of a batch.
pub(super) struct Reading {
    /// Thresholds, renewed by this batch.
    pub(super) thresholds: Thresholds,
    /// `c_i`: class of the weak view.
    pub(super) classes: Vec<usize>,
    /// `k_i`: k-means label.
    pub(super) labels: Vec<usize>,
    /// Directions of the embeddings by the average network.
    pub(super) directions: Vec<f32>,
    /// `M_i`: the answer is confident.
    pub(super) confident: Vec<bool>,
    /// The row counts as labelled.
    pub(super) selected: Vec<bool>,
    /// Running mean of the probabilities, and of the shares of classes; renewed by this batch.
    pub(super) running: [Vec<f32>; 2],
    /// What the fairness term adds to the gradient of a confident row's strong probabilities.
    pub(super) fairness: Vec<f32>,
}

/// Class and probability of the class.
fn answer(probabilities: &[f32]) -> (usize, f32) {
    let mut best = (0, f32::NEG_INFINITY);
    for (class, p) in probabilities.iter().enumerate() {
        if *p > best.1 {
            best = (class, *p);
        }
    }
    best
}

impl Reading {
    pub(super) fn of(method: &ClusMatch, context: &Context<'_>) -> Self {
        let state = State::read(method, context.parameters);
        let (clusters, pairs, momentum) = (method.clusters, context.pairs, method.parameters.momentum());
        let weak = |i: usize| method.line(context.evidence, i).0;
        let strong = |i: usize| method.line(context.evidence, pairs + i).0;
        let answers: Vec<(usize, f32)> = (0..pairs).map(|i| answer(weak(i))).collect();
        let classes: Vec<usize> = answers.iter().map(|(class, _)| *class).collect();
        let mut thresholds = Thresholds::new(state.confusion, clusters);
        thresholds.renew((0..pairs).map(|i| (classes[i], weak(i))), momentum);
        let confident: Vec<bool> = answers.iter().map(|(class, p)| *p >= thresholds.positive(*class)).collect();

        let averaged: Vec<f32> = (0..pairs).flat_map(|i| method.line(context.evidence, i).2).copied().collect();
        let directions = state.viewpoint.directions(&averaged);
        let nearest = directions.chunks_exact(method.embedding + 1).map(|d| spherical::nearest(d, state.centroids));
        let (labels, distances): (Vec<usize>, Vec<f32>) = nearest.map(|(k, cosine)| (k, 1.0 - cosine)).unzip();
        let selected: Vec<bool> = labels.iter().zip(&distances).map(|(k, d)| *d <= state.radii[*k]).collect();

        let (probability, shares) = means((0..pairs).map(|i| (classes[i], weak(i))), clusters);
        let blend = |old: &[f32], new: &[f32]| -> Vec<f32> {
            old.iter().zip(new).map(|(o, n)| momentum * o + (1.0 - momentum) * n).collect()
        };
        let running = [blend(state.probability, &probability), blend(state.shares, &shares)];
        let chosen = (0..pairs).filter(|i| confident[*i]).map(|i| (answer(strong(i)).0, strong(i)));
        let (strong_probability, strong_shares) = means(chosen, clusters);
        let fairness = fairness::slopes(Sides {
            weak: &running[0],
            weak_shares: &running[1],
            strong: &strong_probability,
            strong_shares: &strong_shares,
        });
        Self { thresholds, classes, labels, directions, confident, selected, running, fairness }
    }

    /// `j ∈ N_i`: the row is surely not in cluster `j`.
    pub(super) fn excluded(&self, row: usize, cluster: usize, probability: f32) -> bool {
        let class = self.classes[row];
        cluster != class && cluster != self.labels[row] && probability < self.thresholds.negative(class, cluster)
    }
}

/// Mean probabilities of rows and the shares of their classes; zeros without rows.
fn means<'a>(rows: impl Iterator<Item = (usize, &'a [f32])>, clusters: usize) -> (Vec<f32>, Vec<f32>) {
    let (mut probability, mut shares, mut count) = (vec![0.0; clusters], vec![0.0; clusters], 0);
    for (class, probabilities) in rows {
        count += 1;
        shares[class] += 1.0;
        probability.iter_mut().zip(probabilities).for_each(|(s, p)| *s += p);
    }
    let count = count.max(1) as f32;
    probability.iter_mut().chain(&mut shares).for_each(|v| *v /= count);
    (probability, shares)
}
