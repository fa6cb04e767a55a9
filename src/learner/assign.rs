//! Assigning: each worker its part of the rows, and what the others must know of them.

use super::learner::Learner;
use super::online::{Online, verdict};
use super::trainer::Item;
use crate::network::{matrix, values};
use crate::replica::{Arrival, Assigned, Step};

/// Rows that go through the network at once.
const BLOCK: usize = 512;

/// Rows of an epoch that were assigned, each by one worker, and that no replica has observed yet.
#[derive(Debug)]
pub(super) struct Assignment {
    /// Event times, by row.
    times: Vec<Option<i64>>,
    /// The model that assigned them.
    version: i64,
    /// This worker's sights among zeros, until they have been handed out.
    lines: Option<Vec<f32>>,
}

impl Learner {
    /// Assigns rows with the model as it stands and emits this worker's part. Shares and drift are replicated, so that every
    /// replica must know of every row: the sights of the part cross workers with the epoch's next vector.
    pub(super) fn assign(&mut self, arrivals: &[Arrival], items: &[Item]) {
        let Some(online) = &mut self.online else { return };
        let width = online.watch.sight_width();
        let mut lines = vec![0.0; arrivals.len() * width];
        let own = self.part.of(arrivals.len());
        let limit = online.watch.outlier_distance();
        for start in own.clone().step_by(BLOCK) {
            let block = start..(start + BLOCK).min(own.end);
            let lines = &mut lines[block.start * width..block.end * width];
            let rows = (&arrivals[block.clone()], &items[block]);
            self.output.assigned.extend(online.assign(rows, (false, limit, self.version), lines));
        }
        let times = arrivals.iter().map(|arrival| arrival.row.event_time).collect();
        self.unobserved = Some(Assignment { times, version: self.version, lines: Some(lines) });
    }

    /// Assigns the rows that the first model was fitted on, all of them on every worker: they come once. They leave before
    /// the other rows of their epoch, from one worker, so that none of another's follow them.
    pub(super) fn assign_warm_up(&mut self, arrivals: &[Arrival], items: &[Item]) {
        let Some(online) = &mut self.online else { return };
        let limit = online.watch.outlier_distance();
        for (arrivals, items) in arrivals.chunks(BLOCK).zip(items.chunks(BLOCK)) {
            let mut lines = vec![0.0; arrivals.len() * online.watch.sight_width()];
            let assigned = online.assign((arrivals, items), (true, limit, self.version), &mut lines);
            if self.part.index == 0 {
                self.output.assigned.extend(assigned);
            }
            let times: Vec<_> = arrivals.iter().map(|arrival| arrival.row.event_time).collect();
            self.output.drift.extend(online.watch.observe(&times, &lines, self.version));
        }
    }

    /// Lets this worker's sights ride on what crosses workers next; alone if nothing does.
    pub(super) fn with_sights(&mut self, step: Step) -> Step {
        let Some(lines) = self.unobserved.as_mut().and_then(|assignment| assignment.lines.take()) else { return step };
        match step {
            Step::Exchange(mut values) => {
                values.extend(lines);
                Step::Exchange(values)
            }
            Step::Done => Step::Exchange(lines),
        }
    }

    /// Takes the sights of all workers off the end of a total and observes them in the order of the input.
    pub(super) fn observe(&mut self, total: &mut Vec<f32>) {
        let (Some(assignment), Some(online)) = (self.unobserved.take(), &mut self.online) else { return };
        let lines = total.split_off(total.len() - assignment.times.len() * online.watch.sight_width());
        self.output.drift.extend(online.watch.observe(&assignment.times, &lines, assignment.version));
    }
}

impl Online {
    /// Assigns a block of rows and writes what all must know of them into `lines`. `as_of`: whether the model has seen them,
    /// the distance of outliers, and the model's version.
    fn assign(
        &mut self,
        (arrivals, items): (&[Arrival], &[Item]),
        as_of: (bool, f32, i64),
        lines: &mut [f32],
    ) -> Vec<Assigned> {
        let (objective, device) = (&self.bench.objective, &self.bench.device);
        let scaled = self.bench.scaled(items, &self.scaler);
        let rows = matrix(scaled.clone(), items.len(), self.scaler.width(), device);
        let inference = objective.infer(&objective.layout().tensors(&self.teacher, device), rows.clone());
        let (scores, distances) = (values(inference.scores), values(inference.distances));
        let clusters = objective.clusters();
        let rows_of = scores.chunks_exact(clusters).zip(distances.chunks_exact(clusters));
        let verdicts: Vec<_> = rows_of.map(|(scores, distances)| verdict(scores, distances, &self.prices)).collect();
        self.watch.look(&self.bench, (&scaled, rows), &verdicts, lines);
        let (warmup, limit, version) = as_of;
        let assigned = arrivals.iter().zip(verdicts);
        assigned.map(|(arrival, verdict)| verdict.assigned(arrival.clone(), warmup, limit, version)).collect()
    }
}
