//! A model that labels and does not learn.

use std::sync::Arc;

use super::learner::Learner;
use super::online::verdict;
use super::trainer::Item;
use crate::data::Coordinates;
use crate::network::{Tensor, matrix, values};
use crate::replica::{Arrival, Output, Replica, ReplicaError, Status, Step};

/// The frozen state of a learner: rows go through it at full inference speed, each worker taking its part of them.
pub struct Frozen {
    learner: Learner,
    matrices: Vec<Tensor<2>>,
    outlier_distance: f32,
    rows: u64,
    pending: Vec<Arrival>,
    output: Output,
}

/// Rows of a reservoir in embedding space.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Portrait {
    /// Where each row came from.
    pub coordinates: Vec<Coordinates>,
    /// The cluster of each row.
    pub clusters: Vec<u32>,
    /// `[rows, width]`, row-major.
    pub embeddings: Vec<f32>,
    /// Width of the embedding.
    pub width: usize,
}

/// Rows that go through the network at once: activations of this many stay in the cache.
const BLOCK: usize = 256;

impl Frozen {
    /// Freezes a learner that has a model.
    ///
    /// # Errors
    /// If it is still warming up.
    pub fn new(learner: Learner) -> Result<Self, ReplicaError> {
        let Some(online) = &learner.online else {
            return Err(ReplicaError::Snapshot("it was taken during warm-up and holds no model yet".to_owned()));
        };
        let matrices = online.bench.objective.layout().tensors(&online.teacher, &online.bench.device);
        let outlier_distance = online.watch.outlier_distance();
        Ok(Self { learner, matrices, outlier_distance, rows: 0, pending: Vec::new(), output: Output::default() })
    }

    /// Assigns `arrivals`, of which this worker emits its part.
    fn assign(&mut self, arrivals: Vec<Arrival>) {
        let Some(online) = &self.learner.online else { return };
        let (clusters, width) = (self.learner.settings.model.clusters, online.scaler.width());
        // A key that was never seen is scaled by the warm-up statistics.
        let number = |key: &Arc<str>| self.learner.keys.get(key).copied().unwrap_or(u32::MAX);
        let own = self.learner.part.of(arrivals.len());
        let mut verdicts = Vec::with_capacity(own.len());
        for block in arrivals[own.clone()].chunks(BLOCK) {
            let mut scaled = Vec::with_capacity(block.len() * width);
            for Arrival { row, .. } in block {
                online.scaler.scale(number(&row.key), &row.features, &mut scaled);
            }
            let rows = matrix(scaled, block.len(), width, &online.bench.device);
            let inference = online.bench.objective.infer(&self.matrices, rows);
            let (scores, distances) = (values(inference.scores), values(inference.distances));
            let lines = scores.chunks_exact(clusters).zip(distances.chunks_exact(clusters));
            verdicts.extend(lines.map(|(scores, distances)| verdict(scores, distances, &online.prices)));
        }
        let (limit, version) = (self.outlier_distance, self.learner.version);
        let assigned = arrivals.into_iter().skip(own.start).zip(verdicts);
        let assigned = assigned.map(|(arrival, verdict)| verdict.assigned(arrival, false, limit, version));
        self.output.assigned.extend(assigned);
    }

    /// The rows of the reservoir as the model sees them.
    #[must_use]
    pub fn portrait(&self) -> Portrait {
        let mut portrait = Portrait::default();
        let Some(online) = &self.learner.online else { return portrait };
        let clusters = self.learner.settings.model.clusters;
        for block in online.reservoir.anchors().chunks(BLOCK) {
            let items: Vec<Item> = block.iter().map(|anchor| (Arc::clone(&anchor.row), anchor.key)).collect();
            let rows = online.bench.matrix(&items, &online.scaler, &online.bench.device);
            let inference = online.bench.objective.infer(&self.matrices, rows);
            portrait.width = inference.embedding.dims()[1];
            portrait.embeddings.extend(values(inference.embedding));
            let (scores, distances) = (values(inference.scores), values(inference.distances));
            let lines = scores.chunks_exact(clusters).zip(distances.chunks_exact(clusters));
            portrait.clusters.extend(lines.map(|(s, d)| verdict(s, d, &online.prices).cluster as u32));
            portrait.coordinates.extend(block.iter().map(|anchor| anchor.row.coordinates.clone()));
        }
        portrait
    }
}

impl Replica for Frozen {
    fn begin(&mut self, arrivals: Vec<Arrival>) {
        self.pending = arrivals;
    }

    fn end(&mut self) {}

    fn advance(&mut self, _total: Option<Vec<f32>>) -> Result<Step, ReplicaError> {
        let arrivals = std::mem::take(&mut self.pending);
        self.rows += arrivals.len() as u64;
        self.assign(arrivals);
        Ok(Step::Done)
    }

    fn take(&mut self) -> Output {
        std::mem::take(&mut self.output)
    }

    fn snapshot(&self) -> Vec<u8> {
        self.learner.snapshot()
    }

    fn status(&self) -> Status {
        Status { rows: self.rows, ..self.learner.status() }
    }
}
