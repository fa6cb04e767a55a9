//! DVAE: VaDE with a classifier for the responsibilities and a loss on how near rows of one cluster are.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::activation;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::similarity::{Similarity, SimilarityNorm};
use super::variational::{self, Likelihood, Posterior, Variational};
use super::{
    Check, Context, Inference, Objective, Parameters, Pass, Schedule, Seating, Shape, Stage, Views, permute_rows,
};
use crate::network::{Activation, Adam, AdamSettings, Device, Layout, Perceptron, Tensor, matrix, values};
use crate::stats::kmeans;

/// Steps in which the classifier learns the labels of k-means.
const LESSONS: usize = 1_000;
/// Rows per step of these.
const LESSON_ROWS: usize = 256;
/// Learning rate of these.
const LESSON_RATE: f32 = 2e-2;

/// `[objective]` of `objective = "dvae"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DvaeParameters {
    /// What features are.
    pub likelihood: Likelihood,
    /// Variance of a feature given its code if Gaussian: the smaller, the more reconstruction counts.
    pub variance: f64,
    /// Share of a fresh fit in which the autoencoder learns alone, before k-means seats the clusters.
    pub pretraining: f64,
    /// Probability that pretraining drops a feature of a row before it is encoded, to be given back whole (Vincent et al. 2008).
    pub denoise: f64,
    /// Learning rate of a fresh fit.
    pub rate: f64,
    /// How much faster the mixture learns than the networks.
    pub mixture_rate: f64,
    /// Share of the clustering stage in which the weight of the divergence from the prior rises from 0 to 1; 0 as published.
    pub kl_warmup: f64,
    /// Weight of the similarity loss.
    pub beta: f64,
    /// Share of the clustering stage after which the similarity loss is on.
    pub similarity_after: f64,
    /// How the similarity loss is scaled; `literal` is too weak to change anything.
    pub similarity_norm: SimilarityNorm,
    /// Similarities are divided by it before the softmax; 1 as printed, below 1 rows are not compared with themselves.
    pub temperature: f64,
    /// Whether the similarity loss moves the classifier too.
    pub through_weights: bool,
}

impl Default for DvaeParameters {
    fn default() -> Self {
        Self {
            likelihood: Likelihood::Gaussian,
            variance: 0.1,
            pretraining: 0.4,
            denoise: 0.0,
            rate: 2e-3,
            mixture_rate: 1.0,
            kl_warmup: 0.0,
            beta: 1.0,
            similarity_after: 0.2,
            similarity_norm: SimilarityNorm::Mean,
            temperature: 0.1,
            through_weights: false,
        }
    }
}

impl Parameters for DvaeParameters {
    const NAME: &'static str = "dvae";

    fn check(&self, _shape: &Shape, check: &mut Check) {
        check.positive("variance", self.variance);
        check.share("pretraining", self.pretraining);
        check.share("denoise", self.denoise);
        check.positive("rate", self.rate);
        check.positive("mixture_rate", self.mixture_rate);
        check.share("kl_warmup", self.kl_warmup);
        check.not_negative("beta", self.beta);
        check.share("similarity_after", self.similarity_after);
        check.within("temperature", self.temperature, "from 0.002 to 1", |v| (0.002..=1.0).contains(&v));
    }

    fn build(&self, shape: &Shape) -> Arc<dyn Objective> {
        Arc::new(Dvae::new(shape, self.clone()))
    }
}

/// Ma (2022), equation 3.14, with a classifier `h` for the responsibilities:
///
/// ```text
/// z_i = m̃_i + σ̃_i·ε_i     γ_i = softmax(h(z_i))
/// L = 1/B·Σ_i [ -ln p(x_i|z_i) + KL(q(z|x_i)·γ_i ‖ p(c)·p(z|c)) ] + β·L_sim
/// ```
///
/// `L_sim` compares each row with all rows of the batch, those of other workers through their evidence
/// `[γ_i, m̃_i, σ̃_i]`; its gradient is exact on any number of workers.
///
/// Differences from the paper: `L_sim` is a mean over rows with a temperature unless `similarity_norm = "literal"` and
/// `temperature = 1` say otherwise (as printed its gradient is below a thousandth of the prior's); `w_ij` is a constant of the
/// step unless `through_weights`; shares `π` start at those of k-means and are trained; the classifier learns k-means labels by
/// cross-entropy on its logits.
#[derive(Clone, Debug)]
pub struct Dvae {
    parameters: DvaeParameters,
    layout: Layout,
    model: Variational,
    classifier: Perceptron,
    similarity: Similarity,
}

/// Layers of the classifier: one if there are as many clusters as the code has dimensions, else one more of the clusters' number.
fn classifier(layout: &mut Layout, shape: &Shape) -> Perceptron {
    let (width, clusters) = (shape.embedding, shape.clusters);
    let widths = if clusters < width { vec![width, clusters, clusters] } else { vec![width, clusters] };
    Perceptron::new(layout, &widths, Activation::Relu)
}

impl Dvae {
    /// The networks `features → hidden… → embedding` and back with a mixture and a classifier between.
    #[must_use]
    pub fn new(shape: &Shape, parameters: DvaeParameters) -> Self {
        let mut layout = Layout::default();
        let DvaeParameters { likelihood, variance, mixture_rate, .. } = parameters;
        let model = Variational::new(&mut layout, shape, likelihood, variance, mixture_rate);
        let classifier = classifier(&mut layout, shape);
        let similarity = Similarity {
            norm: parameters.similarity_norm,
            temperature: parameters.temperature,
            through_weights: parameters.through_weights,
            clusters: shape.clusters,
            width: shape.embedding,
        };
        Self { parameters, layout, model, classifier, similarity }
    }

    /// What adds up to the similarity loss, as far as slopes go: it is linear in the slice once the whole batch is known.
    fn similarity(&self, pass: &Pass, evidence: &[f32], slices: [Range<usize>; 2]) -> Tensor<1> {
        let slopes = self.similarity.slopes(evidence, slices);
        let (own, device) = (pass.embedding.dims()[0], pass.embedding.device());
        let codes = Tensor::cat(vec![pass.embedding.clone(), Posterior::of(pass).deviation()], 1);
        let similarity = (codes * matrix(slopes.codes, own, 2 * self.model.width(), &device)).sum();
        if !self.parameters.through_weights {
            return similarity;
        }
        let slopes = matrix(slopes.responsibilities, own, self.model.clusters(), &device);
        similarity + (pass.head.clone().exp() * slopes).sum()
    }

    /// Slopes of the bound and of the weighted similarity loss by the mean codes of a batch, codes drawn by the rows' numbers:
    /// `[rows, embedding]` each.
    fn pulls(&self, parameters: &[f32], batch: &Seating<'_>) -> [Vec<f32>; 2] {
        let count = batch.embeddings.len() / self.model.width();
        let device = batch.device.clone().autodiff();
        let matrices = self.layout.tensors(parameters, &device);
        let rows = matrix(batch.rows.to_vec(), count, batch.rows.len() / count.max(1), &device);
        let seeds: Vec<u64> = (0..count as u64).collect();
        let Posterior { mean, logarithm } = self.model.encode(&matrices, rows.clone());
        // A graph from the mean codes onwards; each of the two is differentiated once.
        let pull = |loss: &dyn Fn(&Pass) -> Tensor<1>| {
            let posterior =
                Posterior { mean: mean.clone().detach().require_grad(), logarithm: logarithm.clone().detach() };
            let codes = posterior.sample(&seeds);
            let head = activation::log_softmax(self.classifier.forward(&matrices, codes.clone()), 1);
            let extra = vec![posterior.logarithm, codes];
            let pass = Pass { input: rows.clone(), embedding: posterior.mean, head, extra };
            let slopes = pass.embedding.grad(&loss(&pass).backward());
            slopes.map_or_else(|| vec![0.0; count * self.model.width()], values)
        };
        let bound = pull(&|pass| {
            let reconstruction = self.model.reconstruction(&matrices, pass.input.clone(), pass.extra[1].clone());
            (reconstruction + self.model.divergence(&matrices, &Posterior::of(pass), &pass.head)) / count as f64
        });
        let similarity = pull(&|pass| {
            let all = self.similarity(pass, &self.evidence(pass), [0..count, count..count]);
            all * self.parameters.beta
        });
        [bound, similarity]
    }

    /// Trains a classifier to tell `labels` from `codes` and puts it in its place. It learns on codes moved to mean 0 and brought
    /// to one size, which its first layer then undoes.
    fn teach(&self, parameters: &mut [f32], codes: &[f32], labels: &[u32], device: &Device, rng: &mut ChaCha8Rng) {
        let (width, clusters) = (self.model.width(), self.model.clusters());
        let (mean, scale) = centre_and_scale(codes, width);
        let shape = Shape { features: 0, encoder: Vec::new(), embedding: width, clusters };
        let mut layout = Layout::default();
        let pupil = classifier(&mut layout, &shape);
        let mut learned = layout.draw(rng);
        let mut adam = Adam::new(learned.len(), AdamSettings { decay: 0.0, ..AdamSettings::default() });
        let device = device.clone().autodiff();
        for lesson in 0..LESSONS {
            let mut rows = Vec::with_capacity(LESSON_ROWS * width);
            let mut truth = vec![0.0; LESSON_ROWS * clusters];
            for line in truth.chunks_exact_mut(clusters) {
                let i = rng.random_range(0..labels.len());
                rows.extend(codes[i * width..(i + 1) * width].iter().zip(&mean).map(|(x, m)| (x - m) / scale));
                line[labels[i] as usize] = 1.0;
            }
            let leaves = layout.leaves(&learned, &device);
            let logits = pupil.forward(&leaves, matrix(rows, LESSON_ROWS, width, &device));
            let truth = matrix(truth, LESSON_ROWS, clusters, &device);
            let loss = -(activation::log_softmax(logits, 1) * truth).sum() / LESSON_ROWS as f64;
            let rate = LESSON_RATE * (1.0 - lesson as f32 / LESSONS as f32);
            adam.step(&mut learned, &layout.gradient(&loss, &leaves), &layout.rates(), rate);
        }
        if let Some((weight, bias)) = pupil.layers().first() {
            layout.part_mut(&mut learned, *weight).iter_mut().for_each(|w| *w /= scale);
            let weights = layout.part(&learned, *weight).to_vec();
            let biases = layout.part_mut(&mut learned, *bias);
            for (line, m) in weights.chunks_exact(biases.len()).zip(&mean) {
                biases.iter_mut().zip(line).for_each(|(bias, w)| *bias -= w * m);
            }
        }
        for ((weight, bias), (own_weight, own_bias)) in pupil.layers().iter().zip(self.classifier.layers()) {
            self.layout.part_mut(parameters, *own_weight).copy_from_slice(layout.part(&learned, *weight));
            self.layout.part_mut(parameters, *own_bias).copy_from_slice(layout.part(&learned, *bias));
        }
    }
}

/// Mean of codes, and the root of their mean squared distance from it per dimension.
fn centre_and_scale(codes: &[f32], width: usize) -> (Vec<f32>, f32) {
    let mut sums = vec![0.0f64; width];
    for code in codes.chunks_exact(width) {
        sums.iter_mut().zip(code).for_each(|(sum, x)| *sum += f64::from(*x));
    }
    let mean: Vec<f32> = sums.iter().map(|sum| (sum / (codes.len() / width) as f64) as f32).collect();
    let square = |code: &[f32]| code.iter().zip(&mean).map(|(x, m)| f64::from(x - m).powi(2)).sum::<f64>();
    let variance = codes.chunks_exact(width).map(square).sum::<f64>() / codes.len() as f64;
    (mean, (variance.sqrt() as f32).max(1e-6))
}

/// Sizes and per-dimension variances of labelled groups around their centres: `[clusters]`, `[clusters, width]`.
fn spread(codes: &[f32], labels: &[u32], centres: &[f32], width: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut sizes, mut sums) = (vec![0.0; centres.len() / width], vec![0.0; centres.len()]);
    for (code, label) in codes.chunks_exact(width).zip(labels) {
        let k = *label as usize;
        sizes[k] += 1.0;
        let centre = &centres[k * width..(k + 1) * width];
        for ((sum, a), b) in sums[k * width..(k + 1) * width].iter_mut().zip(code).zip(centre) {
            *sum += f64::from(a - b).powi(2);
        }
    }
    for (line, size) in sums.chunks_exact_mut(width).zip(&sizes) {
        line.iter_mut().for_each(|sum| *sum /= f64::max(*size - 1.0, 1.0));
    }
    (sizes, sums)
}

impl Objective for Dvae {
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
        AdamSettings { decay: 0.0, ..AdamSettings::default() }
    }

    fn schedule(&self) -> Schedule {
        let DvaeParameters { pretraining, denoise, rate, .. } = self.parameters;
        variational::schedule(pretraining, denoise, rate)
    }

    fn infer(&self, matrices: &[Tensor<2>], rows: Tensor<2>) -> Inference {
        let embedding = self.model.encode(matrices, rows).mean;
        let scores = activation::log_softmax(self.classifier.forward(matrices, embedding.clone()), 1);
        Inference { scores, distances: self.model.distances(matrices, &embedding), embedding }
    }

    /// `head`: `ln γ`; `extra`: `ln σ̃²` and `z`.
    fn forward(&self, leaves: &[Tensor<2>], rows: Tensor<2>, seeds: &[u64]) -> Pass {
        self.model.forward(leaves, rows, seeds, |codes| self.classifier.forward(leaves, codes.clone()))
    }

    fn evidence_width(&self) -> usize {
        self.similarity.line()
    }

    fn evidence(&self, pass: &Pass) -> Vec<f32> {
        let lines = vec![pass.head.clone().exp(), pass.embedding.clone(), Posterior::of(pass).deviation()];
        values(Tensor::cat(lines, 1).inner())
    }

    fn loss(&self, leaves: &[Tensor<2>], pass: &Pass, context: &Context<'_>) -> Tensor<1> {
        let bound = self.model.loss(leaves, pass, context, self.parameters.kl_warmup);
        let early = context.stage == Stage::Pretraining || context.progress < self.parameters.similarity_after;
        if self.parameters.beta == 0.0 || early {
            return bound;
        }
        let second = context.pairs + context.slice.start..context.pairs + context.slice.end;
        let slices = [context.slice.clone(), second];
        bound + self.similarity(pass, context.evidence, slices) * self.parameters.beta
    }

    fn seat(&self, parameters: &mut [f32], seating: &Seating<'_>, rng: &mut ChaCha8Rng) {
        let codes = seating.embeddings;
        let width = self.model.width();
        let found = kmeans::fit(codes, width, self.model.clusters(), 20, rng);
        let (sizes, variances) = spread(codes, &found.labels, &found.centroids, width);
        let total: f64 = sizes.iter().sum();
        let shares: Vec<f64> = sizes.iter().map(|size| size / total).collect();
        let means: Vec<f64> = found.centroids.iter().map(|value| f64::from(*value)).collect();
        self.model.seat(&self.layout, parameters, &shares, &means, &variances);
        self.teach(parameters, codes, &found.labels, seating.device, rng);
    }

    /// `similarity_pull`: how strongly the similarity loss draws at the mean codes of a batch, in units of how strongly the bound does,
    /// whether it is on yet or not:
    ///
    /// ```text
    /// β·‖∂L_sim/∂m̃‖ / ‖∂bound/∂m̃‖
    /// ```
    fn figures(&self, parameters: &[f32], batch: &Seating<'_>) -> Vec<(&'static str, f64)> {
        let norm = |pull: &[f32]| pull.iter().map(|slope| f64::from(*slope).powi(2)).sum::<f64>().sqrt();
        let [bound, similarity] = self.pulls(parameters, batch);
        vec![("similarity_pull", norm(&similarity) / norm(&bound).max(f64::MIN_POSITIVE))]
    }

    fn renumber(&self, parameters: &mut [f32], order: &[usize]) {
        self.model.renumber(&self.layout, parameters, order);
        if let Some((weight, bias)) = self.classifier.layers().last() {
            permute_rows(self.layout.part_mut(parameters, *bias), 1, order);
            for row in self.layout.part_mut(parameters, *weight).chunks_exact_mut(self.model.clusters()) {
                permute_rows(row, 1, order);
            }
        }
    }
}

#[cfg(test)]
mod tests;
