//! Adam in one pass over the flat parameter vector.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::stats::wide;

/// Constants of [`Adam`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdamSettings {
    /// Decay of the mean of gradients.
    pub beta1: f32,
    /// Decay of the mean of squared gradients.
    pub beta2: f32,
    /// Added to the root of the latter.
    pub epsilon: f32,
    /// Added to the gradient as `decay·parameter` (L2, not decoupled).
    pub decay: f32,
}

impl Default for AdamSettings {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 1e-5 }
    }
}

/// Kingma and Ba (2015), algorithm 1, with L2 decay:
///
/// ```text
/// g ← g + decay·p          m ← β₁m + (1-β₁)g          v ← β₂v + (1-β₂)g²
/// p ← p - rate · (m/(1-β₁ᵗ)) / (sqrt(v/(1-β₂ᵗ)) + ε)
/// ```
///
/// burn's own optimiser makes three to five passes with temporaries over the same numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adam {
    settings: AdamSettings,
    steps: u32,
    first: Vec<f32>,
    second: Vec<f32>,
}

impl Adam {
    /// An optimiser for `len` parameters that has not stepped yet.
    #[must_use]
    pub fn new(len: usize, settings: AdamSettings) -> Self {
        Self { settings, steps: 0, first: vec![0.0; len], second: vec![0.0; len] }
    }

    /// One step against `gradient`. `rates`: stretches of parameters and how fast they learn, in units of `rate`; what learns
    /// at rate 0 stays as it is.
    pub fn step(&mut self, parameters: &mut [f32], gradient: &[f32], rates: &[(Range<usize>, f32)], rate: f32) {
        let AdamSettings { beta1, beta2, epsilon, decay } = self.settings;
        self.steps += 1;
        let steps = i32::try_from(self.steps).unwrap_or(i32::MAX);
        let correction = (1.0 - beta2.powi(steps)).sqrt().recip();
        for (span, factor) in rates.iter().filter(|(_, factor)| *factor != 0.0) {
            let scale = factor * rate / (1.0 - beta1.powi(steps));
            let moments = self.first[span.clone()].iter_mut().zip(&mut self.second[span.clone()]);
            let values = parameters[span.clone()].iter_mut().zip(&gradient[span.clone()]);
            wide(
                #[inline(always)]
                move || {
                    for ((p, g), (m, v)) in values.zip(moments) {
                        let g = g + decay * *p;
                        *m = beta1 * *m + (1.0 - beta1) * g;
                        *v = beta2 * *v + (1.0 - beta2) * g * g;
                        *p -= scale * *m / (v.sqrt() * correction + epsilon);
                    }
                },
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_steps_equal_those_of_pytorch() {
        // torch.optim.Adam([tensor([1., -2.])], lr=0.1, weight_decay=0.01), gradients [0.5, -1.5] then [0.2, 0.3]
        let mut parameters = vec![1.0, -2.0];
        let mut adam = Adam::new(2, AdamSettings { decay: 0.01, ..AdamSettings::default() });
        adam.step(&mut parameters, &[0.5, -1.5], &[(0..2, 1.0)], 0.1);
        assert!((parameters[0] - 0.9).abs() < 1e-6 && (parameters[1] + 1.9).abs() < 1e-6);
        // by hand: g = [0.209, 0.281], m = [0.0668, -0.1087]…, checked against the formula in f64
        adam.step(&mut parameters, &[0.2, 0.3], &[(0..2, 1.0)], 0.1);
        let by_hand = |p0: f64, p1: f64, g0: f64, g1: f64| {
            let (a, b) = (g0 + 0.01 * p0, g1 + 0.01 * p1);
            let m = 0.9 * 0.1 * a + 0.1 * b;
            let v = 0.999 * 0.001 * a * a + 0.001 * b * b;
            p1 - 0.1 * (m / (1.0 - 0.81)) / ((v / (1.0 - 0.999f64.powi(2))).sqrt() + 1e-8)
        };
        assert!((f64::from(parameters[0]) - by_hand(1.0, 0.9, 0.5, 0.2)).abs() < 1e-5);
        assert!((f64::from(parameters[1]) - by_hand(-2.0, -1.9, -1.5, 0.3)).abs() < 1e-5);
    }
}
