//! Fresh fits: the first model and its challengers.

use std::sync::Arc;

use super::fit::{FitPlan, fit};
use super::jury::Jury;
use super::learner::Learner;
use super::nursery::{Job, Training};
use super::online::{Online, Refresh};
use super::pairs::PairStore;
use super::parameters::PerKey;
use super::sample::Sample;
use super::scaler::Scaler;
use super::trainer::{Trained, Workbench};
use crate::replica::ReplicaError;
use crate::stats::random::stream;
use crate::stats::{all_finite, maximum_matching};

/// A challenger is promoted this many updates after its fit began, so that no result depends on how fast it was.
const REFRESH_UPDATES: u64 = 16;
/// Rows from which the distance between refreshes doubles.
const DOUBLING_ROWS: u64 = 4_000;

/// A network, its score, and its labels of the judged rows.
type Judged = (Vec<f32>, f64, Vec<u32>);

impl Learner {
    /// Candidates differ in their seed; where every device is said to show every cluster, every second one lets device balance
    /// fade (online-recipe.md, Part II, section 2.8).
    fn plans(&self, number: u64, steps: usize, pairs: &Arc<PairStore>, threads: usize) -> Vec<FitPlan> {
        let per_key = self.settings.balance.per_key;
        let kind = |candidate: usize| match per_key {
            PerKey::Constant if candidate % 2 == 1 => PerKey::Fading,
            other => other,
        };
        (0..self.settings.learning.candidates)
            .map(|candidate| {
                let (per_key, pairs) = (kind(candidate), Arc::clone(pairs));
                FitPlan { steps, number, candidate, per_key, pairs, threads }
            })
            .collect()
    }

    pub(super) fn start_fit(
        &self,
        bench: &Workbench,
        (number, steps): (u64, usize),
        pool: &Arc<Vec<Sample>>,
        pairs: &Arc<PairStore>,
        scaler: &Arc<Scaler>,
        target: &[f32],
    ) -> Result<Arc<Job>, ReplicaError> {
        // All workers wait for fit 0, the first model; a challenger runs beside them.
        let threads = if number == 0 { self.part.peers } else { 1 };
        let plans = self.plans(number, steps, pairs, threads);
        let candidates = plans.len();
        let (bench, settings, target) = (bench.clone(), Arc::clone(&self.settings), target.to_vec());
        let (pool, scaler) = (Arc::clone(pool), Arc::clone(scaler));
        let training: Training = Arc::new(move |candidate, progress| {
            fit(&bench, &settings, &plans[candidate], &pool, &scaler, &target, progress)
        });
        self.nursery.start(number, candidates, &training)
    }

    /// The rows that networks of fit `number` are compared on.
    pub(super) fn jury(&self, pool: &[Sample], scaler: &Scaler, number: u64) -> Jury {
        Jury::draw(pool, scaler, &mut stream(self.settings.seed, "judge", number))
    }

    /// The candidates that did not break down in training.
    pub(super) fn usable(mut results: Vec<Vec<f32>>) -> Result<Vec<Vec<f32>>, ReplicaError> {
        results.retain(|parameters| all_finite(parameters));
        let advice = "training broke down: scale the features, or lower the weights of the objective";
        if results.is_empty() { Err(ReplicaError::Model(advice.to_owned())) } else { Ok(results) }
    }

    /// The candidate with the highest score, the first of several; nothing if there are none.
    pub(super) fn best(bench: &Workbench, usable: Vec<Vec<f32>>, jury: &Jury, scaler: &Scaler) -> Option<Judged> {
        let mut best: Option<Judged> = None;
        for parameters in usable {
            let (score, labels) = jury.score(bench, &parameters, scaler);
            if best.as_ref().is_none_or(|(_, old, _)| score > *old) {
                best = Some((parameters, score, labels));
            }
        }
        best
    }

    /// Starts, paces or promotes a challenger. `last`: the input is over, the challenger is promoted now.
    pub(super) fn refresh(&mut self, last: bool) -> Result<(), ReplicaError> {
        let learning = &self.settings.learning;
        let Some(mut online) = self.online.take() else { return Ok(()) };
        let due = online.refresh.is_none() && !last && learning.refresh_steps > 0 && self.seen >= online.next_refresh;
        if due {
            let growth = if online.next_refresh as f64 * learning.refresh_growth < DOUBLING_ROWS as f64 {
                learning.refresh_growth
            } else {
                learning.refresh_growth.max(2.0)
            };
            online.next_refresh = (online.next_refresh as f64 * growth) as u64;
            online.refresh = Some(Refresh {
                number: self.version as u64,
                updates: 0,
                pool: Arc::new(online.reservoir.anchors().to_vec()),
                pairs: Arc::new(online.pairs.renewed()),
                scaler: Arc::new(online.scaler.clone()),
                target: self.settings.target(|| online.watch.shares(self.settings.model.clusters)),
                job: None,
            });
        }
        if let Some(mut refresh) = online.refresh.take() {
            let job = match refresh.job.take() {
                Some(job) => job,
                None => self.start_fit(
                    &online.bench,
                    (refresh.number, learning.refresh_steps),
                    &refresh.pool,
                    &refresh.pairs,
                    &refresh.scaler,
                    &refresh.target,
                )?,
            };
            refresh.updates += u64::from(!due && !last);
            if last || refresh.updates >= REFRESH_UPDATES {
                let results = job.results()?;
                self.challenge(&mut online, results, refresh.number);
            } else {
                job.pace(learning.refresh_steps * refresh.updates as usize / REFRESH_UPDATES as usize)?;
                refresh.job = Some(job);
                online.refresh = Some(refresh);
            }
        }
        self.online = Some(online);
        Ok(())
    }

    /// Replaces the model by the best candidate if that one scores higher on the reservoir.
    fn challenge(&self, online: &mut Online, results: Vec<Vec<f32>>, number: u64) {
        let clusters = self.settings.model.clusters;
        let jury = self.jury(online.reservoir.anchors(), &online.scaler, number);
        let (incumbent, old) = jury.score(&online.bench, &online.teacher, &online.scaler);
        let usable = match Self::usable(results) {
            Ok(usable) => usable,
            Err(error) => {
                if self.part.index == 0 {
                    tracing::warn!(%error, "no challenger can be used, the model stays");
                }
                return;
            }
        };
        let best = Self::best(&online.bench, usable, &jury, &online.scaler);
        let Some((mut rival, challenger, new)) = best else { return };
        // All replicas come to the same end.
        if self.part.index == 0 {
            tracing::info!(incumbent, challenger, promoted = challenger > incumbent, "challenger compared");
        }
        if challenger <= incumbent {
            return;
        }
        let mut agreement = vec![0i64; clusters * clusters];
        for (new, old) in new.iter().zip(&old) {
            agreement[*old as usize * clusters + *new as usize] += 1;
        }
        let order: Vec<usize> = maximum_matching(&agreement, clusters, clusters).into_iter().flatten().collect();
        online.bench.objective.renumber(&mut rival, &order);
        online.trained = Trained::new(online.bench.objective.as_ref(), rival.clone());
        online.pairs = online.pairs.renewed();
        online.watch.refer(&online.bench, &rival, jury.rows(), &online.scaler);
        online.teacher = rival;
    }
}
