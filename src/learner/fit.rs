//! A fresh network from the rows of a pool: the first model and every challenger.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::seq::index::sample;
use serde::{Deserialize, Serialize};

use super::parameters::PerKey;
use super::sample::Sample;
use super::scaler::Scaler;
use super::settings::Settings;
use super::trainer::{Batch, Goal, Item, Part, Trained, Workbench, device_prices};
use crate::network::values;
use crate::stats::random::stream;

/// Pairs per gradient step.
const PAIRS: usize = 128;
const RATE: f32 = 1e-3;
/// Steps over which the learning rate rises.
const RISE: usize = 30;
/// Rows that clusters are seated on.
const SEATING_ROWS: usize = 2_000;

/// What one fit is told beside the pool.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FitPlan {
    /// Gradient steps.
    pub steps: usize,
    /// Number of the fit, which its randomness derives from.
    pub number: u64,
    /// Which of the fit's candidates this is.
    pub candidate: usize,
    /// Device balance.
    pub per_key: PerKey,
}

/// Trains from scratch: learning rate 1e-3 with a 30-step rise and cosine to 0, codes balanced over the whole batch. A pure
/// function of its arguments; `progress` counts finished steps for whoever waits.
#[must_use]
pub fn fit(
    bench: &Workbench,
    settings: &Settings,
    plan: FitPlan,
    pool: &[Sample],
    scaler: &Scaler,
    target: &[f32],
    progress: &AtomicUsize,
) -> Vec<f32> {
    let objective = bench.objective.as_ref();
    let number = plan.number * 64 + plan.candidate as u64;
    let mut rng = stream(settings.seed, "fit", number);
    let mut trained = Trained::new(objective, objective.layout().draw(&mut stream(settings.seed, "network", number)));
    let seating = (objective.pretraining() * plan.steps as f64).round() as usize;
    for step in 0..plan.steps {
        if seating > 0 && step == seating {
            let picked = sample(&mut rng, pool.len(), pool.len().min(SEATING_ROWS));
            let rows: Vec<Item> = picked.iter().map(|i| (Arc::clone(&pool[i].row), pool[i].key)).collect();
            let embeddings = values(bench.infer(&trained.parameters, &rows, scaler).embedding);
            let mut parameters = trained.parameters;
            objective.seat(&mut parameters, &embeddings, &mut rng);
            trained = Trained::new(objective, parameters);
        }
        let goal = Goal {
            target,
            strength: settings.balance.strength as f32,
            device_balance: settings.device_balance(plan.per_key, step, plan.steps),
        };
        if bench.prices_due(&trained, goal.device_balance) {
            let groups = Workbench::device_rows(pool, &mut rng);
            let logits = bench.device_logits(&trained, &groups, scaler, Part::WHOLE);
            trained.prices = device_prices(&groups, &logits, target);
        }
        let mut batch = Batch::draw(&[], pool, PAIRS, objective.views().neighbours, &mut rng);
        batch.pretraining = step < seating;
        let (halfway, evidence) = bench.forward(&trained, &batch, scaler, Part::WHOLE);
        let gradient = bench.backward(&halfway, &trained, &batch, &goal, &evidence);
        let cosine = 0.5 * (1.0 + (std::f32::consts::PI * step as f32 / plan.steps as f32).cos());
        let rise = ((step + 1) as f32 / RISE as f32).min(1.0);
        trained.adam.step(&mut trained.parameters, &gradient, RATE * rise * cosine);
        trained.steps += 1;
        progress.store(step + 1, Ordering::Release);
    }
    trained.parameters
}
