//! What the monitor reports.

use serde::{Deserialize, Serialize};

use super::CALIBRATION_ROWS;

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signal {
    /// Mean reconstruction error of the window, 1 = as at the reference.
    Reconstruction,
    /// Population stability index of the assigned shares.
    Shares,
    /// Mean distance of the clusters' rows in the window from the clusters' reference centroids.
    Centroid,
    /// Distance of the window's mean embedding from the reference mean, in reference deviations.
    Embedding,
}

impl Signal {
    /// Every signal, in the order in which one check reports them.
    pub const ALL: [Self; 4] = [Self::Reconstruction, Self::Shares, Self::Centroid, Self::Embedding];

    /// The name in events and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reconstruction => "reconstruction",
            Self::Shares => "shares",
            Self::Centroid => "centroid",
            Self::Embedding => "embedding",
        }
    }

    /// How many rows after the reference belong to the calibration at least.
    ///
    /// The signals of the population take twice as long: they move with the order of the activities, not only with chance.
    pub fn calibration_rows(self) -> u64 {
        match self {
            Self::Reconstruction | Self::Centroid => CALIBRATION_ROWS,
            Self::Shares | Self::Embedding => 2 * CALIBRATION_ROWS,
        }
    }
}

/// One line of the drift table: an alarm, or a point of the timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Event time of the row at which the check was made.
    pub event_time: Option<i64>,
    /// What was looked at.
    pub signal: Signal,
    /// Its value.
    pub score: f64,
    /// The value above which it is an alarm; `None` during calibration.
    pub threshold: Option<f64>,
    /// Whether an alarm is raised here; false in a mere report, also while an earlier alarm lasts.
    pub alarm: bool,
    /// The cluster that contributes most, for the shares and the centroids.
    pub cluster: Option<u32>,
    /// Features whose reconstruction got worse, worst first; empty in reports and where no residuals are given.
    pub top_features: Vec<u32>,
    /// Model version of the row at which the check was made.
    pub model_version: i64,
}

/// The present state of a signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Which one.
    pub signal: Signal,
    /// Its value at the last check; 0 before the first one.
    pub score: f64,
    /// The value above which it is an alarm; `None` during calibration.
    pub threshold: Option<f64>,
    /// Whether an alarm lasts.
    pub alarming: bool,
    /// Alarms raised since the monitor was made.
    pub alarms: u64,
}
