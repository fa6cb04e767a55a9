//! One gradient step, cut where workers have to meet.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::noise::Noise;
use super::pairs::PairStore;
use super::sample::Sample;
use super::scaler::Scaler;
use crate::data::Row;
use crate::network::{Adam, Device, Tensor, matrix, values};
use crate::objective::{Constraint, Context, Inference, Objective, Pass, Seating, Second, Stage};
use crate::stats::projection;
use crate::stats::random::mix;

/// Device prices are solved anew every so many steps.
const PRICE_STEPS: u64 = 20;
/// Rows of one device that its prices are solved on.
const DEVICE_ROWS: usize = 60;
/// Rows of all devices that prices are solved on.
const MOST_DEVICE_ROWS: usize = 3_000;
const DEVICE_ROUNDS: usize = 10;

/// A row of a batch, and whose it is.
pub type Item = (Arc<Row>, u32);

/// Which part of a batch this worker computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// This worker.
    pub index: usize,
    /// All workers.
    pub peers: usize,
}

impl Part {
    /// The whole.
    pub const WHOLE: Self = Self { index: 0, peers: 1 };

    /// This worker's share of `count` things.
    #[must_use]
    pub fn of(self, count: usize) -> Range<usize> {
        count * self.index / self.peers..count * (self.index + 1) / self.peers
    }
}

/// Pairs of rows to learn from.
#[derive(Clone, Debug)]
pub struct Batch {
    /// First views.
    pub first: Vec<Item>,
    /// Second views: neighbours, or other rows.
    pub second: Vec<Item>,
    /// How many pairs at the start are fresh.
    pub fresh: usize,
    /// Which pairs are constrained, at the end of the batch.
    pub constraints: Vec<Constraint>,
    /// Where each constraint stands in the store it was drawn from.
    pub places: Vec<usize>,
    /// Seed of the augmentation.
    pub seed: u64,
    /// What is learned at present.
    pub stage: Stage,
    /// How much of the stage is over.
    pub progress: f64,
}

impl Batch {
    /// `fresh` samples, then `replayed` ones drawn from `pool`, each with its second view.
    pub fn draw(fresh: &[Sample], pool: &[Sample], replayed: usize, second: Second, rng: &mut ChaCha8Rng) -> Self {
        let mut first = Vec::with_capacity(fresh.len() + replayed);
        let mut others = Vec::with_capacity(fresh.len() + replayed);
        let replayed = if pool.is_empty() { 0 } else { replayed };
        for i in 0..fresh.len() + replayed {
            let sample = fresh.get(i).unwrap_or_else(|| &pool[rng.random_range(0..pool.len())]);
            first.push((Arc::clone(&sample.row), sample.key));
            others.push(match second {
                Second::Neighbour => {
                    let degree = sample.degree();
                    let pick = if degree == 0 { 0 } else { rng.random_range(0..degree) };
                    (Arc::clone(sample.neighbour(pick)), sample.key)
                }
                Second::Other => {
                    let from = if pool.is_empty() { fresh } else { pool };
                    let other = &from[rng.random_range(0..from.len())];
                    (Arc::clone(&other.row), other.key)
                }
                Second::Same => (Arc::clone(&sample.row), sample.key),
            });
        }
        let (stage, progress) = (Stage::Clustering, 1.0);
        let (constraints, places) = (Vec::new(), Vec::new());
        let (fresh, seed) = (fresh.len(), rng.random());
        Self { first, second: others, fresh, constraints, places, seed, stage, progress }
    }

    /// Puts constrained pairs in the place of up to this share of the replayed ones.
    pub fn constrain(&mut self, store: &PairStore, share: f64, rng: &mut ChaCha8Rng) {
        let replayed = self.first.len() - self.fresh;
        self.places = store.draw((share * replayed as f64).round() as usize, rng);
        let start = self.first.len() - self.places.len();
        for (at, place) in (start..).zip(&self.places) {
            let pair = &store.pairs()[*place];
            (self.first[at], self.second[at]) = (pair.first.clone(), pair.second.clone());
            self.constraints.push(Constraint { pair: at, link: pair.link, multiplier: pair.multiplier });
        }
    }

    /// What the objective may know of this batch.
    fn context<'a>(
        &'a self,
        goal: &Goal<'a>,
        evidence: &'a [f32],
        device_prices: &'a [f32],
        parameters: &'a [f32],
        slice: Range<usize>,
    ) -> Context<'a> {
        Context {
            pairs: self.first.len(),
            slice,
            fresh: self.fresh,
            evidence,
            device_prices,
            target: goal.target,
            strength: goal.strength,
            constraints: &self.constraints,
            stage: self.stage,
            progress: self.progress,
            parameters,
        }
    }

    fn rows(&self, pairs: Range<usize>) -> impl Iterator<Item = (usize, &Item)> {
        let count = self.first.len();
        let first = pairs.clone().map(|i| (i, &self.first[i]));
        first.chain(pairs.map(move |i| (count + i, &self.second[i])))
    }
}

/// What is trained, and what a step needs beside the batch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trained {
    /// All parameters of the network.
    pub parameters: Vec<f32>,
    /// The optimiser.
    pub adam: Adam,
    /// Device prices: key → `[clusters]`.
    pub prices: BTreeMap<u32, Vec<f32>>,
    /// Gradient steps since the fresh fit began.
    pub steps: u64,
}

impl Trained {
    /// An untrained network.
    #[must_use]
    pub fn new(objective: &dyn Objective, parameters: Vec<f32>) -> Self {
        let adam = Adam::new(parameters.len(), objective.adam());
        Self { parameters, adam, prices: BTreeMap::new(), steps: 0 }
    }
}

/// The tools of a step: shared by the online updates and the fresh fits.
#[derive(Clone)]
pub struct Workbench {
    /// The method.
    pub objective: Arc<dyn Objective>,
    /// Inference device.
    pub device: Device,
    /// Augmentation tables.
    pub noise: Arc<Noise>,
}

/// A step between its forward and its backward half.
pub struct Halfway {
    pairs: Range<usize>,
    leaves: Vec<Tensor<2>>,
    pass: Pass,
}

impl Workbench {
    /// Scaled rows: `[rows, features]`, row-major.
    #[must_use]
    pub fn scaled(&self, rows: &[Item], scaler: &Scaler) -> Vec<f32> {
        let mut scaled = Vec::with_capacity(rows.len() * scaler.width());
        for (row, key) in rows {
            scaler.scale(*key, &row.features, &mut scaled);
        }
        scaled
    }

    /// Scales rows into one matrix.
    pub fn matrix(&self, rows: &[Item], scaler: &Scaler, device: &Device) -> Tensor<2> {
        matrix(self.scaled(rows, scaler), rows.len(), scaler.width(), device)
    }

    /// Runs rows through a network without learning.
    #[must_use]
    pub fn infer(&self, parameters: &[f32], rows: &[Item], scaler: &Scaler) -> Inference {
        let matrices = self.objective.layout().tensors(parameters, &self.device);
        self.objective.infer(&matrices, self.matrix(rows, scaler, &self.device))
    }

    /// One part of what inference gives for rows, block by block: `[rows, width of the part]`.
    #[must_use]
    pub fn inferred(
        &self,
        parameters: &[f32],
        rows: &[Item],
        scaler: &Scaler,
        part: impl Fn(Inference) -> Tensor<2>,
    ) -> Vec<f32> {
        let matrices = self.objective.layout().tensors(parameters, &self.device);
        let infer = |block| self.objective.infer(&matrices, self.matrix(block, scaler, &self.device));
        rows.chunks(512).flat_map(|block| values(part(infer(block)))).collect()
    }

    /// The natural cluster of each row.
    #[must_use]
    pub fn labels(&self, parameters: &[f32], rows: &[Item], scaler: &Scaler) -> Vec<u32> {
        let scores = self.inferred(parameters, rows, scaler, |inference| inference.scores);
        scores.chunks_exact(self.objective.clusters()).map(|row| argmax(row) as u32).collect()
    }

    /// First half of a step: this worker's evidence, zero where other workers' rows stand.
    #[must_use]
    pub fn forward(&self, trained: &Trained, batch: &Batch, scaler: &Scaler, part: Part) -> (Halfway, Vec<f32>) {
        let pairs = part.of(batch.first.len());
        let objective = self.learning(batch.stage);
        let views = objective.views();
        let strengths = [1.0, self.objective.view_strength(&trained.parameters)];
        let width = scaler.width();
        let mut scaled = Vec::with_capacity(2 * pairs.len() * width);
        let mut other = Vec::with_capacity(width);
        let mut seeds = Vec::with_capacity(2 * pairs.len());
        let denoise = match batch.stage {
            Stage::Pretraining => self.objective.schedule().denoise as f32,
            Stage::Clustering | Stage::Refining => 0.0,
        };
        let mut whole = Vec::new();
        for (place, (row, key)) in batch.rows(pairs.clone()) {
            let start = scaled.len();
            scaler.scale(*key, &row.features, &mut scaled);
            let seed = mix(batch.seed ^ place as u64);
            let view = usize::from(place >= batch.first.len());
            let disturbance = views.disturbances[view].times(strengths[view]);
            other.clear();
            if disturbance.swap > 0.0 {
                let (row, key) = &batch.first[(mix(seed) % batch.first.len() as u64) as usize];
                scaler.scale(*key, &row.features, &mut other);
            }
            if denoise > 0.0 {
                whole.extend_from_slice(&scaled[start..]);
                self.noise.drop_features(&mut scaled[start..], seed, denoise);
            }
            self.noise.disturb(&mut scaled[start..], seed, disturbance, &other);
            seeds.push(seed);
        }
        let device = self.device.clone().autodiff();
        let leaves = self.objective.layout().leaves(&trained.parameters, &device);
        let mut pass = objective.forward(&leaves, matrix(scaled, 2 * pairs.len(), width, &device), &seeds);
        if denoise > 0.0 {
            pass.input = matrix(whole, 2 * pairs.len(), width, &device);
        }
        let own = objective.evidence(&pass);
        let line = objective.evidence_width();
        let mut evidence = vec![0.0; 2 * batch.first.len() * line];
        for ((place, _), row) in batch.rows(pairs.clone()).zip(own.chunks_exact(line.max(1))) {
            evidence[place * line..(place + 1) * line].copy_from_slice(row);
        }
        (Halfway { pairs, leaves, pass }, evidence)
    }

    /// Second half of a step: this worker's part of the gradient, given everyone's evidence.
    #[must_use]
    pub fn backward(
        &self,
        halfway: &Halfway,
        trained: &Trained,
        batch: &Batch,
        goal: &Goal<'_>,
        evidence: &[f32],
    ) -> Vec<f32> {
        let layout = self.objective.layout();
        if halfway.pairs.is_empty() {
            return vec![0.0; layout.len()];
        }
        let device_prices = self.device_prices_of(trained, batch, goal);
        let context = batch.context(goal, evidence, &device_prices, &trained.parameters, halfway.pairs.clone());
        let loss = self.learning(batch.stage).loss(&halfway.leaves, &halfway.pass, &context);
        layout.gradient(&loss, &halfway.leaves)
    }

    /// What device balance subtracts from the scaled logits of each row of the batch.
    fn device_prices_of(&self, trained: &Trained, batch: &Batch, goal: &Goal<'_>) -> Vec<f32> {
        let clusters = self.objective.clusters();
        let mut device_prices = vec![0.0; 2 * batch.first.len() * clusters];
        if goal.device_balance > 0.0 {
            for (place, (_, key)) in batch.rows(0..batch.first.len()) {
                if let Some(prices) = trained.prices.get(key) {
                    for (out, price) in device_prices[place * clusters..].iter_mut().zip(prices) {
                        *out = goal.device_balance * price;
                    }
                }
            }
        }
        device_prices
    }

    /// Ends a step: moves the parameters against everyone's gradient and lets the objective renew its state. Gives how much
    /// the constrained pairs agreed before the step.
    pub fn apply(
        &self,
        trained: &mut Trained,
        batch: &Batch,
        goal: &Goal<'_>,
        evidence: &[f32],
        gradient: &[f32],
        rate: f32,
    ) -> Vec<f32> {
        let rates = self.objective.layout().rates();
        let state = rates.iter().any(|(_, rate)| *rate == 0.0);
        // A copy of all parameters at every step only where somebody reads it.
        let read = state || !batch.constraints.is_empty();
        let before = if read { trained.parameters.clone() } else { Vec::new() };
        trained.adam.step(&mut trained.parameters, gradient, &rates, rate);
        let context = batch.context(goal, evidence, &[], &before, 0..batch.first.len());
        if state {
            self.objective.settle(&mut trained.parameters, &context);
        }
        if batch.constraints.is_empty() { Vec::new() } else { self.learning(batch.stage).agreements(&context) }
    }

    /// The parameters with clusters put where `rows` are.
    #[must_use]
    pub fn seat(&self, mut parameters: Vec<f32>, rows: &[Item], scaler: &Scaler, rng: &mut ChaCha8Rng) -> Vec<f32> {
        let (rows, embeddings) = self.embeddings(&parameters, rows, scaler);
        let seating = Seating { rows: &rows, embeddings: &embeddings, device: &self.device };
        self.objective.seat(&mut parameters, &seating, rng);
        parameters
    }

    /// Lets a refinement look at `rows`.
    pub fn review(&self, parameters: &mut [f32], rows: &[Item], scaler: &Scaler, rng: &mut ChaCha8Rng) {
        let (rows, embeddings) = self.embeddings(parameters, rows, scaler);
        let seating = Seating { rows: &rows, embeddings: &embeddings, device: &self.device };
        self.objective.review(parameters, &seating, rng);
    }

    /// What the objective says about how it learns from a batch of these rows.
    #[must_use]
    pub fn figures(&self, parameters: &[f32], rows: &[Item], scaler: &Scaler) -> Vec<(&'static str, f64)> {
        let (rows, embeddings) = self.embeddings(parameters, rows, scaler);
        let batch = Seating { rows: &rows, embeddings: &embeddings, device: &self.device };
        self.objective.figures(parameters, &batch)
    }

    /// Scaled rows and their embeddings.
    fn embeddings(&self, parameters: &[f32], rows: &[Item], scaler: &Scaler) -> (Vec<f32>, Vec<f32>) {
        let scaled = self.matrix(rows, scaler, &self.device);
        let matrices = self.objective.layout().tensors(parameters, &self.device);
        let embeddings = values(self.objective.infer(&matrices, scaled.clone()).embedding);
        (values(scaled), embeddings)
    }

    /// The method that learns in `stage`.
    #[must_use]
    pub fn learning(&self, stage: Stage) -> &dyn Objective {
        self.objective.in_stage(stage).unwrap_or(self.objective.as_ref())
    }

    /// Whether device prices are to be solved before the next step.
    #[must_use]
    pub fn prices_due(&self, trained: &Trained, device_balance: f32) -> bool {
        self.objective.code_temperature().is_some() && device_balance > 0.0 && trained.steps.is_multiple_of(PRICE_STEPS)
    }

    /// Up to 60 random rows of each device, device by device; some devices are left out when there are very many.
    #[must_use]
    pub fn device_rows(pool: &[Sample], rng: &mut ChaCha8Rng) -> Vec<(u32, usize, Vec<Item>)> {
        let mut groups = BTreeMap::<u32, Vec<usize>>::new();
        for (i, sample) in pool.iter().enumerate() {
            groups.entry(sample.key).or_default().push(i);
        }
        if groups.len() < 2 {
            return Vec::new();
        }
        let mut groups: Vec<(u32, Vec<usize>)> = groups.into_iter().collect();
        if groups.len() * DEVICE_ROWS > MOST_DEVICE_ROWS {
            groups.shuffle(rng);
            groups.truncate(MOST_DEVICE_ROWS / DEVICE_ROWS);
        }
        groups
            .into_iter()
            .map(|(key, mut members)| {
                let count = members.len();
                let (picked, _) = members.partial_shuffle(rng, DEVICE_ROWS);
                (key, count, picked.iter().map(|i| (Arc::clone(&pool[*i].row), key)).collect())
            })
            .collect()
    }

    /// This worker's scaled logits of the device rows, zero where other workers' rows stand.
    #[must_use]
    pub fn device_logits(
        &self,
        trained: &Trained,
        groups: &[(u32, usize, Vec<Item>)],
        scaler: &Scaler,
        part: Part,
    ) -> Vec<f32> {
        let rows: Vec<Item> = groups.iter().flat_map(|(_, _, rows)| rows.iter().cloned()).collect();
        let clusters = self.objective.clusters();
        let mut logits = vec![0.0; rows.len() * clusters];
        let own = part.of(rows.len());
        let temperature = self.objective.code_temperature().unwrap_or(1.0);
        for start in own.clone().step_by(512) {
            let end = (start + 512).min(own.end);
            let scores = values(self.infer(&trained.parameters, &rows[start..end], scaler).scores);
            for (out, score) in logits[start * clusters..end * clusters].iter_mut().zip(scores) {
                *out = score / temperature;
            }
        }
        logits
    }
}

/// Solves the device prices from zero: global prices first, then per device what it takes to bring that device's mean
/// responsibilities to the target, centred and shrunk.
///
/// ```text
/// U_d = (v - mean v) · n_d/(n_d + 30)
/// ```
///
/// Source: online-recipe.md, Part II, section 2.6b.
#[must_use]
pub fn device_prices(groups: &[(u32, usize, Vec<Item>)], logits: &[f32], target: &[f32]) -> BTreeMap<u32, Vec<f32>> {
    let clusters = target.len();
    let global = projection::prices(logits, target, DEVICE_ROUNDS);
    let mut start = 0;
    let mut table = BTreeMap::new();
    for (key, count, rows) in groups {
        let end = start + rows.len() * clusters;
        let shifted: Vec<f32> = logits[start..end]
            .chunks_exact(clusters)
            .flat_map(|row| row.iter().zip(&global).map(|(l, g)| l - g))
            .collect();
        let mut prices = projection::prices(&shifted, target, DEVICE_ROUNDS);
        projection::soften(&mut prices, *count as f32 / (*count as f32 + 30.0));
        table.insert(*key, prices);
        start = end;
    }
    table
}

/// What a step strives for.
#[derive(Clone, Copy, Debug)]
pub struct Goal<'a> {
    /// Shares: `[clusters]`.
    pub target: &'a [f32],
    /// Strength of the balance.
    pub strength: f32,
    /// Strength of the device balance.
    pub device_balance: f32,
}

/// Index of the largest value, the lowest of several.
#[must_use]
pub fn argmax(row: &[f32]) -> usize {
    let mut best = 0;
    for (i, value) in row.iter().enumerate() {
        if *value > row[best] {
            best = i;
        }
    }
    best
}

#[cfg(test)]
mod tests;
