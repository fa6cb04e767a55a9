//! The mirrored autoencoder that most published methods start from.

use super::{Context, Pass, Shape};
use crate::network::{Activation, Layout, Perceptron, Tensor};

/// An encoder and its mirror image; code and output are linear.
///
/// ```text
/// z = f(x)     features → hidden… → embedding
/// x̂ = g(z)     embedding → …hidden → features
/// ```
#[derive(Clone, Debug)]
pub struct Autoencoder {
    /// `f`
    pub encoder: Perceptron,
    /// `g`
    pub decoder: Perceptron,
}

impl Autoencoder {
    /// Adds the matrices of both halves to `layout`.
    #[must_use]
    pub fn new(layout: &mut Layout, shape: &Shape, activation: Activation) -> Self {
        let widths = shape.widths();
        let mirrored: Vec<usize> = widths.iter().rev().copied().collect();
        let encoder = Perceptron::new(layout, &widths, activation);
        let decoder = Perceptron::new(layout, &mirrored, activation);
        Self { encoder, decoder }
    }

    /// `[rows, features]` to `[rows, embedding]`.
    #[must_use]
    pub fn encode(&self, matrices: &[Tensor<2>], rows: Tensor<2>) -> Tensor<2> {
        self.encoder.forward(matrices, rows)
    }

    /// `[rows, embedding]` to `[rows, features]`.
    #[must_use]
    pub fn decode(&self, matrices: &[Tensor<2>], codes: Tensor<2>) -> Tensor<2> {
        self.decoder.forward(matrices, codes)
    }

    /// Multiplies the code by `factor` without changing what is reconstructed.
    pub fn scale_code(&self, layout: &Layout, parameters: &mut [f32], factor: f32) {
        if let Some((weight, bias)) = self.encoder.layers().last() {
            layout.part_mut(parameters, *weight).iter_mut().for_each(|value| *value *= factor);
            layout.part_mut(parameters, *bias).iter_mut().for_each(|value| *value *= factor);
        }
        if let Some((weight, _)) = self.decoder.layers().first() {
            layout.part_mut(parameters, *weight).iter_mut().for_each(|value| *value /= factor);
        }
    }

    /// The slots of all matrices, the encoder's first.
    pub fn slots(&self) -> impl Iterator<Item = usize> {
        self.encoder.layers().iter().chain(self.decoder.layers()).flat_map(|(weight, bias)| [*weight, *bias])
    }

    /// The slice's part of the mean squared error of the reconstruction over all entries of the batch:
    ///
    /// ```text
    /// 1/(B·D)·Σ_i ‖x_i - g(z_i)‖²
    /// ```
    #[must_use]
    pub fn reconstruction(&self, leaves: &[Tensor<2>], pass: &Pass, context: &Context<'_>) -> Tensor<1> {
        let entries = 2.0 * context.pairs as f64 * pass.input.dims()[1] as f64;
        let error = self.decode(leaves, pass.embedding.clone()) - pass.input.clone();
        error.square().sum() / entries
    }
}
