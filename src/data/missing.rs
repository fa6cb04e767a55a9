//! What stands in for a value that is not there.

use serde::{Deserialize, Serialize};

use super::Missing;

/// Applies [`Missing`] to rows whose unusable values are marked by NaN or infinity.
///
/// The mean of a feature is over the finite values that this worker has accepted so far, 0 before the first:
///
/// ```text
/// fill_j = s_j / max(1, n_j),   s_j, n_j over the rows before this one
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Imputer {
    policy: Missing,
    sums: Vec<f64>,
    counts: Vec<u64>,
}

impl Imputer {
    pub(super) fn new(policy: Missing) -> Self {
        Self { policy, sums: Vec::new(), counts: Vec::new() }
    }

    pub(super) fn policy(&self) -> Missing {
        self.policy
    }

    /// Fills the holes of one accepted row, then counts its own values. Without a policy that fills it changes nothing.
    pub(super) fn fill(&mut self, row: &mut [f32]) {
        match self.policy {
            Missing::Reject => {}
            Missing::Zero => row.iter_mut().filter(|value| !value.is_finite()).for_each(|value| *value = 0.0),
            Missing::Mean => {
                self.sums.resize(row.len(), 0.0);
                self.counts.resize(row.len(), 0);
                for ((value, sum), count) in row.iter_mut().zip(&mut self.sums).zip(&mut self.counts) {
                    if value.is_finite() {
                        *sum += f64::from(*value);
                        *count += 1;
                    } else {
                        *value = if *count == 0 { 0.0 } else { (*sum / *count as f64) as f32 };
                    }
                }
            }
        }
    }
}
