//! The learner's eye on the stream: recent shares, outliers, and drift against a frozen reference network.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::online::Verdict;
use super::scaler::Scaler;
use super::sight::Sight;
use super::trainer::{Item, Workbench};
use crate::network::{Tensor, values};
use crate::replica::{DriftEvent, Status};
use crate::stats::drift::{DriftParameters, Monitor, Observation, Reference};
use crate::stats::principal::Principal;
use crate::stats::random::stream;

/// Rows that shares, outliers and violations are counted over.
const RECENT: usize = 2_000;
/// Fewer distances than this say nothing about outliers.
const FEWEST_DISTANCES: usize = 256;
/// A row is an outlier beyond this quantile of recent distances.
const OUTLIER_QUANTILE: f64 = 0.99;
/// Memory of the embedding variance, in rows.
const VARIANCE_ROWS: f64 = 500.0;

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Recent {
    cluster: u32,
    moved: bool,
    distance: f32,
}

/// Recent rows and the drift monitor. Part of the replicated state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Watch {
    recent: VecDeque<Recent>,
    monitor: Monitor,
    /// The network at the last fresh fit: drift is judged by a network that stands still.
    reference: Vec<f32>,
    /// Its matrices, once they are needed.
    #[serde(skip)]
    network: Vec<Tensor<2>>,
    principal: Principal,
    mean: Vec<f64>,
    square: Vec<f64>,
}

impl Watch {
    /// A watch over the model that was just fitted on `rows`.
    #[must_use]
    pub fn new(
        bench: &Workbench,
        parameters: &[f32],
        rows: &[Item],
        scaler: &Scaler,
        drift: &DriftParameters,
        seed: u64,
    ) -> Self {
        let width = scaler.width();
        let mut scaled = Vec::with_capacity(rows.len() * width);
        for (row, key) in rows {
            scaler.scale(*key, &row.features, &mut scaled);
        }
        let embedding = bench.infer(parameters, &rows[..1], scaler).embedding.dims()[1];
        let mut watch = Self {
            recent: VecDeque::new(),
            monitor: Monitor::new(drift, bench.objective.clusters(), embedding),
            reference: Vec::new(),
            network: Vec::new(),
            principal: Principal::fit(&scaled, width, &mut stream(seed, "principal", 0)),
            mean: vec![0.0; embedding],
            square: vec![0.0; embedding],
        };
        watch.refer(bench, parameters, rows, scaler);
        watch
    }

    /// A fresh fit has been promoted: `rows` through it are what is normal now.
    pub fn refer(&mut self, bench: &Workbench, parameters: &[f32], rows: &[Item], scaler: &Scaler) {
        let clusters = bench.objective.clusters();
        let width = self.mean.len();
        let count = rows.len().max(1) as f64;
        let (mut sizes, mut centroids) = (vec![0.0f64; clusters], vec![0.0f64; clusters * width]);
        let (mut mean, mut square, mut error) = (vec![0.0f64; width], vec![0.0f64; width], 0.0);
        for block in rows.chunks(512) {
            let inference = bench.infer(parameters, block, scaler);
            let (scores, embeddings) = (values(inference.scores), values(inference.embedding));
            for ((row, score), z) in block.iter().zip(scores.chunks_exact(clusters)).zip(embeddings.chunks_exact(width))
            {
                let cluster = super::trainer::argmax(score);
                sizes[cluster] += 1.0;
                for (d, value) in z.iter().enumerate() {
                    let value = f64::from(*value);
                    centroids[cluster * width + d] += value;
                    mean[d] += value / count;
                    square[d] += value * value / count;
                }
                let mut scaled = Vec::with_capacity(scaler.width());
                scaler.scale(row.1, &row.0.features, &mut scaled);
                error += f64::from(self.principal.reconstruction_error(&scaled)) / count;
            }
        }
        for (sum, size) in centroids.chunks_exact_mut(width).zip(&sizes) {
            sum.iter_mut().for_each(|s| *s /= size.max(1.0));
        }
        let deviation = mean.iter().zip(&square).map(|(m, s)| (s - m * m).max(1e-12).sqrt() as f32).collect();
        self.monitor.reference(&Reference {
            shares: sizes.iter().map(|s| s / count).collect(),
            centroids: centroids.iter().map(|c| *c as f32).collect(),
            mean: mean.iter().map(|m| *m as f32).collect(),
            deviation,
            reconstruction: error,
        });
        self.reference = parameters.to_vec();
        self.network.clear();
    }

    /// The distance beyond which a row is an outlier.
    #[must_use]
    pub fn outlier_distance(&self) -> f32 {
        if self.recent.len() < FEWEST_DISTANCES {
            return f32::INFINITY;
        }
        let mut distances: Vec<f32> = self.recent.iter().map(|r| r.distance).collect();
        let rank = (OUTLIER_QUANTILE * (distances.len() - 1) as f64) as usize;
        *distances.select_nth_unstable_by(rank, f32::total_cmp).1
    }

    /// Length of what all replicas must know of a row.
    #[must_use]
    pub fn sight_width(&self) -> usize {
        Sight::width(self.mean.len(), self.principal.dims())
    }

    /// Looks at assigned rows, given scaled and as a tensor, and writes what all replicas must know of each into `lines`.
    pub(super) fn look(
        &mut self,
        bench: &Workbench,
        (scaled, rows): (&[f32], Tensor<2>),
        verdicts: &[Verdict],
        lines: &mut [f32],
    ) {
        if self.network.is_empty() {
            self.network = bench.objective.layout().tensors(&self.reference, &bench.device);
        }
        let embeddings = values(bench.objective.infer(&self.network, rows).embedding);
        let rows = scaled.chunks_exact(self.principal.dims()).zip(embeddings.chunks_exact(self.mean.len()));
        let lines = lines.chunks_exact_mut(self.sight_width());
        for (((scaled, embedding), verdict), line) in rows.zip(verdicts).zip(lines) {
            let residuals = self.principal.residuals(scaled);
            let error = residuals.iter().sum::<f32>() / residuals.len().max(1) as f32;
            let (cluster, moved) = (verdict.cluster as u32, verdict.cluster != verdict.natural);
            let distance = verdict.distance;
            Sight { cluster, moved, distance, error, embedding, residuals: &residuals }.write(line);
        }
    }

    /// Takes in sights of all workers, in input order, and says what is to be reported.
    pub fn observe(&mut self, times: &[Option<i64>], lines: &[f32], version: i64) -> Vec<DriftEvent> {
        let mut events = Vec::new();
        for (time, line) in times.iter().zip(lines.chunks_exact(self.sight_width())) {
            let sight = Sight::read(line, self.mean.len());
            if self.recent.len() == RECENT {
                self.recent.pop_front();
            }
            self.recent.push_back(Recent { cluster: sight.cluster, moved: sight.moved, distance: sight.distance });
            for ((m, s), z) in self.mean.iter_mut().zip(&mut self.square).zip(sight.embedding) {
                let z = f64::from(*z);
                *m += (z - *m) / VARIANCE_ROWS;
                *s += (z * z - *s) / VARIANCE_ROWS;
            }
            let observation = Observation {
                event_time: *time,
                cluster: sight.cluster,
                reconstruction: sight.error,
                embedding: sight.embedding,
                residuals: sight.residuals,
            };
            events.extend(self.monitor.observe(&[observation], version));
        }
        events.into_iter().map(event).collect()
    }

    /// Shares of recent rows.
    #[must_use]
    pub fn shares(&self, clusters: usize) -> Vec<f64> {
        let mut shares = vec![0.0; clusters];
        for recent in &self.recent {
            shares[recent.cluster as usize] += 1.0 / self.recent.len() as f64;
        }
        shares
    }

    /// Fills in what the watch knows.
    pub fn report(&self, status: &mut Status, clusters: usize) {
        status.shares = self.shares(clusters);
        status.displaced = self.recent.iter().filter(|r| r.moved).count() as f64 / self.recent.len().max(1) as f64;
        status.reconstruction = self.monitor.reconstruction();
        status.embedding_variance = self.mean.iter().zip(&self.square).map(|(m, s)| (s - m * m).max(0.0)).sum();
        status.centroid_shift = self.monitor.centroid_shifts().to_vec();
        status.drift = self.monitor.scores().to_vec();
    }
}

fn event(event: crate::stats::drift::Event) -> DriftEvent {
    DriftEvent {
        event_time: event.event_time,
        signal: event.signal.name(),
        score: event.score,
        threshold: event.threshold,
        alarm: event.alarm,
        cluster: event.cluster,
        top_features: event.top_features,
        model_version: event.model_version,
    }
}
