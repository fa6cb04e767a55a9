//! Which features are reconstructed worse than they were.

use serde::{Deserialize, Serialize};

use super::super::wide;
use super::WINDOW_ROWS;
use super::threshold::Moments;

/// How many features an alarm names at most.
const NAMED: usize = 5;
/// Weight of a new row in the recent mean: about as long a memory as the window has.
const RECENT: f64 = 2.0 / (WINDOW_ROWS as f64 + 1.0);
/// A feature is named if its recent mean lies this many standard errors above that of the calibration.
const LEAST_ERRORS: f64 = 3.0;

/// Per feature: squared residuals during the calibration and recently. Three numbers a feature, not a window of rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Features {
    calibration: Vec<Moments>,
    recent: Vec<f64>,
}

impl Features {
    /// Takes in the squared residuals of a row; rows without any are passed over.
    pub(super) fn push(&mut self, residuals: &[f32], calibrating: bool) {
        if self.recent.len() < residuals.len() {
            self.calibration.resize(residuals.len(), Moments::default());
            self.recent.resize(residuals.len(), 0.0);
        }
        if calibrating {
            for ((calibration, recent), &residual) in self.calibration.iter_mut().zip(&mut self.recent).zip(residuals) {
                calibration.add(f64::from(residual));
                *recent = calibration.mean;
            }
            return;
        }
        wide(
            #[inline(always)]
            || {
                for (recent, &residual) in self.recent.iter_mut().zip(residuals) {
                    *recent += RECENT * (f64::from(residual) - *recent);
                }
            },
        );
    }

    /// The features that got worse, worst first.
    pub(super) fn worst(&self) -> Vec<u32> {
        // The variance of an exponential mean of independent values is this part of theirs.
        let part = (RECENT / (2.0 - RECENT)).sqrt();
        let mut ranked: Vec<(f64, u32)> = self
            .calibration
            .iter()
            .zip(&self.recent)
            .enumerate()
            .map(|(feature, (calibration, recent))| {
                let error = part * calibration.deviation() + 1e-12;
                ((recent - calibration.mean) / error, feature as u32)
            })
            .filter(|(errors, _)| *errors > LEAST_ERRORS)
            .collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        ranked.iter().take(NAMED).map(|&(_, feature)| feature).collect()
    }
}
