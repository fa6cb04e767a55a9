//! Encoder, decoder and parameters as one flat vector.
//!
//! A network here is a list of matrices cut out of one `Vec<f32>` by a [`Layout`]: gradients are summed across workers, the
//! teacher is averaged, the optimiser steps and checkpoints are written on that vector, and burn sees tensors made from it
//! for one forward and backward pass.

mod adam;
mod device;
mod error;
mod jacobian;
mod layout;
mod perceptron;

pub use adam::{Adam, AdamSettings};
pub use burn::tensor::{Device, Tensor, activation};
pub use device::{Backend, open};
pub use error::NetworkError;
pub use layout::{Init, Layout, matrix, values};
pub use perceptron::{Activation, Perceptron};
