//! A stack of linear layers.

use burn::tensor::{Tensor, activation};

use super::{Init, Layout};

/// What stands between two layers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// `max(0, x)`
    Relu,
    /// `x` where positive, `slope·x` elsewhere.
    LeakyRelu(f64),
}

impl Activation {
    /// The activation of each element.
    #[must_use]
    pub fn apply(self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Relu => activation::relu(x),
            Self::LeakyRelu(slope) => activation::leaky_relu(x, slope),
        }
    }
}

/// A multi-layer perceptron whose last layer is linear.
#[derive(Clone, Debug)]
pub struct Perceptron {
    layers: Vec<(usize, usize)>,
    activation: Activation,
}

impl Perceptron {
    /// Adds the layers `widths[0] → widths[1] → …` to `layout`.
    #[must_use]
    pub fn new(layout: &mut Layout, widths: &[usize], activation: Activation) -> Self {
        let layers = widths
            .windows(2)
            .map(|w| {
                let init = Init::Fan { inputs: w[0] };
                (layout.push(w[0], w[1], init), layout.push(1, w[1], init))
            })
            .collect();
        Self { layers, activation }
    }

    /// Numbers of each layer's weight and bias in the layout.
    #[must_use]
    pub fn layers(&self) -> &[(usize, usize)] {
        &self.layers
    }

    /// What stands between two layers.
    #[must_use]
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// Runs the rows through all layers.
    ///
    /// # Shapes
    /// - `rows`: `[rows, widths[0]]`
    /// - output: `[rows, widths.last()]`
    #[must_use]
    pub fn forward(&self, matrices: &[Tensor<2>], rows: Tensor<2>) -> Tensor<2> {
        let mut x = rows;
        for (i, (weight, bias)) in self.layers.iter().enumerate() {
            if i > 0 {
                x = self.activation.apply(x);
            }
            x = x.matmul(matrices[*weight].clone()) + matrices[*bias].clone();
        }
        x
    }
}
