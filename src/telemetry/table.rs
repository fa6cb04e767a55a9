//! The table of metrics; the names are promises.

use metrics::Unit;

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Takes any value.
    Gauge,
    /// Counts values by size.
    Histogram,
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Name in the exposition.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// What it is counted in; ratios and scores count as plain numbers.
    pub unit: Unit,
    /// One sentence for people.
    pub help: &'static str,
    /// Names of its labels.
    pub labels: &'static [&'static str],
}

const fn metric(
    name: &'static str,
    kind: Kind,
    unit: Unit,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, kind, unit, help, labels }
}

use Kind::{Counter, Gauge, Histogram};
use Unit::{Count, Seconds};

/// Every metric there is. All series carry the label `pipeline` besides the ones named here.
pub const METRICS: &[Metric] = &[
    metric("evenkeel_ready", Gauge, Count, &[], "Whether rows are being processed, as /readyz tells: 1 or 0."),
    metric("evenkeel_rows_total", Counter, Count, &["stage"], "Rows that passed a stage of the pipeline."),
    metric("evenkeel_batches_total", Counter, Count, &[], "Batches read from the source."),
    metric("evenkeel_dead_letters_total", Counter, Count, &["reason"], "Input rows that could not be used, by reason."),
    metric(
        "evenkeel_batch_duration_seconds",
        Histogram,
        Seconds,
        &["stage"],
        "Time a batch spent in a stage; stage=\"learn\" includes assigning its rows.",
    ),
    metric("evenkeel_source_lag_rows", Gauge, Count, &["topic", "partition"], "Rows of a partition not read yet."),
    metric("evenkeel_cluster_share_ratio", Gauge, Count, &["cluster"], "Share of the recent rows per cluster."),
    metric("evenkeel_balance_entropy_ratio", Gauge, Count, &[], "Normalised entropy of the shares, 1 = even."),
    metric(
        "evenkeel_balance_imbalance_factor",
        Gauge,
        Count,
        &[],
        "Clusters times the sum of squared shares, 1 = even.",
    ),
    metric("evenkeel_balance_violation_ratio", Gauge, Count, &[], "By how much the worst share misses its bounds."),
    metric("evenkeel_displaced_rows_ratio", Gauge, Count, &[], "Share of the rows that the bounds moved elsewhere."),
    metric("evenkeel_active_clusters", Gauge, Count, &[], "Clusters with any share of the recent rows."),
    metric("evenkeel_reconstruction_error", Gauge, Count, &[], "Mean reconstruction error of the recent rows."),
    metric("evenkeel_embedding_variance", Gauge, Count, &[], "Mean variance of the embedding over the recent rows."),
    metric(
        "evenkeel_centroid_shift",
        Gauge,
        Count,
        &["cluster"],
        "Distance of recent rows from their cluster's reference.",
    ),
    metric("evenkeel_drift_score", Gauge, Count, &["signal"], "Score of a drift signal at the last check."),
    metric("evenkeel_drift_alarms_total", Counter, Count, &["signal"], "Drift alarms raised."),
    metric("evenkeel_model_version", Gauge, Count, &[], "Version of the model that assigns rows."),
    metric(
        "evenkeel_checkpoint_last_success_timestamp_seconds",
        Gauge,
        Seconds,
        &[],
        "When the last checkpoint was completed, in seconds since the epoch; 0 before the first.",
    ),
    metric("evenkeel_checkpoint_duration_seconds", Gauge, Seconds, &[], "How long the last checkpoint took."),
    metric("evenkeel_build_info", Gauge, Count, &["version", "backend"], "Always 1; what is running."),
    metric(
        "evenkeel_series_dropped_total",
        Counter,
        Count,
        &[],
        "Series folded into cluster=\"other\" because there are too many clusters.",
    ),
];
