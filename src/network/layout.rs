//! Which matrix lies where in the flat parameter vector.

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::stats::wide;

/// How a matrix is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Uniform in `±1/sqrt(inputs)`: PyTorch's default for a linear layer, weights and biases alike.
    Fan {
        /// Inputs of the layer.
        inputs: usize,
    },
    /// Uniform in `±sqrt(6/(rows + columns))` (Glorot and Bengio 2010).
    Glorot,
    /// Standard normal rows, scaled to length one.
    UnitRows,
    /// All zero.
    Zeros,
    /// All the same.
    Constant(f32),
    /// What another matrix was drawn as.
    Like(usize),
}

#[derive(Clone, Debug)]
struct Slot {
    rows: usize,
    columns: usize,
    start: usize,
    init: Init,
    rate: f32,
}

/// The matrices of a network, in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    slots: Vec<Slot>,
    len: usize,
}

impl Layout {
    /// Adds a matrix and returns its number.
    pub fn push(&mut self, rows: usize, columns: usize, init: Init) -> usize {
        self.push_scaled(rows, columns, init, 1.0)
    }

    /// Adds a matrix that learns `rate` times as fast as the others.
    pub fn push_scaled(&mut self, rows: usize, columns: usize, init: Init, rate: f32) -> usize {
        self.slots.push(Slot { rows, columns, start: self.len, init, rate });
        self.len += rows * columns;
        self.slots.len() - 1
    }

    /// Adds a matrix of state: no gradient moves it, no average blurs it.
    pub fn push_state(&mut self, rows: usize, columns: usize, value: f32) -> usize {
        self.push_scaled(rows, columns, Init::Constant(value), 0.0)
    }

    /// Adds a copy of every matrix so far as state: an average of the network that is a part of the network. Its matrices
    /// stand in the same order as the originals; returns the number of the first.
    pub fn push_average(&mut self) -> usize {
        let first = self.slots.len();
        for original in 0..first {
            let Slot { rows, columns, .. } = self.slots[original];
            self.push_scaled(rows, columns, Init::Like(original), 0.0);
        }
        first
    }

    /// Stretches of parameters that learn equally fast, and how fast; 0 is state.
    #[must_use]
    pub fn rates(&self) -> Vec<(Range<usize>, f32)> {
        let mut spans: Vec<(Range<usize>, f32)> = Vec::new();
        for slot in &self.slots {
            let end = slot.start + slot.rows * slot.columns;
            match spans.last_mut().filter(|(_, rate)| *rate == slot.rate) {
                Some((span, _)) => span.end = end,
                None => spans.push((slot.start..end, slot.rate)),
            }
        }
        spans
    }

    /// Moves an average of parameters towards new ones: `average ← keep·average + (1-keep)·new`; state is taken as it is.
    pub fn average(&self, average: &mut [f32], new: &[f32], keep: f32) {
        for (span, rate) in self.rates() {
            let keep = if rate == 0.0 { 0.0 } else { keep };
            let pairs = average[span.clone()].iter_mut().zip(&new[span]);
            wide(
                #[inline(always)]
                move || {
                    for (old, new) in pairs {
                        *old = keep * *old + (1.0 - keep) * new;
                    }
                },
            );
        }
    }

    /// Number of parameters.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no parameter.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Draws all parameters.
    pub fn draw(&self, rng: &mut ChaCha8Rng) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.len);
        for slot in &self.slots {
            let count = slot.rows * slot.columns;
            match slot.init {
                Init::Fan { inputs } => {
                    let bound = (inputs as f32).sqrt().recip();
                    values.extend((0..count).map(|_| rng.random_range(-bound..=bound)));
                }
                Init::Glorot => {
                    let bound = (6.0 / (slot.rows + slot.columns) as f32).sqrt();
                    values.extend((0..count).map(|_| rng.random_range(-bound..=bound)));
                }
                Init::UnitRows => {
                    for _ in 0..slot.rows {
                        let row: Vec<f32> = (0..slot.columns).map(|_| normal(rng)).collect();
                        let length = row.iter().map(|v| v * v).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
                        values.extend(row.iter().map(|v| v / length));
                    }
                }
                Init::Zeros => values.extend(std::iter::repeat_n(0.0, count)),
                Init::Constant(value) => values.extend(std::iter::repeat_n(value, count)),
                Init::Like(original) => {
                    let start = self.slots[original].start;
                    values.extend_from_within(start..start + count);
                }
            }
        }
        values
    }

    /// The part of `values` that holds matrix `slot`, row-major.
    #[must_use]
    pub fn part<'a>(&self, values: &'a [f32], slot: usize) -> &'a [f32] {
        let slot = &self.slots[slot];
        &values[slot.start..slot.start + slot.rows * slot.columns]
    }

    /// Like [`part`](Self::part), to write.
    pub fn part_mut<'a>(&self, values: &'a mut [f32], slot: usize) -> &'a mut [f32] {
        let slot = &self.slots[slot];
        &mut values[slot.start..slot.start + slot.rows * slot.columns]
    }

    /// Matrices for inference.
    #[must_use]
    pub fn tensors(&self, values: &[f32], device: &Device) -> Vec<Tensor<2>> {
        self.slots
            .iter()
            .map(|s| matrix(values[s.start..s.start + s.rows * s.columns].to_vec(), s.rows, s.columns, device))
            .collect()
    }

    /// Matrices that gradients are wanted for; `device` must be an autodiff one.
    #[must_use]
    pub fn leaves(&self, values: &[f32], device: &Device) -> Vec<Tensor<2>> {
        let tensors = self.tensors(values, device).into_iter().zip(&self.slots);
        tensors.map(|(tensor, slot)| if slot.rate == 0.0 { tensor } else { tensor.require_grad() }).collect()
    }

    /// Gradients of `loss` with respect to `leaves`, flat, zero where the loss does not depend on a matrix.
    #[must_use]
    pub fn gradient(&self, loss: &Tensor<1>, leaves: &[Tensor<2>]) -> Vec<f32> {
        let mut gradients = loss.backward();
        let mut flat = Vec::with_capacity(self.len);
        for (slot, leaf) in self.slots.iter().zip(leaves) {
            match Some(leaf).filter(|_| slot.rate > 0.0).and_then(|leaf| leaf.grad_remove(&mut gradients)) {
                Some(gradient) => {
                    let data = gradient.into_data();
                    // Read where it lies: a vector of its own is one more copy of every matrix.
                    match data.as_slice() {
                        Ok(values) => flat.extend_from_slice(values),
                        Err(_) => flat.extend(vector(data)),
                    }
                }
                None => flat.extend(std::iter::repeat_n(0.0, slot.rows * slot.columns)),
            }
        }
        flat
    }
}

/// Standard normal by Box and Muller (1958).
fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    (radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()) as f32
}

/// A row-major matrix as a tensor.
#[must_use]
pub fn matrix(values: Vec<f32>, rows: usize, columns: usize, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, [rows, columns]), device)
}

/// The elements of a tensor, row-major.
#[must_use]
pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    vector(tensor.into_data())
}

fn vector(data: TensorData) -> Vec<f32> {
    match data.try_into_vec::<f32>() {
        Ok(values) => values,
        Err(_) => unreachable!("tensors of this crate are f32"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::random::stream;

    #[test]
    fn an_average_begins_as_the_network_and_no_gradient_moves_it() {
        let mut layout = Layout::default();
        layout.push(3, 2, Init::Glorot);
        layout.push(1, 2, Init::Fan { inputs: 3 });
        assert_eq!(layout.push_average(), 2);
        let values = layout.draw(&mut stream(1, "layout", 0));
        assert_eq!(values[..8], values[8..]);
        assert_eq!(layout.rates(), [(0..8, 1.0), (8..16, 0.0)]);
    }
}
