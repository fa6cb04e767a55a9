//! The learning replica: warm-up, predict then train, refresh.

use std::collections::HashMap;
use std::sync::Arc;

use super::assign::Assignment;
use super::live::LivePairs;
use super::matchmaker::Matchmaker;
use super::noise::Noise;
use super::nursery::Nursery;
use super::online::{Online, direction};
use super::pairs::PairStore;
use super::reservoir::Reservoir;
use super::sample::Sample;
use super::scaler::Scaler;
use super::settings::Settings;
use super::trainer::{Item, Part, Trained, Workbench};
use super::update::Phase;
use super::watch::Watch;
use crate::data::RowPair;
use crate::network::Device;
use crate::replica::{Arrival, Output, Replica, ReplicaError, Status, Step};
use crate::stats::random::stream;

/// One worker's copy of the model, learning as it goes.
pub struct Learner {
    pub(super) settings: Arc<Settings>,
    pub(super) part: Part,
    pub(super) nursery: Nursery,
    pub(super) device: Device,
    pub(super) keys: HashMap<Arc<str>, u32>,
    pub(super) names: Vec<Arc<str>>,
    pub(super) version: i64,
    /// Rows learned from, warm-up included.
    pub(super) seen: u64,
    /// Steps left out because the gradient was not finite.
    pub(super) skipped: u64,
    /// Event time before which no more rows are learned from, and how many of the current second were.
    pub(super) quota: (i64, u64),
    pub(super) held: Vec<Arrival>,
    pub(super) live: LivePairs,
    pub(super) online: Option<Box<Online>>,
    pub(super) phase: Phase,
    /// Rows of the present epoch that were assigned and wait for the other workers' sights.
    pub(super) unobserved: Option<Assignment>,
    pub(super) output: Output,
}

impl Learner {
    /// A replica that has seen nothing.
    #[must_use]
    pub fn new(settings: Arc<Settings>, part: Part, nursery: Nursery, device: Device) -> Self {
        Self {
            settings,
            part,
            nursery,
            device,
            keys: HashMap::new(),
            names: Vec::new(),
            version: 0,
            seen: 0,
            skipped: 0,
            quota: (i64::MIN, 0),
            held: Vec::new(),
            live: LivePairs::default(),
            online: None,
            phase: Phase::Idle,
            unobserved: None,
            output: Output::default(),
        }
    }

    fn item(&mut self, arrival: &Arrival) -> Item {
        let row = Arc::clone(&arrival.row);
        let next = self.names.len() as u32;
        let key = *self.keys.entry(Arc::clone(&row.key)).or_insert_with(|| {
            self.names.push(Arc::clone(&row.key));
            next
        });
        (row, key)
    }

    /// Fits the first model on the held rows and lets them go.
    pub(super) fn warm_up(&mut self) -> Result<(), ReplicaError> {
        let clusters = self.settings.model.clusters;
        if self.held.len() < clusters {
            return Err(ReplicaError::TooFewRows { rows: self.held.len(), clusters });
        }
        let held = std::mem::take(&mut self.held);
        let items: Vec<Item> = held.iter().map(|arrival| self.item(arrival)).collect();
        let rows: Vec<(u32, &[f32])> = items.iter().map(|(row, key)| (*key, &row.features[..])).collect();
        let scaler = Scaler::new(self.settings.scale.clone(), &rows);
        let width = scaler.width();
        let bench = Workbench {
            objective: self.settings.objective(width),
            device: self.device.clone(),
            noise: Arc::new(Noise::new(self.settings.seed, width)),
        };
        let mut reservoir =
            Reservoir::new(self.settings.learning.reservoir_rows, self.settings.nearness, self.settings.half_life);
        let mut samples: Vec<Sample> = Vec::with_capacity(items.len());
        let mut rng = stream(self.settings.seed, "reservoir", 0);
        for (row, key) in &items {
            match direction(&scaler, self.settings.nearness, row, *key) {
                // Nearest rows are known only among anchors; becoming one finds them.
                Some(direction) => {
                    reservoir.insert(Sample::new(Arc::clone(row), *key, 0), Some(direction), &mut rng);
                }
                None => {
                    let sample = reservoir.admit(Arc::clone(row), *key, &mut samples);
                    samples.push(sample);
                }
            }
        }
        for sample in &samples {
            reservoir.insert(sample.clone(), None, &mut rng);
        }
        let pool = if samples.is_empty() { reservoir.anchors().to_vec() } else { samples };
        let (pool, scaler) = (Arc::new(pool), Arc::new(scaler));
        let (mut pairs, mut matchmaker) = (PairStore::default(), Matchmaker::default());
        if let Some(supervision) = &self.settings.supervision {
            pairs = PairStore::new(supervision.ascent);
            for (arrival, item) in held.iter().zip(&items) {
                matchmaker.meet(supervision, self.settings.seed, arrival, item, &mut pairs);
                self.live.meet(item, &mut pairs);
            }
        }
        self.pass(&held);
        let pairs = Arc::new(pairs);
        let target = self.settings.target(|| vec![1.0 / clusters as f64; clusters]);
        let plan = (0, self.settings.learning.warmup_steps);
        let job = self.start_fit(&bench, plan, &pool, &pairs, &scaler, &target)?;
        let mut usable = Self::usable(job.results()?)?;
        let parameters = match usable.len() {
            // Nobody is judged who has no rival.
            1 => usable.swap_remove(0),
            _ => {
                let best = Self::best(&bench, usable, &self.jury(&pool, &scaler, 0), &scaler);
                best.map_or_else(Vec::new, |(parameters, ..)| parameters)
            }
        };
        let trained = Trained::new(bench.objective.as_ref(), parameters.clone());
        let watch = Watch::new(&bench, &parameters, &items, &scaler, &self.settings.drift, self.settings.seed);
        self.version = 1;
        self.seen = items.len() as u64;
        let first = self.settings.learning.warmup_rows.max(items.len()) as f64 * self.settings.learning.refresh_growth;
        let mut online = Box::new(Online {
            bench,
            scaler: Arc::unwrap_or_clone(scaler),
            reservoir,
            trained,
            teacher: parameters,
            pairs: Arc::unwrap_or_clone(pairs),
            matchmaker,
            waiting: Vec::new(),
            watch,
            prices: vec![0.0; clusters],
            violation: 0.0,
            next_refresh: first as u64,
            refresh: None,
        });
        if let Some((min, max)) = self.bounds() {
            let costs = online.costs(Part::WHOLE);
            online.price(&costs, min, max);
        }
        self.online = Some(online);
        self.assign_warm_up(&held, &items);
        Ok(())
    }

    /// The bounds on shares, if there are any.
    pub(super) fn bounds(&self) -> Option<(f64, f64)> {
        let balance = &self.settings.balance;
        match (balance.min_share, balance.max_share) {
            (None, None) => None,
            (min, max) => Some((min.unwrap_or(0.0), max.unwrap_or(1.0))),
        }
    }

    /// Whether the cap on rows learned from still has room for a row of this event time.
    fn within_quota(&mut self, event_time: Option<i64>) -> bool {
        let cap = self.settings.learning.max_rows_per_s;
        let Some(time) = event_time.filter(|_| cap > 0) else { return true };
        let second = time.div_euclid(1_000_000_000);
        if second > self.quota.0 {
            self.quota = (second, 0);
        }
        self.quota.1 += 1;
        self.quota.1 <= cap
    }

    /// Holds, assigns and admits the rows of an epoch.
    pub(super) fn begin_epoch(&mut self, mut arrivals: Vec<Arrival>) -> Result<(), ReplicaError> {
        if self.online.is_none() {
            let missing = self.settings.learning.warmup_rows.saturating_sub(self.held.len()).min(arrivals.len());
            let rest = arrivals.split_off(missing);
            self.held.append(&mut arrivals);
            if self.held.len() < self.settings.learning.warmup_rows {
                return Ok(());
            }
            self.warm_up()?;
            arrivals = rest;
        }
        if arrivals.is_empty() {
            return Ok(());
        }
        let items: Vec<Item> = arrivals.iter().map(|arrival| self.item(arrival)).collect();
        self.assign(&arrivals, &items);
        let settings = Arc::clone(&self.settings);
        let mut learned: Vec<Item> = Vec::with_capacity(items.len());
        for (arrival, item) in arrivals.iter().zip(items) {
            if !self.within_quota(item.0.event_time) {
                continue;
            }
            let Some(online) = &mut self.online else { continue };
            if let Some(supervision) = &settings.supervision {
                online.matchmaker.meet(supervision, settings.seed, arrival, &item, &mut online.pairs);
                self.live.meet(&item, &mut online.pairs);
            }
            learned.push(item);
        }
        self.pass(&arrivals);
        let Some(online) = &mut self.online else { return Ok(()) };
        let direction = |(row, key): &Item| direction(&online.scaler, settings.nearness, row, *key);
        let directions: Vec<Vec<f32>> = learned.iter().filter_map(direction).collect();
        if directions.is_empty() {
            for (row, key) in learned {
                let sample = online.reservoir.admit(row, key, &mut online.waiting);
                online.waiting.push(sample);
            }
        } else {
            online.waiting.extend(online.reservoir.befriend(&learned, &directions));
        }
        Ok(())
    }

    /// All steps of an update are done: statistics, reservoir, version, refresh.
    pub(super) fn finish_update(&mut self, chunk: Vec<Sample>) -> Result<(), ReplicaError> {
        let seed = self.settings.seed;
        let Some(online) = &mut self.online else { return Ok(()) };
        let rows: Vec<(u32, &[f32])> = chunk.iter().map(|s| (s.key, &s.row.features[..])).collect();
        online.scaler.absorb(&rows);
        self.seen += chunk.len() as u64;
        let mut rng = stream(seed, "reservoir", self.seen);
        for sample in chunk {
            let direction = direction(&online.scaler, self.settings.nearness, &sample.row, sample.key);
            online.reservoir.insert(sample, direction, &mut rng);
        }
        self.version += 1;
        self.refresh(false)
    }
}

impl Replica for Learner {
    fn begin(&mut self, arrivals: Vec<Arrival>) {
        // Rows wait in the reservoir for as long as the stream lasts.
        let kept = |arrival: Arrival| Arrival { row: arrival.row.kept(), ..arrival };
        self.phase = Phase::Begin(arrivals.into_iter().map(kept).collect());
    }

    fn pair(&mut self, pairs: Vec<RowPair>) {
        self.listen(pairs);
    }

    fn end(&mut self) {
        self.phase = Phase::End;
    }

    fn advance(&mut self, mut total: Option<Vec<f32>>) -> Result<Step, ReplicaError> {
        if let Some(total) = &mut total {
            self.observe(total);
        }
        loop {
            let phase = std::mem::replace(&mut self.phase, Phase::Idle);
            let (next, step) = self.step(phase, total.take())?;
            self.phase = next;
            if let Some(step) = step {
                return Ok(self.with_sights(step));
            }
        }
    }

    fn take(&mut self) -> Output {
        std::mem::take(&mut self.output)
    }

    fn snapshot(&self) -> Vec<u8> {
        self.pack()
    }

    fn status(&self) -> Status {
        let mut status = Status {
            model_version: self.version,
            warming: self.online.is_none(),
            rows: self.seen + self.held.len() as u64,
            learned_rows: self.seen,
            ..Status::default()
        };
        if let Some(online) = &self.online {
            online.watch.report(&mut status, self.settings.model.clusters);
            status.violation = online.violation;
        }
        status.pairs = self.heard();
        status
    }
}
