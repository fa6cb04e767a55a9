//! What exists once the first model does.

use std::sync::Arc;

use super::matchmaker::Matchmaker;
use super::nursery::Job;
use super::pairs::PairStore;
use super::reservoir::{Nearness, Reservoir};
use super::sample::Sample;
use super::scaler::Scaler;
use super::trainer::{Item, Part, Trained, Workbench, argmax};
use super::watch::Watch;
use crate::data::Row;
use crate::network::values;
use crate::replica::{Arrival, Assigned};
use crate::stats::bounds;

/// What exists once the first model does. All of it is replicated.
pub(super) struct Online {
    pub(super) bench: Workbench,
    pub(super) scaler: Scaler,
    pub(super) reservoir: Reservoir,
    pub(super) trained: Trained,
    /// The averaged network that assigns.
    pub(super) teacher: Vec<f32>,
    /// Pairs known to belong together or apart.
    pub(super) pairs: PairStore,
    pub(super) matchmaker: Matchmaker,
    /// Rows that were assigned and wait for their chunk to fill.
    pub(super) waiting: Vec<Sample>,
    pub(super) watch: Watch,
    /// Prices of the bounds; all zero without bounds.
    pub(super) prices: Vec<f32>,
    pub(super) violation: f64,
    pub(super) next_refresh: u64,
    pub(super) refresh: Option<Refresh>,
}

/// A challenger being fitted, and all that is needed to start its fit again.
pub(super) struct Refresh {
    pub(super) number: u64,
    /// Updates since its fit began.
    pub(super) updates: u64,
    pub(super) pool: Arc<Vec<Sample>>,
    pub(super) pairs: Arc<PairStore>,
    pub(super) scaler: Arc<Scaler>,
    pub(super) target: Vec<f32>,
    pub(super) job: Option<Arc<Job>>,
}

impl Online {
    /// Every row that is still known, with its key. Some come more than once.
    pub(super) fn known(&self) -> impl Iterator<Item = (&Arc<Row>, u32)> {
        let waiting = self.waiting.iter().map(|sample| (&sample.row, sample.key));
        let paired = self.pairs.pairs().iter().flat_map(|pair| [&pair.first, &pair.second]);
        self.reservoir.rows().chain(waiting).chain(paired.map(|(row, key)| (row, *key)))
    }

    /// Costs of all anchors, `[anchors, clusters]`, zero where other workers' anchors stand.
    pub(super) fn costs(&self, part: Part) -> Vec<f32> {
        let anchors = self.reservoir.anchors();
        let clusters = self.prices.len();
        let mut costs = vec![0.0; anchors.len() * clusters];
        let own = part.of(anchors.len());
        for start in own.clone().step_by(512) {
            let end = (start + 512).min(own.end);
            let rows: Vec<Item> = anchors[start..end].iter().map(|a| (Arc::clone(&a.row), a.key)).collect();
            let scores = values(self.bench.infer(&self.teacher, &rows, &self.scaler).scores);
            costs[start * clusters..end * clusters].iter_mut().zip(scores).for_each(|(cost, score)| *cost = -score);
        }
        costs
    }

    /// Solves the prices that keep the shares of the reservoir's rows between `min` and `max`.
    pub(super) fn price(&mut self, costs: &[f32], min: f64, max: f64) {
        let clusters = self.prices.len();
        let priced = bounds::solve(costs, &vec![min; clusters], &vec![max; clusters]);
        self.prices = priced.prices;
        self.violation = priced.violation;
    }
}

/// A row's assignment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Verdict {
    pub(super) cluster: usize,
    pub(super) natural: usize,
    pub(super) cost: f32,
    pub(super) confidence: f32,
    pub(super) distance: f32,
}

/// The model's own choice and the one that the bounds allow: `argmin_k (-score_k + price_k)`.
pub(super) fn verdict(scores: &[f32], distances: &[f32], prices: &[f32]) -> Verdict {
    let natural = argmax(scores);
    let cluster = if prices.iter().all(|p| *p == 0.0) {
        natural
    } else {
        bounds::cheapest(&scores.iter().map(|s| -s).collect::<Vec<_>>(), prices)
    };
    let sum: f32 = scores.iter().map(|s| (s - scores[natural]).exp()).sum();
    Verdict {
        cluster,
        natural,
        cost: (distances[cluster] - distances[natural]).max(0.0),
        confidence: 1.0 / sum,
        distance: distances[cluster],
    }
}

impl Verdict {
    pub(super) fn assigned(self, arrival: Arrival, warmup: bool, outlier_distance: f32, version: i64) -> Assigned {
        Assigned {
            arrival,
            cluster: self.cluster as u32,
            natural_cluster: self.natural as u32,
            balance_cost: self.cost,
            warmup,
            confidence: self.confidence,
            distance: self.distance,
            outlier: self.distance > outlier_distance,
            model_version: version,
        }
    }
}

/// Scaled features at unit length, where neighbours are found by them.
pub(super) fn direction(scaler: &Scaler, nearness: Nearness, row: &Row, key: u32) -> Option<Vec<f32>> {
    if nearness != Nearness::Features {
        return None;
    }
    Some(scaler.direction(key, &row.features))
}
