//! Handles to the series, looked up once.

use std::sync::Arc;

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, NoopRecorder, Recorder};

use crate::stats::drift::{Score, Signal};

/// More clusters than this have no series of their own.
pub const MOST_CLUSTERS: usize = 64;

const METADATA: Metadata<'static> = Metadata::new("evenkeel", Level::INFO, Some("evenkeel"));

/// The values of labels that are known at the start.
#[derive(Clone, Copy, Debug)]
pub struct Labels<'a> {
    /// Name of the pipeline.
    pub pipeline: &'a str,
    /// Version of this program.
    pub version: &'a str,
    /// What computes.
    pub backend: &'a str,
    /// Number of clusters.
    pub clusters: usize,
    /// Reasons that dead letters can have.
    pub reasons: &'a [&'static str],
    /// Topics and partitions that are read.
    pub partitions: &'a [(&'a str, i32)],
}

/// Handles to every series. Cheap to clone and to use from any thread.
#[derive(Clone)]
pub struct Metrics {
    recorder: Arc<dyn Recorder + Send + Sync>,
    /// Whether rows are being processed; [`Health`](super::Health) sets it.
    pub ready: Gauge,
    /// Input rows read from the source.
    pub rows_read: Counter,
    /// Rows that were given a cluster.
    pub rows_assigned: Counter,
    /// Rows that were learned from.
    pub rows_learned: Counter,
    /// Readings that ended up in no window.
    pub rows_unwindowed: Counter,
    /// Batches read.
    pub batches: Counter,
    /// Time to read a batch.
    pub read_seconds: Histogram,
    /// Time to turn a batch into rows.
    pub featurize_seconds: Histogram,
    /// Time to assign a batch and to learn from it.
    pub learn_seconds: Histogram,
    /// Time to write a batch.
    pub write_seconds: Histogram,
    /// By how much the worst share misses its bounds.
    pub balance_violation: Gauge,
    /// Share of the rows that the bounds moved elsewhere.
    pub displaced_rows: Gauge,
    /// Mean reconstruction error of the recent rows.
    pub reconstruction_error: Gauge,
    /// Mean variance of the embedding.
    pub embedding_variance: Gauge,
    /// Version of the model that assigns rows.
    pub model_version: Gauge,
    balance_entropy: Gauge,
    balance_imbalance: Gauge,
    active_clusters: Gauge,
    checkpoint_success: Gauge,
    checkpoint_seconds: Gauge,
    cluster_shares: Vec<Gauge>,
    centroid_shifts: Vec<Gauge>,
    drift: [(Gauge, Counter); 4],
}

impl Metrics {
    /// Handles that lead nowhere.
    pub fn disabled() -> Self {
        let labels = Labels { pipeline: "", version: "", backend: "", clusters: 0, reasons: &[], partitions: &[] };
        Self::register(Arc::new(NoopRecorder), &labels)
    }

    /// Registers every series with a recorder.
    pub(super) fn register(recorder: Arc<dyn Recorder + Send + Sync>, labels: &Labels<'_>) -> Self {
        let counter = |key: Key| recorder.register_counter(&key, &METADATA);
        let gauge = |key: Key| recorder.register_gauge(&key, &METADATA);
        let histogram = |key: Key| recorder.register_histogram(&key, &METADATA);
        let rows = |stage| counter(key("evenkeel_rows_total", [("stage", stage)]));
        let seconds = |stage| histogram(key("evenkeel_batch_duration_seconds", [("stage", stage)]));
        let per_cluster = |name: &'static str| -> Vec<Gauge> {
            let own = (0..labels.clusters.min(MOST_CLUSTERS)).map(|k| k.to_string());
            let other = (labels.clusters > MOST_CLUSTERS).then(|| "other".to_owned());
            own.chain(other).map(|cluster| gauge(key(name, [("cluster", cluster.as_str())]))).collect()
        };
        let cluster_shares = per_cluster("evenkeel_cluster_share_ratio");
        let centroid_shifts = per_cluster("evenkeel_centroid_shift");
        let dropped = 2 * labels.clusters.saturating_sub(MOST_CLUSTERS) as u64;
        counter(key("evenkeel_series_dropped_total", [])).increment(dropped);
        gauge(key("evenkeel_build_info", [("version", labels.version), ("backend", labels.backend)])).set(1.0);
        let drift = Signal::ALL.map(|signal| {
            let label = [("signal", signal.name())];
            (gauge(key("evenkeel_drift_score", label)), counter(key("evenkeel_drift_alarms_total", label)))
        });
        let metrics = Self {
            ready: gauge(key("evenkeel_ready", [])),
            rows_read: rows("read"),
            rows_assigned: rows("assigned"),
            rows_learned: rows("learned"),
            rows_unwindowed: rows("unwindowed"),
            batches: counter(key("evenkeel_batches_total", [])),
            read_seconds: seconds("read"),
            featurize_seconds: seconds("featurize"),
            learn_seconds: seconds("learn"),
            write_seconds: seconds("write"),
            balance_violation: gauge(key("evenkeel_balance_violation_ratio", [])),
            displaced_rows: gauge(key("evenkeel_displaced_rows_ratio", [])),
            reconstruction_error: gauge(key("evenkeel_reconstruction_error", [])),
            embedding_variance: gauge(key("evenkeel_embedding_variance", [])),
            model_version: gauge(key("evenkeel_model_version", [])),
            balance_entropy: gauge(key("evenkeel_balance_entropy_ratio", [])),
            balance_imbalance: gauge(key("evenkeel_balance_imbalance_factor", [])),
            active_clusters: gauge(key("evenkeel_active_clusters", [])),
            checkpoint_success: gauge(key("evenkeel_checkpoint_last_success_timestamp_seconds", [])),
            checkpoint_seconds: gauge(key("evenkeel_checkpoint_duration_seconds", [])),
            cluster_shares,
            centroid_shifts,
            drift,
            recorder: Arc::clone(&recorder),
        };
        labels.reasons.iter().for_each(|reason| metrics.dead_letters(reason, 0));
        labels.partitions.iter().for_each(|(topic, partition)| metrics.source_lag(topic, *partition, 0));
        metrics
    }

    /// Counts input rows that could not be used; a reason not known at the start gets its series now.
    pub fn dead_letters(&self, reason: &'static str, rows: u64) {
        let key = key("evenkeel_dead_letters_total", [("reason", reason)]);
        self.recorder.register_counter(&key, &METADATA).increment(rows);
    }

    /// How many rows of a partition have not been read yet.
    pub fn source_lag(&self, topic: &str, partition: i32, rows: u64) {
        let key = key("evenkeel_source_lag_rows", [("topic", topic), ("partition", &partition.to_string())]);
        self.recorder.register_gauge(&key, &METADATA).set(rows as f64);
    }

    /// Shares of the recent rows per cluster, and what follows from them.
    ///
    /// ```text
    /// entropy = -sum_k p_k ln p_k / ln K,   imbalance = K sum_k p_k^2
    /// ```
    pub fn shares(&self, shares: &[f64]) {
        fold(&self.cluster_shares, shares, |sum, share| sum + share);
        let held = || shares.iter().copied().filter(|&share| share > 0.0);
        let clusters = shares.len() as f64;
        let entropy = if shares.len() > 1 { -held().map(|p| p * p.ln()).sum::<f64>() / clusters.ln() } else { 1.0 };
        // Minus nothing is minus zero.
        self.balance_entropy.set(entropy.max(0.0));
        self.balance_imbalance.set(clusters * held().map(|p| p * p).sum::<f64>());
        self.active_clusters.set(held().count() as f64);
    }

    /// Distances of recent rows from their clusters' references; of the clusters without a series, the largest is shown.
    pub fn centroid_shifts(&self, shifts: &[f64]) {
        fold(&self.centroid_shifts, shifts, f64::max);
    }

    /// Scores and alarms of the drift monitor.
    pub fn drift(&self, scores: &[Score]) {
        for score in scores {
            let (gauge, alarms) = &self.drift[score.signal as usize];
            gauge.set(score.score);
            alarms.absolute(score.alarms);
        }
    }

    /// A checkpoint was completed at `seconds` since the epoch.
    pub fn checkpoint_succeeded(&self, seconds: f64, duration: std::time::Duration) {
        self.checkpoint_success.set(seconds);
        self.checkpoint_seconds.set(duration.as_secs_f64());
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Metrics").field("cluster_series", &self.cluster_shares.len()).finish_non_exhaustive()
    }
}

/// Sets one gauge per value; the last of the gauges takes all values that are left.
fn fold(gauges: &[Gauge], values: &[f64], join: fn(f64, f64) -> f64) {
    let own = values.len().min(MOST_CLUSTERS);
    gauges.iter().zip(&values[..own]).for_each(|(gauge, &value)| gauge.set(value));
    if let (Some(other), Some(value)) = (gauges.get(own), values[own..].iter().copied().reduce(join)) {
        other.set(value);
    }
}

fn key<const N: usize>(name: &'static str, labels: [(&'static str, &str); N]) -> Key {
    Key::from_parts(name, labels.map(|(label, value)| Label::new(label, value.to_owned())).to_vec())
}
