//! One objective on one array.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::error::ArrayError;
use super::model::Model;
use super::rows::Rows;
use crate::data::{ScaleParameters, ScalePer};
use crate::learner::fit::{FitPlan, fit};
use crate::learner::matchmaker::Matchmaker;
use crate::learner::nearest::nearest;
use crate::learner::noise::Noise;
use crate::learner::pairs::PairStore;
use crate::learner::parameters::{BalanceParameters, LearningParameters, ModelParameters, PerKey, Target};
use crate::learner::reservoir::{Nearness, Reservoir};
use crate::learner::sample::Sample;
use crate::learner::scaler::Scaler;
use crate::learner::settings::Settings;
use crate::learner::supervision::Supervision;
use crate::learner::trainer::{Item, Workbench};
use crate::network::{Backend, open};
use crate::objective::{EvenParameters, Method, Objective, Shape};
use crate::stats::drift::DriftParameters;
use crate::stats::random::stream;

/// How an array is clustered.
///
/// The fields are those of a pipeline file; what is not given has the pipeline's defaults, except that every row is scaled
/// alike and that no row has neighbours unless [`neighbours`](Self::neighbours) says so.
///
/// ```
/// use evenkeel::learner::{Fit, Rows};
///
/// let features: Vec<f32> = (0..200).flat_map(|i| [(i % 2) as f32, (i % 7) as f32 * 0.01]).collect();
/// let rows = Rows::new(&features, 2)?;
/// let model = Fit { clusters: 2, encoder: vec![16], embedding: 4, steps: 50, ..Fit::default() }.run(&rows)?;
/// let assignment = model.assign(&rows)?;
/// assert_eq!(assignment.clusters.len(), 200);
/// # Ok::<(), evenkeel::learner::ArrayError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Fit {
    /// What is learned.
    pub method: Method,
    /// Number of clusters.
    pub clusters: usize,
    /// Hidden widths of the encoder; a decoder mirrors them.
    pub encoder: Vec<usize>,
    /// Width of the embedding.
    pub embedding: usize,
    /// Gradient steps, pretraining included. A step sees twice [`Schedule::pairs`](crate::objective::Schedule::pairs) rows.
    pub steps: usize,
    /// Everything that is drawn derives from it: the same rows, fields and seed give the same model, bit for bit.
    pub seed: u64,
    /// How features are brought to one scale.
    pub scale: ScaleParameters,
    /// The shares that training balances towards.
    pub target: Target,
    /// Strength of that balance, 0 to 1.
    pub strength: f64,
    /// Balance within each key.
    pub per_key: PerKey,
    /// How rows find the neighbours that second views show; without it a row is its own neighbour. [`Nearness::Features`]
    /// compares every row with every other.
    pub neighbours: Option<Nearness>,
    /// Which labels of the rows, or which listed pairs, the method may see: without it none.
    pub supervision: Option<Supervision>,
    /// What computes.
    pub backend: Backend,
}

impl Default for Fit {
    fn default() -> Self {
        let (model, balance) = (ModelParameters::default(), BalanceParameters::default());
        Self {
            method: Method::Even(EvenParameters::default()),
            clusters: model.clusters,
            encoder: model.encoder,
            embedding: model.embedding,
            steps: 2_000,
            seed: 0,
            scale: ScaleParameters { per: ScalePer::All, ..ScaleParameters::default() },
            target: balance.target,
            strength: balance.strength,
            per_key: balance.per_key,
            neighbours: None,
            supervision: None,
            backend: Backend::Flex,
        }
    }
}

impl Fit {
    /// A fit with the settings of a pipeline, as many steps as its warm-up takes; with [`Settings::objective`] for
    /// [`run_own`](Self::run_own) it learns what the pipeline would.
    #[must_use]
    pub fn of(settings: &Settings, neighbours: Option<Nearness>) -> Self {
        Self {
            method: settings.method.clone(),
            clusters: settings.model.clusters,
            encoder: settings.model.encoder.clone(),
            embedding: settings.model.embedding,
            steps: settings.learning.warmup_steps,
            seed: settings.seed,
            scale: settings.scale.clone(),
            target: settings.balance.target.clone(),
            strength: settings.balance.strength,
            per_key: settings.balance.per_key,
            neighbours,
            supervision: settings.supervision.clone(),
            backend: settings.backend,
        }
    }

    /// The network for rows of `features` features.
    #[must_use]
    pub fn shape(&self, features: usize) -> Shape {
        Shape { features, encoder: self.encoder.clone(), embedding: self.embedding, clusters: self.clusters }
    }

    /// Trains the method.
    ///
    /// # Errors
    /// If a setting is outside of its range, there are fewer rows than clusters, or training broke down.
    pub fn run(&self, rows: &Rows) -> Result<Model, ArrayError> {
        let shape = self.shape(rows.width());
        let check = self.method.check(&shape);
        if let Some((key, value, range)) = check.ranges.first() {
            return Err(ArrayError::Parameter { key, value: *value, range });
        }
        if check.crowded {
            return Err(ArrayError::Crowded { method: self.method.name(), clusters: self.clusters });
        }
        self.train(rows, Some(self.method.clone()), self.method.build(&shape), &AtomicUsize::new(0))
    }

    /// Trains an objective of your own, for rows of this width and this many clusters; `method` and the network's widths are
    /// not looked at.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_own(&self, rows: &Rows, objective: Arc<dyn Objective>) -> Result<Model, ArrayError> {
        self.train(rows, None, objective, &AtomicUsize::new(0))
    }

    fn train(
        &self,
        rows: &Rows,
        method: Option<Method>,
        objective: Arc<dyn Objective>,
        progress: &AtomicUsize,
    ) -> Result<Model, ArrayError> {
        let clusters = objective.clusters();
        self.check(rows, clusters)?;
        let mut keys = BTreeMap::<Arc<str>, u32>::new();
        let mut items: Vec<Item> = Vec::with_capacity(rows.len());
        for row in rows.iter() {
            let next = keys.len() as u32;
            items.push((Arc::clone(row), *keys.entry(Arc::clone(&row.key)).or_insert(next)));
        }
        let features: Vec<(u32, &[f32])> = items.iter().map(|(row, key)| (*key, &row.features[..])).collect();
        let scaler = Scaler::new(self.scale.clone(), &features);
        let pool = self.pool(&items, &scaler);
        let settings = self.settings(clusters);
        let bench =
            Workbench { objective, device: open(self.backend)?, noise: Arc::new(Noise::new(self.seed, rows.width())) };
        let target = settings.target(|| vec![1.0 / clusters as f64; clusters]);
        let pairs = Arc::new(self.pairs(rows, &items));
        let plan = FitPlan { steps: self.steps, number: 0, candidate: 0, per_key: self.per_key, pairs, threads: 1 };
        let parameters = fit(&bench, &settings, &plan, &pool, &scaler, &target, progress);
        if parameters.iter().any(|value| !value.is_finite()) {
            return Err(ArrayError::Diverged { steps: self.steps });
        }
        let shape = Shape { clusters, ..self.shape(rows.width()) };
        Ok(Model { method, shape, scaler, keys, parameters, bench })
    }

    fn check(&self, rows: &Rows, clusters: usize) -> Result<(), ArrayError> {
        let range = |key, value: f64, range, holds: bool| match holds {
            true => Ok(()),
            false => Err(ArrayError::Parameter { key, value, range }),
        };
        range("clusters", clusters as f64, "at least 1", clusters > 0)?;
        range("embedding", self.embedding as f64, "at least 1", self.embedding > 0)?;
        range("steps", self.steps as f64, "at least 1", self.steps > 0)?;
        range("strength", self.strength, "from 0 to 1", (0.0..=1.0).contains(&self.strength))?;
        for width in &self.encoder {
            range("encoder", *width as f64, "at least 1 in every place", *width > 0)?;
        }
        if let Target::Shares(shares) = &self.target {
            range("target", shares.len() as f64, "one share per cluster", shares.len() == clusters)?;
            let total: f64 = shares.iter().sum();
            range("target", total, "shares above 0 that add up to 1", (total - 1.0).abs() < 1e-6)?;
        }
        if rows.len() < clusters { Err(ArrayError::TooFewRows { rows: rows.len(), clusters }) } else { Ok(()) }
    }

    /// The rows with their neighbours.
    fn pool(&self, items: &[Item], scaler: &Scaler) -> Vec<Sample> {
        let Some(nearness) = self.neighbours else {
            return items
                .iter()
                .zip(0..)
                .map(|((row, key), place)| Sample::new(Arc::clone(row), *key, place))
                .collect();
        };
        if nearness == Nearness::Features {
            let directions: Vec<Vec<f32>> =
                items.iter().map(|(row, key)| scaler.direction(*key, &row.features)).collect();
            return nearest(items, &directions);
        }
        let mut reservoir = Reservoir::new(items.len(), nearness, None);
        let mut rng = stream(self.seed, "reservoir", 0);
        for (row, key) in items {
            let sample = reservoir.admit(Arc::clone(row), *key, &mut []);
            reservoir.insert(sample, None, &mut rng);
        }
        reservoir.anchors().to_vec()
    }

    /// The pairs that the supervision makes.
    fn pairs(&self, rows: &Rows, items: &[Item]) -> PairStore {
        let Some(supervision) = &self.supervision else { return PairStore::default() };
        let (mut pairs, mut matchmaker) = (PairStore::new(supervision.ascent), Matchmaker::default());
        for (arrival, item) in rows.arrivals().iter().zip(items) {
            matchmaker.meet(supervision, self.seed, arrival, item, &mut pairs);
        }
        pairs
    }

    fn settings(&self, clusters: usize) -> Settings {
        Settings {
            model: ModelParameters {
                clusters,
                objective: self.method.name().to_owned(),
                encoder: self.encoder.clone(),
                embedding: self.embedding,
                ..ModelParameters::default()
            },
            method: self.method.clone(),
            refine: None,
            backend: self.backend,
            balance: BalanceParameters {
                target: self.target.clone(),
                strength: self.strength,
                per_key: self.per_key,
                ..BalanceParameters::default()
            },
            learning: LearningParameters::default(),
            scale: self.scale.clone(),
            half_life: None,
            nearness: self.neighbours.unwrap_or(Nearness::Arrival),
            supervision: self.supervision.clone(),
            drift: DriftParameters::default(),
            seed: self.seed,
        }
    }
}
