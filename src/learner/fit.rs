//! A fresh network from the rows of a pool: the first model and every challenger.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;

use super::meeting::{Meeting, Seat};
use super::pairs::PairStore;
use super::parameters::PerKey;
use super::reseating::Reseating;
use super::sample::Sample;
use super::scaler::Scaler;
use super::settings::Settings;
use super::trainer::{Batch, Goal, Item, Part, Trained, Workbench, device_prices};
use crate::network::Adam;
use crate::objective::Stage;
use crate::stats::random::stream;
use crate::telemetry::failpoint;

/// Steps between two looks at how the objective learns.
const FIGURES_EVERY: usize = 100;

/// What one fit is told beside the pool.
#[derive(Clone, Debug, PartialEq)]
pub struct FitPlan {
    /// Gradient steps.
    pub steps: usize,
    /// Number of the fit, which its randomness derives from.
    pub number: u64,
    /// Which of the fit's candidates this is.
    pub candidate: usize,
    /// Device balance.
    pub per_key: PerKey,
    /// Pairs known to belong together or apart; their multipliers move as the fit goes on.
    pub pairs: Arc<PairStore>,
    /// Threads that share its steps. Like the number of workers, it changes nothing but the order of additions.
    pub threads: usize,
}

/// Trains from scratch by the objective's own schedule, codes balanced over the whole batch. A pure function of its arguments;
/// `progress` counts finished steps for whoever waits.
#[must_use]
pub fn fit(
    bench: &Workbench,
    settings: &Settings,
    plan: &FitPlan,
    pool: &[Sample],
    scaler: &Scaler,
    target: &[f32],
    progress: &AtomicUsize,
) -> Vec<f32> {
    let meeting = Meeting::new(plan.threads);
    let ignored = AtomicUsize::new(0);
    let (meeting, ignored) = (&meeting, &ignored);
    let share = move |index: usize, progress: &AtomicUsize| {
        let (part, seat) = (Part { index, peers: plan.threads }, meeting.seat(index));
        share(bench, settings, plan, (pool, scaler, target), part, seat, progress)
    };
    thread::scope(|scope| {
        for index in 1..plan.threads {
            scope.spawn(move || share(index, ignored));
        }
        share(0, progress)
    })
}

/// What one thread does of a fit: its part of every batch. All threads come to the same parameters.
fn share(
    bench: &Workbench,
    settings: &Settings,
    plan: &FitPlan,
    (pool, scaler, target): (&[Sample], &Scaler, &[f32]),
    part: Part,
    mut seat: Seat<'_>,
    progress: &AtomicUsize,
) -> Vec<f32> {
    let objective = bench.objective.as_ref();
    let number = plan.number * 64 + plan.candidate as u64;
    let mut rng = stream(settings.seed, "fit", number);
    let mut trained = Trained::new(objective, objective.layout().draw(&mut stream(settings.seed, "network", number)));
    let mut pairs = PairStore::clone(&plan.pairs);
    let schedule = objective.schedule();
    let [(_, pretraining), (_, clustering), (_, refining)] = schedule.stages(plan.steps);
    let pick = |rng: &mut ChaCha8Rng| -> Vec<Item> {
        let picked = sample(rng, pool.len(), pool.len().min(schedule.seating_rows));
        picked.iter().map(|i| (Arc::clone(&pool[i].row), pool[i].key)).collect()
    };
    let seated = |parameters: Vec<f32>, rows: &[Item], rng: &mut ChaCha8Rng| {
        Trained::new(objective, bench.seat(parameters, rows, scaler, rng))
    };
    let mut reseating: Option<Reseating> = None;
    for step in 0..plan.steps {
        if step == pretraining.end && (step > 0 || schedule.seats_first) {
            let rows = pick(&mut rng);
            let again = (clustering.len(), settings.reseats());
            reseating = Reseating::new(bench, &trained.parameters, &rows, &pairs, scaler, again);
            trained = seated(trained.parameters, &rows, &mut rng);
        }
        if let Some(reseating) = reseating.as_mut().filter(|reseating| reseating.due(step - clustering.start)) {
            (trained, pairs) = reseating.look(bench, (trained, pairs), &plan.pairs, scaler, part.index == 0);
        }
        if refining.contains(&step) && (step - refining.start).is_multiple_of(schedule.review_steps) {
            let rows = pick(&mut rng);
            bench.review(&mut trained.parameters, &rows, scaler, &mut rng);
        }
        if step > 0 && step == refining.start {
            // Moments of another loss say nothing about this one.
            trained.adam = Adam::new(trained.parameters.len(), objective.adam());
        }
        if part.index == 0 && step == refining.start + refining.len() / 2 {
            failpoint(if plan.number == 0 { "first-fit-refines" } else { "challenger-refines" });
        }
        if part.index == 0 && step.is_multiple_of(FIGURES_EVERY) && tracing::enabled!(tracing::Level::DEBUG) {
            let mut rng = stream(settings.seed, "figures", number);
            let picked = sample(&mut rng, pool.len(), pool.len().min(2 * schedule.pairs));
            let rows: Vec<Item> = picked.iter().map(|i| (Arc::clone(&pool[i].row), pool[i].key)).collect();
            for (figure, value) in bench.figures(&trained.parameters, &rows, scaler) {
                tracing::debug!(fit = plan.number, candidate = plan.candidate, step, figure, value, "fitting");
            }
        }
        let goal = Goal {
            target,
            strength: settings.balance.strength as f32,
            device_balance: settings.device_balance(plan.per_key, step, plan.steps),
        };
        if bench.prices_due(&trained, goal.device_balance) {
            let groups = Workbench::device_rows(pool, &mut rng);
            let logits = seat.sum(bench.device_logits(&trained, &groups, scaler, part));
            trained.prices = device_prices(&groups, &logits, target);
        }
        let (stage, stage_progress) = schedule.stage(step, plan.steps);
        let second = bench.learning(stage).views().second;
        let mut batch = Batch::draw(&[], pool, schedule.pairs, second, &mut rng);
        (batch.stage, batch.progress) = (stage, stage_progress);
        // Before there are clusters no pair can share one; a refinement needs two views of one row.
        if stage == Stage::Clustering {
            batch.constrain(&pairs, settings.batch_share(), &mut rng);
        }
        let (halfway, evidence) = bench.forward(&trained, &batch, scaler, part);
        let evidence = seat.sum(evidence);
        let gradient = seat.sum(bench.backward(&halfway, &trained, &batch, &goal, &evidence));
        let rate = schedule.rate(step, plan.steps);
        let agreements = bench.apply(&mut trained, &batch, &goal, &evidence, &gradient, rate);
        pairs.ascend(&batch.places, &agreements);
        trained.steps += 1;
        progress.store(step + 1, Ordering::Release);
    }
    if pretraining.end == plan.steps && plan.steps > 0 {
        trained = seated(trained.parameters, &pick(&mut rng), &mut rng);
    }
    trained.parameters
}
