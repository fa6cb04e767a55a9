//! Epochs as metrics.

use crate::flow::EpochReport;
use crate::telemetry::Metrics;

/// Adds what a worker did in an epoch to the metrics.
pub fn observe(metrics: &Metrics, report: &EpochReport) {
    metrics.rows_read.increment(report.input_rows);
    metrics.rows_assigned.increment(report.assigned_rows);
    metrics.rows_unwindowed.increment(report.unwindowed_rows);
    if report.input_rows > 0 {
        metrics.batches.increment(1);
        metrics.read_seconds.record(report.read_seconds);
        metrics.featurize_seconds.record(report.featurize_seconds);
        metrics.learn_seconds.record(report.model_seconds);
        metrics.write_seconds.record(report.write_seconds);
    }
    for (reason, rows) in &report.rejected {
        metrics.dead_letters(reason, *rows);
    }
    let Some(status) = &report.status else { return };
    metrics.rows_learned.absolute(status.learned_rows);
    metrics.model_version.set(status.model_version as f64);
    if status.warming {
        return;
    }
    metrics.shares(&status.shares);
    metrics.balance_violation.set(status.violation);
    metrics.displaced_rows.set(status.displaced);
    metrics.reconstruction_error.set(status.reconstruction);
    metrics.embedding_variance.set(status.embedding_variance);
    metrics.centroid_shifts(&status.centroid_shift);
    metrics.drift(&status.drift);
}
