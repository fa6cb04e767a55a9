//! From the scores of a calibration to a threshold, and from scores to alarms.

use serde::{Deserialize, Serialize};

use super::{CALIBRATION_CHECKS, CHECK_ROWS, CONSECUTIVE_CHECKS, Score, Signal};

/// The least and the greatest distance of a threshold from the mean, in deviations.
const DEVIATIONS: (f64, f64) = (6.0, 10.0);
/// A signal that does not move at all would make any rounding an alarm: the deviation is at least this part of the mean.
const LEAST_RELATIVE_DEVIATION: f64 = 0.005;
const SECONDS_PER_DAY: f64 = 86_400.0;

/// Mean and variance in one pass.
///
/// Source: Welford, *Note on a method for calculating corrected sums of squares and products* (1962).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Moments {
    pub(super) count: u64,
    pub(super) mean: f64,
    squares: f64,
}

impl Moments {
    pub(super) fn add(&mut self, value: f64) {
        self.count += 1;
        let above = value - self.mean;
        self.mean += above / self.count as f64;
        self.squares += above * (value - self.mean);
    }

    pub(super) fn deviation(&self) -> f64 {
        if self.count < 2 { 0.0 } else { (self.squares / (self.count - 1) as f64).sqrt() }
    }
}

/// One signal: its calibration, its threshold, and whether it is alarming.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Track {
    signal: Signal,
    calibration: Moments,
    threshold: Option<f64>,
    score: f64,
    /// Checks in a row that speak against the present state.
    contrary: u32,
    alarming: bool,
    alarms: u64,
}

impl Track {
    pub(super) fn new(signal: Signal) -> Self {
        let calibration = Moments::default();
        Self { signal, calibration, threshold: None, score: 0.0, contrary: 0, alarming: false, alarms: 0 }
    }

    /// Forgets everything but the number of alarms.
    pub(super) fn restart(&mut self) {
        *self = Self { alarms: self.alarms, ..Self::new(self.signal) };
    }

    /// Takes in the score of a check; `rows` have been seen since the reference. Returns whether an alarm is raised.
    pub(super) fn check(&mut self, score: f64, rows: u64, deviations: f64) -> bool {
        self.score = score;
        let Some(threshold) = self.threshold else {
            self.calibration.add(self.scale(score));
            if rows >= self.signal.calibration_rows() && self.calibration.count >= CALIBRATION_CHECKS {
                let mean = self.calibration.mean;
                let deviation = self.calibration.deviation().max(LEAST_RELATIVE_DEVIATION * mean.abs()).max(1e-6);
                let threshold = mean + deviations * deviation;
                self.threshold = Some(if self.signal == Signal::Shares { threshold.powi(2) } else { threshold });
            }
            return false;
        };
        if (score > threshold) == self.alarming {
            self.contrary = 0;
            return false;
        }
        self.contrary += 1;
        if self.contrary < CONSECUTIVE_CHECKS {
            return false;
        }
        self.contrary = 0;
        self.alarming = !self.alarming;
        self.alarms += u64::from(self.alarming);
        self.alarming
    }

    /// A score on the scale on which its mean and deviation are taken.
    ///
    /// The index of the shares is a sum of squares: its tail is so long that six deviations are nothing unusual. Its root
    /// is a distance, as the other scores are.
    fn scale(&self, score: f64) -> f64 {
        if self.signal == Signal::Shares { score.max(0.0).sqrt() } else { score }
    }

    pub(super) fn score(&self) -> Score {
        let Self { signal, score, threshold, alarming, alarms, .. } = *self;
        Score { signal, score, threshold, alarming, alarms }
    }
}

/// How far above the mean a threshold lies, in deviations.
///
/// ```text
/// z = clamp(quantile(1 - budget / (signals * checks per day)), 6, 10)
/// ```
pub(super) fn deviations(budget_per_day: f64, rows_per_second: f64) -> f64 {
    let checks = rows_per_second * SECONDS_PER_DAY / CHECK_ROWS as f64 * Signal::ALL.len() as f64;
    upper_quantile(budget_per_day / checks).clamp(DEVIATIONS.0, DEVIATIONS.1)
}

/// The value that a standard normal variable exceeds with the given probability, to within 5e-4; 0 for one half and more.
///
/// Source: Abramowitz and Stegun, *Handbook of Mathematical Functions* (1964), 26.2.23.
fn upper_quantile(probability: f64) -> f64 {
    if probability >= 0.5 {
        return 0.0;
    }
    let t = (-2.0 * probability.max(f64::MIN_POSITIVE).ln()).sqrt();
    t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantile_equals_tabulated_values() {
        for (probability, expected) in [(0.5, 0.0), (0.1, 1.28155), (0.025, 1.95996), (1e-3, 3.09023), (1e-9, 5.99781)]
        {
            assert!((upper_quantile(probability) - expected).abs() < 5e-4, "{probability}");
        }
    }

    #[test]
    fn a_smaller_budget_or_a_faster_stream_moves_the_threshold_away() {
        assert_eq!(deviations(1.0, 1.0), 6.0);
        assert!(deviations(1e-6, 1.0) > 6.0);
        assert!(deviations(1e-6, 1000.0) > deviations(1e-6, 1.0));
        assert_eq!(deviations(1e-300, 1000.0), 10.0);
    }
}
