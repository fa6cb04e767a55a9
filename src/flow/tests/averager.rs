//! A model that is easy to predict and hard to please: what it holds depends on every row, every total and their order.

use serde::{Deserialize, Serialize};

use super::rig::{Fault, Journal};
use crate::connector::Share;
use crate::data::{Row, RowPair};
use crate::replica::{Arrival, Assigned, DriftEvent, Output, Replica, ReplicaError, Status, Step};

/// Everything a restart needs. All numbers are whole and small, so that sums do not depend on the order of additions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    /// Epochs that are finished.
    pub epochs: u64,
    /// Rows that were seen.
    pub rows: u64,
    /// Their features, as they came back from the other workers.
    pub sum: f32,
    /// Changes with every total.
    pub mark: u32,
    /// First offsets of the pairs that came, each with the number of the epoch it came with.
    pub pairs: Vec<(u64, i64)>,
    /// Rows that leave with the next epoch's.
    held: Vec<Row>,
}

/// Adds features up and labels the rows of an epoch one epoch later.
pub(super) struct Averager {
    share: Share,
    fault: Fault,
    journal: Journal,
    state: State,
    held: Vec<Arrival>,
    arrivals: Vec<Arrival>,
    /// Rounds of this epoch, and how many are left.
    rounds: (u64, u64),
    ending: bool,
    output: Output,
}

impl Averager {
    pub(super) fn new(share: Share, fault: Fault, journal: Journal) -> Self {
        let (state, held, arrivals, output) = Default::default();
        Self { share, fault, journal, state, held, arrivals, rounds: (0, 0), ending: false, output }
    }

    pub(super) fn restore(&mut self, snapshot: &[u8]) {
        self.state = postcard::from_bytes(snapshot).unwrap();
        // What is only passed through is not in the snapshot; the rows of `batches` have it in their offsets.
        self.held = self.state.held.iter().map(|row| super::arrival(row.clone())).collect();
    }

    fn mine(&self, arrival: &Arrival) -> bool {
        arrival.row.sequence as usize % self.share.peers == self.share.index
    }

    /// What this worker computed, zero elsewhere.
    fn part(&self) -> Vec<f32> {
        let bias = if self.rounds.0 == self.rounds.1 { 0.0 } else { (self.state.mark % 7) as f32 };
        let value = |arrival: &Arrival| if self.mine(arrival) { arrival.row.features[0] + bias } else { 0.0 };
        self.arrivals.iter().map(value).collect()
    }

    fn release(&mut self) {
        // Rows may wait over the end of a pass, as those of a warm-up do.
        if self.arrivals.is_empty() && !self.ending {
            return;
        }
        let cluster = self.state.mark;
        let held = std::mem::replace(&mut self.held, std::mem::take(&mut self.arrivals));
        let ready = if self.ending { [held, std::mem::take(&mut self.held)].concat() } else { held };
        let assigned = ready.into_iter().filter(|arrival| self.mine(arrival)).map(|arrival| Assigned {
            arrival,
            cluster,
            natural_cluster: cluster,
            balance_cost: 0.0,
            warmup: false,
            confidence: 1.0,
            distance: 0.0,
            outlier: false,
            model_version: 1,
        });
        let assigned: Vec<Assigned> = assigned.collect();
        self.output.assigned.extend(assigned);
        self.state.held = self.held.iter().map(|arrival| Row::clone(&arrival.row)).collect();
    }
}

impl Replica for Averager {
    fn begin(&mut self, arrivals: Vec<Arrival>) {
        self.state.rows += arrivals.len() as u64;
        self.arrivals = arrivals;
        let rounds = if self.arrivals.is_empty() { 0 } else { 1 + self.state.epochs % 3 };
        self.rounds = (rounds, rounds);
    }

    fn pair(&mut self, pairs: Vec<RowPair>) {
        assert!(self.arrivals.is_empty(), "pairs come before the rows of their epoch");
        for ([first, _], _) in pairs {
            self.state.mark = (31 * self.state.mark + first.offset as u32 + 7) % 65_521;
            self.state.pairs.push((self.state.epochs, first.offset));
        }
    }

    fn end(&mut self) {
        self.ending = true;
        self.rounds = (2, 2);
    }

    fn advance(&mut self, total: Option<Vec<f32>>) -> Result<Step, ReplicaError> {
        let epoch = self.state.epochs;
        if self.fault == Fault::ModelPanics(self.share.index, epoch) {
            panic!("the model panics, as it is told to");
        }
        if self.fault == Fault::Model(self.share.index, epoch) {
            return Err(ReplicaError::Model("as it is told to".to_owned()));
        }
        if let Some(total) = total {
            let first = self.rounds.0 == self.rounds.1 + 1;
            let total: f32 = total.iter().sum();
            self.state.sum += if first { total } else { 0.0 };
            self.state.mark = (31 * self.state.mark + total as u32 + 1) % 65_521;
        }
        if self.rounds.1 > 0 {
            let part = self.part();
            self.rounds.1 -= 1;
            return Ok(Step::Exchange(part));
        }
        self.release();
        Ok(Step::Done)
    }

    fn take(&mut self) -> Output {
        self.output.drift.push(DriftEvent {
            event_time: None,
            signal: "sum",
            score: f64::from(self.state.sum),
            threshold: None,
            alarm: false,
            cluster: None,
            top_features: Vec::new(),
            model_version: 1,
        });
        let mut states = self.journal.states.lock().unwrap();
        self.state.epochs += 1;
        states.entry(self.state.epochs - 1).or_default().insert(self.share.index, self.snapshot());
        std::mem::take(&mut self.output)
    }

    fn snapshot(&self) -> Vec<u8> {
        postcard::to_stdvec(&self.state).unwrap()
    }

    fn status(&self) -> Status {
        Status { rows: self.state.rows, ..Status::default() }
    }
}
