//! Products of the Jacobian of a perceptron, differentiable once more by plain backpropagation.

use burn::tensor::Tensor;

use super::{Activation, Perceptron};

impl Perceptron {
    /// Like [`forward`](Self::forward), with the slope of each activation at each row beside it.
    ///
    /// # Shapes
    /// - slopes: `[rows, widths[i]]` for each hidden layer `i`, without a graph
    #[must_use]
    pub fn forward_with_slopes(&self, matrices: &[Tensor<2>], rows: Tensor<2>) -> (Tensor<2>, Vec<Tensor<2>>) {
        let mut slopes = Vec::with_capacity(self.layers().len() - 1);
        let mut x = rows;
        for (i, (weight, bias)) in self.layers().iter().enumerate() {
            if i > 0 {
                let positive = x.clone().detach().greater_elem(0.0).float();
                slopes.push(match self.activation() {
                    Activation::Relu => positive,
                    Activation::LeakyRelu(slope) => positive * (1.0 - slope) + slope,
                });
                x = self.activation().apply(x);
            }
            x = x.matmul(matrices[*weight].clone()) + matrices[*bias].clone();
        }
        (x, slopes)
    }

    /// `v_iᵀ·J_i` of each row, `J_i` being the derivative of the output with respect to the input at row `i`:
    ///
    /// ```text
    /// J_iᵀ = W_1·D_1i·W_2·D_2i⋯W_L      D: slopes of the activations, on the diagonal
    /// ```
    ///
    /// The slopes of piecewise linear activations do not change with the weights, except where they jump, so that the derivative
    /// of this product with respect to the weights is exact although the slopes carry no graph.
    ///
    /// # Shapes
    /// - `slopes`: as [`forward_with_slopes`](Self::forward_with_slopes) gives them
    /// - `covectors`: `[rows, widths.last()]`
    /// - output: `[rows, widths[0]]`
    #[must_use]
    pub fn pull_back(&self, matrices: &[Tensor<2>], slopes: &[Tensor<2>], covectors: Tensor<2>) -> Tensor<2> {
        let mut v = covectors;
        for (i, (weight, _)) in self.layers().iter().enumerate().rev() {
            v = v.matmul(matrices[*weight].clone().transpose());
            if i > 0 {
                v = v * slopes[i - 1].clone();
            }
        }
        v
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;
    use crate::network::{Backend, Layout, matrix, open, values};
    use crate::stats::random::stream;

    #[test]
    fn the_jacobian_equals_finite_differences() {
        let device = open(Backend::Flex).unwrap();
        for activation in [Activation::Relu, Activation::LeakyRelu(0.2)] {
            let mut layout = Layout::default();
            let network = Perceptron::new(&mut layout, &[4, 9, 6, 3], activation);
            let matrices = layout.tensors(&layout.draw(&mut stream(3, "jacobian", 0)), &device);
            let mut rng = stream(4, "rows", 0);
            let rows: Vec<f32> = (0..5 * 4).map(|_| rng.random_range(-2.0..2.0)).collect();
            let at = |rows: &[f32]| values(network.forward(&matrices, matrix(rows.to_vec(), 5, 4, &device)));
            let (outputs, slopes) = network.forward_with_slopes(&matrices, matrix(rows.clone(), 5, 4, &device));
            assert_eq!(values(outputs), at(&rows));
            for output in 0..3 {
                let covector: Vec<f32> = (0..15).map(|i| f32::from(i % 3 == output)).collect();
                let covectors = matrix(covector, 5, 3, &device);
                let exact = values(network.pull_back(&matrices, &slopes, covectors));
                for input in 0..4 {
                    let moved = |delta: f32| {
                        let shift = |(i, x): (usize, &f32)| x + if i % 4 == input { delta } else { 0.0 };
                        at(&rows.iter().enumerate().map(shift).collect::<Vec<_>>())
                    };
                    let (above, below) = (moved(1e-3), moved(-1e-3));
                    for row in 0..5 {
                        let slope = (above[row * 3 + output] - below[row * 3 + output]) / 2e-3;
                        assert!((slope - exact[row * 4 + input]).abs() < 1e-3, "{activation:?}: row {row}");
                    }
                }
            }
        }
    }
}
