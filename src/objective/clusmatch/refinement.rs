//! The wrapper and its loss.

use std::sync::Arc;

use burn::tensor::activation;
use rand_chacha::ChaCha8Rng;

use super::ClusMatchParameters;
use super::reading::Reading;
use super::space::{self, Viewpoint};
use super::thresholds::Thresholds;
use crate::network::{AdamSettings, Layout, Tensor, matrix, values};
use crate::objective::{Context, Inference, Objective, Pass, Schedule, Seating, Stage, Views, permute_rows};
use crate::stats::{maximum_matching, spherical};

/// Wu, Li, Sun, Yin, Nie and Lin (2025) on top of any method.
///
/// ```text
/// p_i, s_i: probabilities of the weak and of the strong view      c_i = argmax p_i      k_i: k-means label
/// M_i = [p_i,c ≥ τ⁺(c_i)]                N_i = { j ≠ c_i, k_i : p_ij < τ⁻(c_i, j) }
/// L = mean_{selected} CE(p_i, k_i)
///   + 1/B·Σ_i M_i·CE(s_i; w_u·[c_i] + w_k·[k_i])  -  w_n/B·Σ_i ln max(1 - Σ_{j∈N_i} s_ij, 1e-8)  +  w_e·fairness
/// ```
///
/// Probabilities are the softmax of the refined method's own scores. Its matrices come first in the layout; an average of
/// them, kept as state, labels rows by the nearest k-means centroid and is what [`infer`](Objective::infer) uses.
///
/// Differences from the paper: no new head; rows are selected anew with the centroids, by radii that hold equally many rows of
/// each cluster, instead of once; centroids follow the stream between two k-means; thresholds start from the pool, and those of
/// absent classes stay; momenta fit hundreds of steps, not 65,536.
pub struct ClusMatch {
    pub(super) parameters: ClusMatchParameters,
    inner: Arc<dyn Objective>,
    layout: Layout,
    /// Matrices of the refined method; as many more are their average.
    matrices: usize,
    pub(super) clusters: usize,
    pub(super) embedding: usize,
    pub(super) slots: Slots,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Slots {
    pub(super) confusion: usize,
    pub(super) probability: usize,
    pub(super) shares: usize,
    pub(super) viewpoint: usize,
    pub(super) centroids: usize,
    pub(super) counts: usize,
    pub(super) radii: usize,
    pub(super) gate: usize,
}

/// The state, as a batch finds it.
pub(super) struct State<'a> {
    pub(super) confusion: &'a [f32],
    pub(super) probability: &'a [f32],
    pub(super) shares: &'a [f32],
    pub(super) viewpoint: Viewpoint,
    pub(super) centroids: &'a [f32],
    pub(super) radii: &'a [f32],
}

impl<'a> State<'a> {
    pub(super) fn read(method: &ClusMatch, parameters: &'a [f32]) -> Self {
        let part = |slot| method.layout.part(parameters, slot);
        let slots = &method.slots;
        Self {
            confusion: part(slots.confusion),
            probability: part(slots.probability),
            shares: part(slots.shares),
            viewpoint: Viewpoint { values: part(slots.viewpoint).to_vec() },
            centroids: part(slots.centroids),
            radii: part(slots.radii),
        }
    }
}

/// Starts of k-means at a review, beside the one from the network's own clusters.
const RESTARTS: usize = 5;
/// How fast radii follow the share of rows within them.
const RADIUS_RATE: f32 = 0.05;

impl ClusMatch {
    /// Refines `inner`, whose embeddings have `embedding` dimensions.
    #[must_use]
    pub fn new(inner: Arc<dyn Objective>, embedding: usize, parameters: ClusMatchParameters) -> Self {
        let mut layout = inner.layout().clone();
        let clusters = inner.clusters();
        let matrices = layout.push_average();
        let even = 1.0 / clusters as f32;
        let slots = Slots {
            confusion: layout.push_state(clusters, clusters, even),
            probability: layout.push_state(1, clusters, even),
            shares: layout.push_state(1, clusters, even),
            viewpoint: layout.push_state(1, embedding + 1, 0.0),
            centroids: layout.push_state(clusters, embedding + 1, 0.0),
            counts: layout.push_state(1, clusters, 0.0),
            radii: layout.push_state(1, clusters, -1.0),
            gate: layout.push_state(1, 2, 1.0),
        };
        Self { parameters, inner, layout, matrices, clusters, embedding, slots }
    }

    /// Numbers of the refined method; as many more are their average.
    pub(super) fn width(&self) -> usize {
        self.inner.layout().len()
    }

    /// A line of evidence: probabilities, embedding, and embedding by the average network (nothing for strong views).
    pub(super) fn line<'a>(&self, evidence: &'a [f32], row: usize) -> (&'a [f32], &'a [f32], &'a [f32]) {
        let line = &evidence[row * self.evidence_width()..(row + 1) * self.evidence_width()];
        let (probabilities, rest) = line.split_at(self.clusters);
        let (own, averaged) = rest.split_at(self.embedding);
        (probabilities, own, averaged)
    }

    fn average_like_the_network(&self, parameters: &mut [f32]) {
        parameters.copy_within(..self.width(), self.width());
    }

    fn set(&self, parameters: &mut [f32], slot: usize, values: &[f32]) {
        self.layout.part_mut(parameters, slot).copy_from_slice(values);
    }

    /// Softmax scores and embeddings of rows by the average network.
    fn averaged(&self, parameters: &[f32], seating: &Seating<'_>) -> (Vec<f32>, Vec<f32>) {
        let count = seating.embeddings.len() / self.embedding;
        let matrices = self.layout.tensors(parameters, seating.device);
        let rows = matrix(seating.rows.to_vec(), count, seating.rows.len() / count.max(1), seating.device);
        let inference = self.infer(&matrices, rows);
        (values(activation::softmax(inference.scores, 1)), values(inference.embedding))
    }
}

impl Objective for ClusMatch {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn clusters(&self) -> usize {
        self.clusters
    }

    fn in_stage(&self, stage: Stage) -> Option<&dyn Objective> {
        (stage != Stage::Refining).then_some(self.inner.as_ref())
    }

    fn views(&self) -> Views {
        self.parameters.views()
    }

    fn view_strength(&self, parameters: &[f32]) -> f32 {
        self.layout.part(parameters, self.slots.gate)[1]
    }

    fn adam(&self) -> AdamSettings {
        self.inner.adam()
    }

    fn schedule(&self) -> Schedule {
        let inner = self.inner.schedule();
        let share = self.parameters.share;
        Schedule {
            pretraining: inner.pretraining * (1.0 - share),
            refining: share,
            review_steps: self.parameters.review_steps,
            ..inner
        }
    }

    fn infer(&self, matrices: &[Tensor<2>], rows: Tensor<2>) -> Inference {
        self.inner.infer(&matrices[self.matrices..], rows)
    }

    fn forward(&self, leaves: &[Tensor<2>], rows: Tensor<2>, _seeds: &[u64]) -> Pass {
        let own = self.inner.infer(leaves, rows.clone());
        let half = rows.dims()[0] / 2;
        let averages: Vec<Tensor<2>> = leaves.iter().map(|leaf| leaf.clone().inner()).collect();
        let averaged = self.infer(&averages, rows.clone().inner().narrow(0, 0, half)).embedding;
        Pass { input: rows, embedding: own.embedding, head: own.scores, extra: vec![averaged] }
    }

    fn evidence_width(&self) -> usize {
        self.clusters + 2 * self.embedding
    }

    fn evidence(&self, pass: &Pass) -> Vec<f32> {
        let probabilities = values(activation::softmax(pass.head.clone().inner(), 1));
        let own = values(pass.embedding.clone().inner());
        let mut averaged = pass.extra.first().map(|z| values(z.clone())).unwrap_or_default();
        averaged.resize(own.len(), 0.0);
        let width = self.embedding;
        let lines = probabilities.chunks_exact(self.clusters).zip(own.chunks_exact(width));
        lines.zip(averaged.chunks_exact(width)).flat_map(|((p, z), a)| [p, z, a].concat()).collect()
    }

    fn loss(&self, _leaves: &[Tensor<2>], pass: &Pass, context: &Context<'_>) -> Tensor<1> {
        let reading = Reading::of(self, context);
        let (clusters, own) = (self.clusters, context.slice.len());
        let device = pass.head.device();
        let ClusMatchParameters { supervised, positive, kmeans, negative, fairness, .. } = self.parameters;
        let count = |flags: &[bool]| flags.iter().filter(|f| **f).count().max(1) as f32;
        let (selected, confident) = (count(&reading.selected), count(&reading.confident));
        let mut labelled = vec![0.0; own * clusters];
        let (mut wanted, mut excluded, mut slopes) = (labelled.clone(), labelled.clone(), labelled.clone());
        for (at, row) in context.slice.clone().enumerate() {
            let line = at * clusters;
            if reading.selected[row] {
                labelled[line + reading.labels[row]] = supervised as f32 / selected;
            }
            if reading.confident[row] {
                wanted[line + reading.classes[row]] += (positive / context.pairs as f64) as f32;
                wanted[line + reading.labels[row]] += (kmeans / context.pairs as f64) as f32;
                let slope = reading.fairness.iter().map(|f| fairness as f32 * f / confident);
                slopes[line..].iter_mut().zip(slope).for_each(|(out, slope)| *out = slope);
            }
            for (cluster, p) in self.line(context.evidence, row).0.iter().enumerate() {
                excluded[line + cluster] = f32::from(reading.excluded(row, cluster, *p));
            }
        }
        let constant = |values| matrix(values, own, clusters, &device);
        let weak = activation::log_softmax(pass.head.clone().narrow(0, 0, own), 1);
        let strong = pass.head.clone().narrow(0, own, own);
        let log_strong = activation::log_softmax(strong.clone(), 1);
        let strong = activation::softmax(strong, 1);
        let remaining = -(strong.clone() * constant(excluded)).sum_dim(1) + 1.0;
        let negative = remaining.clamp_min(1e-8).log().sum() * (negative / context.pairs as f64);
        (strong * constant(slopes)).sum()
            - (weak * constant(labelled)).sum()
            - (log_strong * constant(wanted)).sum()
            - negative
    }

    fn code_temperature(&self) -> Option<f32> {
        self.inner.code_temperature()
    }

    fn seat(&self, parameters: &mut [f32], seating: &Seating<'_>, rng: &mut ChaCha8Rng) {
        self.inner.seat(&mut parameters[..self.width()], seating, rng);
        self.average_like_the_network(parameters);
    }

    fn seat_groups(&self, parameters: &mut [f32], embeddings: &[f32], groups: &[u32]) {
        self.inner.seat_groups(&mut parameters[..self.width()], embeddings, groups);
        self.average_like_the_network(parameters);
    }

    /// k-means of the pool; its clusters take the numbers of the network's own clusters that they share most rows with.
    fn review(&self, parameters: &mut [f32], seating: &Seating<'_>, rng: &mut ChaCha8Rng) {
        let (probabilities, embeddings) = self.averaged(parameters, seating);
        let (clusters, width) = (self.clusters, self.embedding + 1);
        let count = embeddings.len() / self.embedding;
        if count == 0 {
            return;
        }
        let lines = || probabilities.chunks_exact(clusters);
        let class = |p: &[f32]| (0..clusters).rev().max_by(|a, b| p[*a].total_cmp(&p[*b])).unwrap_or(0);
        let classes: Vec<usize> = lines().map(class).collect();
        let viewpoint = Viewpoint::of(&embeddings, self.embedding);
        let directions = viewpoint.directions(&embeddings);
        let mut own = vec![0.0; clusters * width];
        for (direction, class) in directions.chunks_exact(width).zip(&classes) {
            own[class * width..].iter_mut().zip(direction).for_each(|(s, d)| *s += d);
        }
        own.chunks_exact_mut(width).for_each(spherical::normalise);
        let solution = spherical::fit(&directions, width, clusters, vec![own], RESTARTS, rng);
        let mut shared = vec![0i64; clusters * clusters];
        solution.labels.iter().zip(&classes).for_each(|(k, c)| shared[c * clusters + *k as usize] += 1);
        let order: Vec<usize> = maximum_matching(&shared, clusters, clusters).into_iter().flatten().collect();
        let mut centroids = solution.centroids;
        permute_rows(&mut centroids, width, &order);

        let nearest = directions.chunks_exact(width).map(|d| spherical::nearest(d, &centroids));
        let (labels, distances): (Vec<usize>, Vec<f32>) = nearest.map(|(k, cosine)| (k, 1.0 - cosine)).unzip();
        let taken = (self.parameters.selection * count as f64 / clusters as f64) as usize;
        let radii = space::radii(&labels, &distances, clusters, taken.max(1));
        let mut counts = vec![0.0f32; clusters];
        labels.iter().for_each(|k| counts[*k] += 1.0);
        if self.layout.part(parameters, self.slots.counts).iter().all(|n| *n == 0.0) {
            let mut thresholds = Thresholds::new(self.layout.part(parameters, self.slots.confusion), clusters);
            thresholds.renew(classes.iter().copied().zip(lines()), 0.0);
            self.set(parameters, self.slots.confusion, thresholds.confusion());
        }
        self.set(parameters, self.slots.viewpoint, &viewpoint.values);
        self.set(parameters, self.slots.centroids, &centroids);
        self.set(parameters, self.slots.counts, &counts);
        self.set(parameters, self.slots.radii, &radii);
    }

    fn figures(&self, parameters: &[f32], batch: &Seating<'_>) -> Vec<(&'static str, f64)> {
        self.inner.figures(&parameters[..self.width()], batch)
    }

    fn settle(&self, parameters: &mut [f32], context: &Context<'_>) {
        let width = self.width();
        if context.stage != Stage::Refining {
            let context = Context { parameters: &context.parameters[..width], ..context.clone() };
            self.inner.settle(&mut parameters[..width], &context);
            return self.average_like_the_network(parameters);
        }
        let (network, rest) = parameters.split_at_mut(width);
        self.inner.layout().average(&mut rest[..width], network, self.parameters.momentum());

        let reading = Reading::of(self, context);
        let (clusters, pairs) = (self.clusters, context.pairs);
        self.set(parameters, self.slots.confusion, reading.thresholds.confusion());
        self.set(parameters, self.slots.probability, &reading.running[0]);
        self.set(parameters, self.slots.shares, &reading.running[1]);

        let mut counts = self.layout.part(parameters, self.slots.counts).to_vec();
        let centroids = self.layout.part_mut(parameters, self.slots.centroids);
        space::follow(centroids, &mut counts, &reading.directions, &reading.labels);
        self.set(parameters, self.slots.counts, &counts);

        let radii = self.layout.part_mut(parameters, self.slots.radii);
        for (k, radius) in radii.iter_mut().enumerate() {
            let members = reading.labels.iter().filter(|label| **label == k).count() as f32;
            let within = (0..pairs).filter(|i| reading.labels[*i] == k && reading.selected[*i]).count() as f32;
            // As many rows of every cluster: of a large one a smaller share.
            let wanted =
                members * (self.parameters.selection as f32 / (clusters as f32 * reading.running[1][k])).min(1.0);
            *radius *= (RADIUS_RATE * (wanted - within) * clusters as f32 / pairs.max(1) as f32).exp();
        }

        let views = |start: usize| -> Vec<f32> {
            (0..pairs).flat_map(|i| self.line(context.evidence, start + i).1).copied().collect()
        };
        let agreement = super::gate::agreement(&views(0), &views(pairs), &reading.labels, self.embedding, clusters);
        let gate = self.layout.part_mut(parameters, self.slots.gate);
        super::gate::renew(gate, agreement, self.parameters.agreement as f32);
    }

    fn renumber(&self, parameters: &mut [f32], order: &[usize]) {
        let width = self.width();
        self.inner.renumber(&mut parameters[..width], order);
        self.inner.renumber(&mut parameters[width..2 * width], order);
        let Slots { confusion, probability, shares, centroids, counts, radii, .. } = self.slots;
        for slot in [probability, shares, counts, radii] {
            permute_rows(self.layout.part_mut(parameters, slot), 1, order);
        }
        permute_rows(self.layout.part_mut(parameters, centroids), self.embedding + 1, order);
        let confusion = self.layout.part_mut(parameters, confusion);
        permute_rows(confusion, self.clusters, order);
        confusion.chunks_exact_mut(self.clusters).for_each(|row| permute_rows(row, 1, order));
    }
}
