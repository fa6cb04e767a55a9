//! Adds a clustering method: soft k-means on the code of an autoencoder.
//!
//! ```text
//! z = f(x)     γ = softmax(-‖z - c_k‖²)     L = mean ‖x - g(z)‖² + w · mean Σ_k γ_k ‖z - c_k‖²
//! ```
//!
//! ```text
//! cargo run --release --example own_objective
//! ```

use std::error::Error;
use std::sync::Arc;

use evenkeel::learner::{Fit, Rows};
use evenkeel::network::{Activation, Init, Layout, Perceptron, Tensor, activation, values};
use evenkeel::objective::{
    Context, Disturbance, Inference, Objective, Pass, Schedule, Seating, Second, Shape, Stage, Views,
};
use evenkeel::stats::kmeans;
use rand_chacha::ChaCha8Rng;

/// Weight of the clustering term.
const WEIGHT: f64 = 0.1;

struct SoftKMeans {
    layout: Layout,
    encoder: Perceptron,
    decoder: Perceptron,
    centroids: usize,
    shape: Shape,
}

impl SoftKMeans {
    fn new(shape: Shape) -> Self {
        let mut layout = Layout::default();
        let widths = shape.widths();
        let mirrored: Vec<usize> = widths.iter().rev().copied().collect();
        let encoder = Perceptron::new(&mut layout, &widths, Activation::Relu);
        let decoder = Perceptron::new(&mut layout, &mirrored, Activation::Relu);
        let centroids = layout.push(shape.clusters, shape.embedding, Init::Glorot);
        Self { layout, encoder, decoder, centroids, shape }
    }

    /// Squared distances: `[rows, clusters]`.
    fn squared(&self, matrices: &[Tensor<2>], embedding: Tensor<2>) -> Tensor<2> {
        let centroids = matrices[self.centroids].clone();
        let lengths = embedding.clone().square().sum_dim(1) + centroids.clone().square().sum_dim(1).transpose();
        (lengths - embedding.matmul(centroids.transpose()) * 2.0).clamp_min(0.0)
    }
}

impl Objective for SoftKMeans {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn clusters(&self) -> usize {
        self.shape.clusters
    }

    fn views(&self) -> Views {
        Views { second: Second::Other, disturbances: [Disturbance::default(); 2] }
    }

    fn schedule(&self) -> Schedule {
        Schedule { pretraining: 0.5, ..Schedule::default() }
    }

    fn infer(&self, matrices: &[Tensor<2>], rows: Tensor<2>) -> Inference {
        let embedding = self.encoder.forward(matrices, rows);
        let squared = self.squared(matrices, embedding.clone());
        Inference { embedding, scores: -squared.clone(), distances: squared.sqrt() }
    }

    fn forward(&self, leaves: &[Tensor<2>], rows: Tensor<2>, _seeds: &[u64]) -> Pass {
        let embedding = self.encoder.forward(leaves, rows.clone());
        let head = self.squared(leaves, embedding.clone());
        Pass { input: rows, embedding, head, extra: Vec::new() }
    }

    /// Rows know nothing of one another here; what is gathered is not used.
    fn evidence(&self, pass: &Pass) -> Vec<f32> {
        values(pass.head.clone().inner())
    }

    fn loss(&self, leaves: &[Tensor<2>], pass: &Pass, context: &Context<'_>) -> Tensor<1> {
        let rows = 2.0 * context.pairs as f64;
        let rebuilt = self.decoder.forward(leaves, pass.embedding.clone());
        let error = (rebuilt - pass.input.clone()).square().sum() / rows;
        match context.stage {
            Stage::Pretraining => error,
            _ => error + (activation::softmax(-pass.head.clone(), 1) * pass.head.clone()).sum() * (WEIGHT / rows),
        }
    }

    fn seat(&self, parameters: &mut [f32], seating: &Seating<'_>, rng: &mut ChaCha8Rng) {
        let solution = kmeans::fit(seating.embeddings, self.shape.embedding, self.shape.clusters, 20, rng);
        self.layout.part_mut(parameters, self.centroids).copy_from_slice(&solution.centroids);
    }

    fn renumber(&self, parameters: &mut [f32], order: &[usize]) {
        let centroids = self.layout.part_mut(parameters, self.centroids);
        let (old, width) = (centroids.to_vec(), self.shape.embedding);
        for (centroid, from) in centroids.chunks_exact_mut(width).zip(order) {
            centroid.copy_from_slice(&old[from * width..(from + 1) * width]);
        }
    }
}

/// Fits the method on three groups of rows.
pub fn main() -> Result<(), Box<dyn Error>> {
    let noise = |i: usize, d: usize| ((i * 7919 + d * 104_729) % 1013) as f32 / 1013.0;
    let features: Vec<f32> =
        (0..900).flat_map(|i| (0..6).map(move |d| if d % 3 == i % 3 { 3.0 } else { 0.0 } + noise(i, d))).collect();
    let rows = Rows::new(&features, 6)?;
    let fit = Fit { clusters: 3, encoder: vec![32], embedding: 4, steps: 200, ..Fit::default() };
    let model = fit.run_own(&rows, Arc::new(SoftKMeans::new(fit.shape(6))))?;
    let assignment = model.assign(&rows)?;
    let apart = (3..900).filter(|i| assignment.clusters[*i] != assignment.clusters[i % 3]).count();
    println!("{apart} of 900 rows are not with their group");
    assert!(apart < 20);
    Ok(())
}
