//! The update, phase by phase: everything between two exchanges.

use std::collections::BTreeMap;

use super::learner::Learner;
use super::sample::Sample;
use super::trainer::{Batch, Goal, Halfway, Item, Workbench, device_prices};
use crate::objective::Stage;
use crate::replica::{Arrival, ReplicaError, Step};
use crate::stats::all_finite;
use crate::stats::random::stream;

/// What the teacher keeps of itself at every step.
const TEACHER: f32 = 0.99;

/// Where an epoch stands between two calls of `advance`.
pub(super) enum Phase {
    Idle,
    Begin(Vec<Arrival>),
    End,
    Update,
    Prepare { chunk: Vec<Sample>, step: usize },
    Prices { chunk: Vec<Sample>, step: usize, groups: Vec<(u32, usize, Vec<Item>)> },
    Forward { chunk: Vec<Sample>, step: usize },
    Backward { chunk: Vec<Sample>, step: usize, batch: Batch, halfway: Box<Halfway> },
    Apply { chunk: Vec<Sample>, step: usize, batch: Batch, evidence: Vec<f32> },
    Bounds,
}

/// What follows a phase, and what has to cross workers before it.
type Next = (Phase, Option<Step>);

impl Learner {
    pub(super) fn step(&mut self, phase: Phase, total: Option<Vec<f32>>) -> Result<Next, ReplicaError> {
        let learning = self.settings.learning.clone();
        match phase {
            Phase::Idle => return Ok((Phase::Idle, Some(Step::Done))),
            Phase::Begin(arrivals) => {
                self.begin_epoch(arrivals)?;
                return Ok((Phase::Update, None));
            }
            Phase::End => {
                if self.online.is_none() {
                    self.warm_up()?;
                }
                self.refresh(true)?;
                return Ok((Phase::Idle, Some(Step::Done)));
            }
            _ => {}
        }
        let version = self.version;
        let seed = self.settings.seed;
        let Some(online) = &mut self.online else { return Ok((Phase::Idle, Some(Step::Done))) };
        let number = |step: usize| version as u64 * 1_000 + step as u64;
        let device_balance = self.settings.online_device_balance();
        match phase {
            Phase::Update if online.waiting.len() < learning.chunk_rows => Ok((Phase::Idle, Some(Step::Done))),
            Phase::Update => {
                let rest = online.waiting.split_off(learning.chunk_rows);
                let chunk = std::mem::replace(&mut online.waiting, rest);
                Ok((Phase::Prepare { chunk, step: 0 }, None))
            }
            Phase::Prepare { chunk, step } if step == learning.steps => {
                self.finish_update(chunk)?;
                if self.bounds().is_none() {
                    return Ok((Phase::Update, None));
                }
                let part = self.part;
                let costs = self.online.as_ref().map_or_else(Vec::new, |online| online.costs(part));
                Ok((Phase::Bounds, Some(Step::Exchange(costs))))
            }
            Phase::Bounds => {
                let bounds =
                    self.settings.balance.min_share.unwrap_or(0.0)..=self.settings.balance.max_share.unwrap_or(1.0);
                online.price(&total.unwrap_or_default(), *bounds.start(), *bounds.end());
                Ok((Phase::Update, None))
            }
            Phase::Prepare { chunk, step } => {
                if !online.bench.prices_due(&online.trained, device_balance) {
                    return Ok((Phase::Forward { chunk, step }, None));
                }
                let rng = &mut stream(seed, "devices", number(step));
                let groups = Workbench::device_rows(online.reservoir.anchors(), rng);
                let logits = online.bench.device_logits(&online.trained, &groups, &online.scaler, self.part);
                Ok((Phase::Prices { chunk, step, groups }, Some(Step::Exchange(logits))))
            }
            Phase::Prices { chunk, step, groups } => {
                let target = self.settings.target(|| online.watch.shares(self.settings.model.clusters));
                online.trained.prices = match groups.is_empty() {
                    true => BTreeMap::new(),
                    false => device_prices(&groups, &total.unwrap_or_default(), &target),
                };
                Ok((Phase::Forward { chunk, step }, None))
            }
            Phase::Forward { chunk, step } => {
                let fresh: &[Sample] = if step == 0 { &chunk } else { &[] };
                let replayed = learning.chunk_rows * learning.replay_ratio;
                let rng = &mut stream(seed, "batch", number(step));
                let stage = online.bench.objective.schedule().last_stage();
                let second = online.bench.learning(stage).views().second;
                let mut batch = Batch::draw(fresh, online.reservoir.anchors(), replayed, second, rng);
                batch.stage = stage;
                if stage == Stage::Clustering {
                    batch.constrain(&online.pairs, self.settings.batch_share(), rng);
                }
                let (halfway, evidence) = online.bench.forward(&online.trained, &batch, &online.scaler, self.part);
                Ok((Phase::Backward { chunk, step, batch, halfway: Box::new(halfway) }, Some(Step::Exchange(evidence))))
            }
            Phase::Backward { chunk, step, batch, halfway } => {
                let target = self.settings.target(|| online.watch.shares(self.settings.model.clusters));
                let strength = self.settings.balance.strength as f32;
                let goal = Goal { target: &target, strength, device_balance };
                let evidence = total.unwrap_or_default();
                let gradient = online.bench.backward(&halfway, &online.trained, &batch, &goal, &evidence);
                Ok((Phase::Apply { chunk, step, batch, evidence }, Some(Step::Exchange(gradient))))
            }
            Phase::Apply { chunk, step, batch, evidence } => {
                let gradient = total.unwrap_or_default();
                if all_finite(&gradient) {
                    let target = self.settings.target(|| online.watch.shares(self.settings.model.clusters));
                    let strength = self.settings.balance.strength as f32;
                    let goal = Goal { target: &target, strength, device_balance };
                    let rate = online.bench.objective.schedule().online_rate;
                    let agreements = online.bench.apply(&mut online.trained, &batch, &goal, &evidence, &gradient, rate);
                    online.pairs.ascend(&batch.places, &agreements);
                } else {
                    self.skipped += 1;
                    tracing::warn!(model_version = version, "gradient is not finite, step left out");
                }
                online.trained.steps += 1;
                let layout = online.bench.objective.layout();
                layout.average(&mut online.teacher, &online.trained.parameters, TEACHER);
                Ok((Phase::Prepare { chunk, step: step + 1 }, None))
            }
            Phase::Idle | Phase::Begin(_) | Phase::End => unreachable!("handled above"),
        }
    }
}
