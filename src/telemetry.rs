//! The staircase of the house: what every floor may count, and whether the run is alive and ready.
//!
//! All metrics stand in one table, [`METRICS`]. [`install`] makes a recorder of its own and registers every series, so that
//! each exists with 0 from the start and an alert on it can tell zero from absent. Nothing is global: two pipelines in one
//! process do not see each other's numbers. Without a recorder, [`Metrics::disabled`] takes the same calls and does nothing.

mod failpoint;
mod health;
mod metrics;
mod table;

#[cfg(test)]
mod tests;

pub use failpoint::failpoint;
pub use health::Health;
pub use metrics::{Labels, MOST_CLUSTERS, Metrics};
pub use table::{Kind, METRICS, Metric};

use std::sync::Arc;

use ::metrics::Recorder;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper limits of the histograms of durations, in seconds.
pub const DURATION_BUCKETS: [f64; 14] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// The metrics could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up metrics: {0}")]
pub struct TelemetryError(#[from] BuildError);

/// Reads what the handles of one [`Metrics`] have counted.
#[derive(Clone, Debug)]
pub struct Exposition(PrometheusHandle);

impl Exposition {
    /// All series in the Prometheus text format.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Folds the durations recorded so far into their histograms; needed every few seconds when nobody reads, or they pile up.
    pub fn upkeep(&self) {
        self.0.run_upkeep();
    }
}

/// Makes a recorder with every metric of the table described and every series registered.
///
/// # Errors
/// If the exporter refuses its settings.
pub fn install(labels: &Labels<'_>) -> Result<(Metrics, Exposition), TelemetryError> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &DURATION_BUCKETS)?
        .add_global_label("pipeline", labels.pipeline)
        .build_recorder();
    let exposition = Exposition(recorder.handle());
    for metric in METRICS {
        let describe = match metric.kind {
            Kind::Counter => Recorder::describe_counter,
            Kind::Gauge => Recorder::describe_gauge,
            Kind::Histogram => Recorder::describe_histogram,
        };
        describe(&recorder, metric.name.into(), Some(metric.unit), metric.help.into());
    }
    let metrics = Metrics::register(Arc::new(recorder), labels);
    exposition.upkeep();
    Ok((metrics, exposition))
}
