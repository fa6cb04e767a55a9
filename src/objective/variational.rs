//! A variational autoencoder whose codes have a Gaussian mixture as their prior: what VaDE and DVAE share.

use burn::tensor::activation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::draws::normals;
use super::{Context, Pass, Schedule, Shape, Stage, permute_rows, squared_distances};
use crate::network::{Activation, Init, Layout, Perceptron, Tensor, matrix};

/// Bounds of a code's log-variance.
const CODE: (f32, f32) = (-8.0, 4.0);
/// Bounds of a cluster's log-variances.
const CLUSTER: (f32, f32) = (-6.0, 4.0);

/// What a feature is, given the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Likelihood {
    /// A real number: squared error over twice the variance.
    Gaussian,
    /// On or off: cross-entropy. Features are cut to 0..1, so scale them with `none` or `minmax`.
    Bernoulli,
}

/// Networks `g: x → (m̃, ln σ̃²)` and `f: z → x̂`, and the prior `Σ_k π_k·N(μ_k, diag σ_k²)` of `z`. `π` is kept as logits,
/// variances as logarithms; both logarithms are held within bounds.
#[derive(Clone, Debug)]
pub(super) struct Variational {
    encoder: Perceptron,
    decoder: Perceptron,
    prior: usize,
    means: usize,
    logarithms: usize,
    likelihood: Likelihood,
    variance: f64,
    clusters: usize,
    width: usize,
}

/// `q(z|x)`, both `[rows, embedding]`.
#[derive(Clone, Debug)]
pub(super) struct Posterior {
    pub mean: Tensor<2>,
    pub logarithm: Tensor<2>,
}

impl Posterior {
    /// That of the rows of a pass of [`Variational::forward`].
    pub fn of(pass: &Pass) -> Self {
        Self { mean: pass.embedding.clone(), logarithm: pass.extra[0].clone() }
    }

    /// `σ̃`
    pub fn deviation(&self) -> Tensor<2> {
        (self.logarithm.clone() * 0.5).exp()
    }

    /// `z = m̃ + σ̃ε`, `ε` drawn for each row from its seed.
    pub fn sample(&self, seeds: &[u64]) -> Tensor<2> {
        let [rows, width] = self.mean.dims();
        self.mean.clone() + self.deviation() * matrix(normals(seeds, width), rows, width, &self.mean.device())
    }
}

impl Variational {
    /// Adds the matrices to `layout`. The mixture learns `mixture_rate` times as fast as the networks.
    pub fn new(layout: &mut Layout, shape: &Shape, likelihood: Likelihood, variance: f64, mixture_rate: f64) -> Self {
        let widths = shape.widths();
        let mirrored: Vec<usize> = widths.iter().rev().copied().collect();
        let (clusters, width) = (shape.clusters, shape.embedding);
        let doubled = [&widths[..widths.len() - 1], &[2 * width]].concat();
        let encoder = Perceptron::new(layout, &doubled, Activation::Relu);
        let decoder = Perceptron::new(layout, &mirrored, Activation::Relu);
        let rate = mixture_rate as f32;
        let prior = layout.push_scaled(1, clusters, Init::Zeros, rate);
        let means = layout.push_scaled(clusters, width, Init::Glorot, rate);
        let logarithms = layout.push_scaled(clusters, width, Init::Zeros, rate);
        Self { encoder, decoder, prior, means, logarithms, likelihood, variance, clusters, width }
    }

    /// `q(z|x)` of rows.
    pub fn encode(&self, matrices: &[Tensor<2>], rows: Tensor<2>) -> Posterior {
        let both = self.encoder.forward(matrices, rows);
        let mean = both.clone().narrow(1, 0, self.width);
        let logarithm = both.narrow(1, self.width, self.width).clamp(CODE.0, CODE.1);
        Posterior { mean, logarithm }
    }

    /// `-Σ_i ln p(x_i|z_i)` without constants, the reconstructions `f(z_i)` being logits if Bernoulli:
    ///
    /// ```text
    /// Gaussian   Σ_ij (x_ij - f_ij)² / (2·variance)
    /// Bernoulli  Σ_ij ln(1 + e^f_ij) - x_ij·f_ij
    /// ```
    pub fn reconstruction(&self, leaves: &[Tensor<2>], rows: Tensor<2>, codes: Tensor<2>) -> Tensor<1> {
        let output = self.decoder.forward(leaves, codes);
        match self.likelihood {
            Likelihood::Gaussian => (output - rows).square().sum() / (2.0 * self.variance),
            Likelihood::Bernoulli => (activation::softplus(output.clone(), 1.0) - rows.clamp(0.0, 1.0) * output).sum(),
        }
    }

    /// Rows with a code drawn for each; `head` is `ln γ` of these codes by `respond`, `extra` is `ln σ̃²` and the codes.
    pub fn forward(
        &self,
        leaves: &[Tensor<2>],
        rows: Tensor<2>,
        seeds: &[u64],
        respond: impl FnOnce(&Tensor<2>) -> Tensor<2>,
    ) -> Pass {
        let posterior = self.encode(leaves, rows.clone());
        let codes = posterior.sample(seeds);
        let head = activation::log_softmax(respond(&codes), 1);
        Pass { input: rows, embedding: posterior.mean, head, extra: vec![posterior.logarithm, codes] }
    }

    /// The slice's part of the loss per row of the batch: the reconstruction from the mean code while pretraining, then the
    /// negative evidence bound, whose divergence counts fully after `warmup` of the stage and less before:
    ///
    /// ```text
    /// -ln p(x|z) + min(progress / warmup, 1)·KL
    /// ```
    pub fn loss(&self, leaves: &[Tensor<2>], pass: &Pass, context: &Context<'_>, warmup: f64) -> Tensor<1> {
        let rows = 2.0 * context.pairs as f64;
        if context.stage == Stage::Pretraining {
            return self.reconstruction(leaves, pass.input.clone(), pass.embedding.clone()) / rows;
        }
        let reconstruction = self.reconstruction(leaves, pass.input.clone(), pass.extra[1].clone());
        let divergence = self.divergence(leaves, &Posterior::of(pass), &pass.head);
        let divergence = if context.progress < warmup { divergence * (context.progress / warmup) } else { divergence };
        (reconstruction + divergence) / rows
    }

    /// `ln π`: `[1, clusters]`
    fn log_shares(&self, matrices: &[Tensor<2>]) -> Tensor<2> {
        activation::log_softmax(matrices[self.prior].clone(), 1)
    }

    fn logarithms(&self, matrices: &[Tensor<2>]) -> Tensor<2> {
        matrices[self.logarithms].clone().clamp(CLUSTER.0, CLUSTER.1)
    }

    /// `½·Σ_m (ln σ²_km + (spread_im + (c_im - μ_km)²)/σ²_km)`: `[rows, clusters]`. Differences are taken before squares,
    /// since codes may lie far from 0.
    fn energy(&self, matrices: &[Tensor<2>], codes: &Tensor<2>, spread: Option<Tensor<2>>) -> Tensor<2> {
        let logarithms = self.logarithms(matrices);
        let precision = (-logarithms.clone()).exp();
        let between = codes.clone().unsqueeze_dim::<3>(1) - matrices[self.means].clone().unsqueeze_dim::<3>(0);
        let lengths = (between.square() * precision.clone().unsqueeze_dim::<3>(0)).sum_dim(2).squeeze_dim::<2>(2);
        let fixed = logarithms.sum_dim(1).transpose();
        let total = match spread {
            Some(spread) => lengths + spread.matmul(precision.transpose()),
            None => lengths,
        };
        (total + fixed) * 0.5
    }

    /// `ln π_k + ln N(z_i; μ_k, σ_k²)` up to a constant: `[rows, clusters]`.
    pub fn log_joint(&self, matrices: &[Tensor<2>], codes: &Tensor<2>) -> Tensor<2> {
        self.log_shares(matrices) - self.energy(matrices, codes, None)
    }

    /// `Σ_i KL(q(z|x_i)·γ_i ‖ p(c)·p(z|c))` (Jiang et al. 2017, equation 12; Ma 2022, equation 3.6), up to a constant:
    ///
    /// ```text
    /// Σ_k γ_ik·½·Σ_m (ln σ²_km + (σ̃²_im + (m̃_im - μ_km)²)/σ²_km) + Σ_k γ_ik·(ln γ_ik - ln π_k) - ½·Σ_m (1 + ln σ̃²_im)
    /// ```
    pub fn divergence(&self, leaves: &[Tensor<2>], posterior: &Posterior, log_gamma: &Tensor<2>) -> Tensor<1> {
        let energy = self.energy(leaves, &posterior.mean, Some(posterior.logarithm.clone().exp()));
        let per_cluster = energy + log_gamma.clone() - self.log_shares(leaves);
        (log_gamma.clone().exp() * per_cluster).sum() - (posterior.logarithm.clone() + 1.0).sum() * 0.5
    }

    /// Distance of codes to the means: `[rows, clusters]`.
    pub fn distances(&self, matrices: &[Tensor<2>], codes: &Tensor<2>) -> Tensor<2> {
        squared_distances(codes.clone(), matrices[self.means].clone()).sqrt()
    }

    /// Puts the clusters where a mixture fitted to the codes has them.
    pub fn seat(&self, layout: &Layout, parameters: &mut [f32], shares: &[f64], means: &[f64], variances: &[f64]) {
        let fill = |part: &mut [f32], values: &mut dyn Iterator<Item = f64>| {
            part.iter_mut().zip(values).for_each(|(part, value)| *part = value as f32);
        };
        fill(layout.part_mut(parameters, self.prior), &mut shares.iter().map(|share| share.max(1e-6).ln()));
        fill(layout.part_mut(parameters, self.means), &mut means.iter().copied());
        let (low, high) = (f64::from(CLUSTER.0), f64::from(CLUSTER.1));
        let logarithms = &mut variances.iter().map(|variance| variance.max(f64::MIN_POSITIVE).ln().clamp(low, high));
        fill(layout.part_mut(parameters, self.logarithms), logarithms);
    }

    /// New cluster `k` is the old `order[k]`.
    pub fn renumber(&self, layout: &Layout, parameters: &mut [f32], order: &[usize]) {
        permute_rows(layout.part_mut(parameters, self.prior), 1, order);
        permute_rows(layout.part_mut(parameters, self.means), self.width, order);
        permute_rows(layout.part_mut(parameters, self.logarithms), self.width, order);
    }

    /// Number of clusters.
    pub fn clusters(&self) -> usize {
        self.clusters
    }

    /// Width of a code.
    pub fn width(&self) -> usize {
        self.width
    }
}

/// Pretraining, then the method at `rate`; clusters are seated on more rows than usual, because variances are estimated too.
pub fn schedule(pretraining: f64, denoise: f64, rate: f64) -> Schedule {
    Schedule { pretraining, denoise, rate: rate as f32, seating_rows: 10_000, ..Schedule::default() }
}

#[cfg(test)]
mod tests;
