//! What a run has done so far, for bars, summaries and metrics.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::Serialize;

use crate::flow::EpochReport;
use crate::replica::Status;

/// Upper ends of the buckets of [`Totals::gaps`], in seconds.
pub const GAP_BUCKETS: [f64; 9] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, f64::INFINITY];

/// Sums over all workers since the start of this process.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Totals {
    /// Input rows featurised.
    pub input_rows: u64,
    /// Rows assigned and emitted.
    pub assigned_rows: u64,
    /// Readings in no window.
    pub unwindowed_rows: u64,
    /// Unusable input rows by reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Drift alarms by signal.
    pub alarms: BTreeMap<&'static str, u64>,
    /// Epochs finished on worker 0.
    pub epochs: u64,
    /// How often the time between two epochs that emitted rows fell into each of [`GAP_BUCKETS`], on worker 0.
    pub gaps: [u64; GAP_BUCKETS.len()],
    /// The longest such time in seconds.
    pub longest_gap_s: f64,
    /// Checkpoints kept.
    pub checkpoints: u64,
    /// The model's newest numbers.
    #[serde(skip)]
    pub status: Status,
    #[serde(skip)]
    last_emission: Option<Instant>,
}

/// Shared by the workers, who add to it, and whoever shows it.
#[derive(Debug, Default)]
pub struct Progress {
    totals: Mutex<Totals>,
}

impl Progress {
    fn lock(&self) -> MutexGuard<'_, Totals> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of the newest state.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.lock().clone()
    }

    /// Takes in an epoch.
    pub fn epoch(&self, report: &EpochReport) {
        let mut totals = self.lock();
        totals.input_rows += report.input_rows;
        totals.assigned_rows += report.assigned_rows;
        totals.unwindowed_rows += report.unwindowed_rows;
        for (reason, count) in &report.rejected {
            *totals.rejected.entry(reason).or_default() += count;
        }
        for (signal, count) in &report.alarms {
            *totals.alarms.entry(signal).or_default() += count;
        }
        if report.worker != 0 {
            return;
        }
        totals.epochs += 1;
        if let Some(status) = &report.status {
            totals.status = status.clone();
        }
        if report.assigned_rows == 0 {
            return;
        }
        let now = Instant::now();
        if let Some(last) = totals.last_emission.replace(now) {
            let gap = (now - last).as_secs_f64();
            totals.longest_gap_s = totals.longest_gap_s.max(gap);
            let bucket = GAP_BUCKETS.iter().position(|end| gap <= *end).unwrap_or(GAP_BUCKETS.len() - 1);
            totals.gaps[bucket] += 1;
        }
    }

    /// A checkpoint has been kept.
    pub fn checkpoint(&self) {
        self.lock().checkpoints += 1;
    }
}
