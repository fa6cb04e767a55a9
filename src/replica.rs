//! The seam between time and learning: the dataflow knows no tensors, the learner knows no timestamps.
//!
//! A replica is a deterministic state machine that every worker runs on the same rows in the same order. What differs between
//! workers is only which slice of a pass each of them computes; the pieces meet as **sums**: [`Replica::advance`] hands out a
//! vector, the dataflow adds the vectors of all workers in worker order and hands the total back. A matrix whose rows were
//! computed on different workers is a sum of zero-padded ones. So all replicas stay bitwise equal, and the number of workers
//! changes nothing but the order of additions.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use arrow_select::interleave::interleave_record_batch;
use serde::{Deserialize, Serialize};

use crate::data::{Row, RowPair};
use crate::stats::drift::Score;

/// A row with the columns that are only passed through.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// What is learned from.
    pub row: Arc<Row>,
    /// The batch that holds its label and pass-through columns, shared with the other rows of it, and its place there.
    pub extras: Option<(Arc<RecordBatch>, usize)>,
}

/// The pass-through columns of `arrivals`, gathered from the batches they came in; nothing if nothing is passed through.
///
/// # Errors
/// If the batches have different columns.
pub fn passed_through<'a>(arrivals: impl Iterator<Item = &'a Arrival>) -> Result<Option<RecordBatch>, ArrowError> {
    let mut batches: Vec<&RecordBatch> = Vec::new();
    let mut places = BTreeMap::new();
    let mut picks = Vec::new();
    for arrival in arrivals {
        let Some((batch, index)) = &arrival.extras else { return Ok(None) };
        let place = *places.entry(Arc::as_ptr(batch)).or_insert_with(|| {
            batches.push(batch);
            batches.len() - 1
        });
        picks.push((place, *index));
    }
    if batches.is_empty() { Ok(None) } else { interleave_record_batch(&batches, &picks).map(Some) }
}

/// An assigned row.
#[derive(Clone, Debug)]
pub struct Assigned {
    /// The row.
    pub arrival: Arrival,
    /// Durable cluster id.
    pub cluster: u32,
    /// The model's own choice, without the bounds.
    pub natural_cluster: u32,
    /// Extra distance paid for the bounds.
    pub balance_cost: f32,
    /// Whether the model had seen the row before.
    pub warmup: bool,
    /// Largest responsibility.
    pub confidence: f32,
    /// Distance to the assigned centroid.
    pub distance: f32,
    /// Whether that distance is beyond the outlier quantile.
    pub outlier: bool,
    /// The model that produced this.
    pub model_version: i64,
}

/// A drift detector's verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct DriftEvent {
    /// Event time of the newest row in the window.
    pub event_time: Option<i64>,
    /// Which detector.
    pub signal: &'static str,
    /// Its statistic.
    pub score: f64,
    /// What the statistic was compared with; nothing while calibrating.
    pub threshold: Option<f64>,
    /// Whether this is an alarm.
    pub alarm: bool,
    /// The cluster it is about, if it is about one.
    pub cluster: Option<u32>,
    /// The features that contributed most.
    pub top_features: Vec<u32>,
    /// The model that was watched.
    pub model_version: i64,
}

/// What a replica wants next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Add this to the other workers' vectors and call `advance` with the total.
    Exchange(Vec<f32>),
    /// The epoch is finished.
    Done,
}

/// What an epoch gave, on this worker.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// This worker's slice of the rows.
    pub assigned: Vec<Assigned>,
    /// Drift events; the same on every worker.
    pub drift: Vec<DriftEvent>,
}

/// What has become of the pairs that came live: `taken` is the sum of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairCounts {
    /// Pairs that came.
    pub taken: u64,
    /// Both rows were known at once: it is learned from.
    pub made: u64,
    /// A row is still to come.
    pub waiting: u64,
    /// A row had come before and was not remembered any more, or could not be used.
    pub gone: u64,
    /// It waited until there was no room for it.
    pub dropped: u64,
}

/// Numbers for people and dashboards; the same on every worker.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// Model version.
    pub model_version: i64,
    /// Whether the first model is not there yet.
    pub warming: bool,
    /// Rows seen.
    pub rows: u64,
    /// Shares of recent rows per cluster.
    pub shares: Vec<f64>,
    /// Largest excess of a share over its bounds.
    pub violation: f64,
    /// Share of recent rows that the bounds moved.
    pub displaced: f64,
    /// Reconstruction error of recent rows.
    pub reconstruction: f64,
    /// Total variance of recent embeddings.
    pub embedding_variance: f64,
    /// Distance each centroid moved since the reference.
    pub centroid_shift: Vec<f64>,
    /// Rows learned from.
    pub learned_rows: u64,
    /// Newest score of each drift signal.
    pub drift: Vec<Score>,
    /// The pairs that came live, if any can.
    pub pairs: Option<PairCounts>,
}

/// Why a replica cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaError {
    /// The input ended before there were enough rows.
    #[error(
        "{rows} usable rows are fewer than the {clusters} clusters asked for: give more rows or lower model.clusters"
    )]
    TooFewRows {
        /// Rows.
        rows: usize,
        /// Clusters.
        clusters: usize,
    },
    /// A snapshot that does not fit.
    #[error("the model snapshot cannot be read: {0}")]
    Snapshot(String),
    /// Training or inference broke.
    #[error("the model broke down: {0}")]
    Model(String),
}

/// One worker's copy of the whole trainable state.
pub trait Replica {
    /// Starts an epoch with the rows of all workers, in input order.
    fn begin(&mut self, arrivals: Vec<Arrival>);
    /// What was said about pairs of rows; comes before the rows of its epoch, the same on every worker.
    fn pair(&mut self, _pairs: Vec<RowPair>) {}
    /// The input has ended: starts a last epoch in which everything still open is settled.
    fn end(&mut self);
    /// Goes on until something has to cross workers or the epoch is finished. `total` answers the last
    /// [`Step::Exchange`].
    ///
    /// # Errors
    /// If the model cannot go on.
    fn advance(&mut self, total: Option<Vec<f32>>) -> Result<Step, ReplicaError>;
    /// What has become ready since the last call.
    fn take(&mut self) -> Output;
    /// Everything a restart needs; the same bytes on every worker.
    fn snapshot(&self) -> Vec<u8>;
    /// The newest numbers.
    fn status(&self) -> Status;
}
