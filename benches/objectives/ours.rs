//! Training steps of an objective.

use std::sync::Arc;
use std::time::Instant;

use evenkeel::network::{Adam, Backend, Device, matrix, open, values};
use evenkeel::objective::{
    ClusMatch, ClusMatchParameters, Context, ContractiveFocalParameters, Jacobian, Method, Objective, Parameters,
    Seating, Shape, Stage, Visitor,
};
use evenkeel::stats::random::stream;
use rand::Rng;

use super::support::cpu;
use super::{ROWS, Rate};

/// Rows that batches are drawn from.
const POOL: usize = 16 * ROWS;

/// An objective that is being trained.
pub struct Training {
    objective: Arc<dyn Objective>,
    refined: bool,
    plain: Device,
    parameters: Vec<f32>,
    adam: Adam,
    pool: Vec<f32>,
    features: usize,
    steps: u64,
}

/// What is trained: a method with its defaults unless `title` says otherwise, and whether it is refined.
pub struct Candidate {
    /// What the table calls it.
    pub title: String,
    method: Method,
    refined: bool,
}

impl Candidate {
    /// Every method, those that are refined as examples, and the cheaper form of the one that costs most.
    pub fn all() -> Vec<Self> {
        let plain = |name: &str| Method::visit(name, Defaults).expect("a name of the list");
        let methods =
            Method::NAMES.iter().map(|name| Self { title: (*name).into(), method: plain(name), refined: false });
        let sampled = ContractiveFocalParameters { jacobian: Jacobian::Sampled, ..Default::default() };
        let (method, title) = (Method::ContractiveFocal(sampled), "contractive-focal, sampled".into());
        let refined = |name: &str| Self { title: format!("{name} + clusmatch"), method: plain(name), refined: true };
        let more = [Self { title, method, refined: false }, refined("even"), refined("idec")];
        methods.chain(more).collect()
    }
}

struct Defaults;

impl Visitor for Defaults {
    type Output = Method;

    fn visit<P: Parameters>(self, wrap: fn(P) -> Method) -> Method {
        wrap(P::default())
    }
}

impl Training {
    /// An untrained network.
    pub fn new(candidate: &Candidate, shape: &Shape) -> Self {
        let (method, refined) = (candidate.method.build(shape), candidate.refined);
        let objective: Arc<dyn Objective> = match refined {
            true => Arc::new(ClusMatch::new(method, shape.embedding, ClusMatchParameters::default())),
            false => method,
        };
        let plain = open(Backend::Flex).expect("flex is part of the build");
        let mut rng = stream(1, "pool", 0);
        let pool: Vec<f32> = (0..POOL * shape.features).map(|_| rng.random_range(-1.0..1.0)).collect();
        let mut parameters = objective.layout().draw(&mut stream(1, "network", 0));
        let rows = &pool[..ROWS * shape.features];
        let matrices = objective.layout().tensors(&parameters, &plain);
        let embeddings =
            values(objective.infer(&matrices, matrix(rows.to_vec(), ROWS, shape.features, &plain)).embedding);
        let seating = Seating { rows, embeddings: &embeddings, device: &plain };
        objective.review(&mut parameters, &seating, &mut rng);
        let adam = Adam::new(parameters.len(), objective.adam());
        Self { objective, refined, plain, parameters, adam, pool, features: shape.features, steps: 0 }
    }

    /// What it learns one after the other; of a refined method only what refinement adds.
    pub fn stages(&self) -> Vec<Stage> {
        match (self.refined, self.objective.schedule().pretraining > 0.0) {
            (true, _) => vec![Stage::Refining],
            (false, true) => vec![Stage::Pretraining, Stage::Clustering],
            (false, false) => vec![Stage::Clustering],
        }
    }

    /// So many steps in the middle of a stage.
    pub fn run(&mut self, stage: Stage, steps: usize) -> Rate {
        let (started, cpu) = (Instant::now(), cpu::of_this_thread());
        (0..steps).for_each(|_| self.step(stage));
        Rate::of(steps, started.elapsed().as_secs_f64(), cpu::of_this_thread() - cpu)
    }

    fn step(&mut self, stage: Stage) {
        let objective = self.objective.in_stage(stage).unwrap_or(self.objective.as_ref());
        let (layout, clusters) = (self.objective.layout(), self.objective.clusters());
        self.steps += 1;
        let mut rng = stream(1, "batch", self.steps);
        let mut rows = Vec::with_capacity(ROWS * self.features);
        for _ in 0..ROWS {
            let at = rng.random_range(0..POOL) * self.features;
            rows.extend_from_slice(&self.pool[at..at + self.features]);
        }
        let seeds: Vec<u64> = (0..ROWS).map(|_| rng.random()).collect();
        let device = self.plain.clone().autodiff();
        let leaves = layout.leaves(&self.parameters, &device);
        let pass = objective.forward(&leaves, matrix(rows, ROWS, self.features, &device), &seeds);
        let known = Known {
            evidence: &objective.evidence(&pass),
            device_prices: &vec![0.0; ROWS * clusters],
            target: &vec![1.0 / clusters as f32; clusters],
        };
        let loss = objective.loss(&leaves, &pass, &known.context(stage, &self.parameters));
        let gradient = layout.gradient(&loss, &leaves);
        let rates = layout.rates();
        if rates.iter().all(|(_, rate)| *rate > 0.0) {
            return self.adam.step(&mut self.parameters, &gradient, &rates, 1e-4);
        }
        let before = self.parameters.clone();
        self.adam.step(&mut self.parameters, &gradient, &rates, 1e-4);
        self.objective.settle(&mut self.parameters, &known.context(stage, &before));
    }
}

/// What a loss is told of the batch.
struct Known<'a> {
    evidence: &'a [f32],
    device_prices: &'a [f32],
    target: &'a [f32],
}

impl Known<'_> {
    /// The whole batch in the middle of a stage.
    fn context<'a>(&'a self, stage: Stage, parameters: &'a [f32]) -> Context<'a> {
        Context {
            pairs: ROWS / 2,
            slice: 0..ROWS / 2,
            fresh: 0,
            evidence: self.evidence,
            device_prices: self.device_prices,
            target: self.target,
            strength: 1.0,
            constraints: &[],
            stage,
            progress: 0.5,
            parameters,
        }
    }
}
