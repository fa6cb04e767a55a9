//! Every rule of what makes sense.

use super::method::method;
use super::plan::Source;
use super::{Config, Plan, Rules, kafka};
use crate::data::{FeatureError, nearest};
use crate::learner::{
    BalanceParameters, LearningParameters, ModelParameters, SupervisionParameters, Target, half_life,
};
use crate::objective::{Check, Method};
use crate::stats::drift::DriftParameterError;

/// A rule that a configuration breaks.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Rule {
    /// The name is also a folder and a metrics label.
    #[error("`pipeline.name` is \"{0}\": use letters, digits, `-`, `_` and `.`, not starting with a dot")]
    Name(String),
    /// No source.
    #[error("no source: add the table [source.parquet] with `paths`, or [source.kafka] with `topic`")]
    NoSource,
    /// Two sources.
    #[error("two sources: keep one of [source.parquet] and [source.kafka]")]
    TwoSources,
    /// `[source.kafka]` or `[sink.kafka]`.
    #[error("`{key}`: {problem}")]
    Kafka {
        /// Full path of the key or table.
        key: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// Pairs from nowhere, or from several places.
    #[error(
        "[supervision] has {0} of `label_fraction`, `pairs` and `pairs_topic`: give one of them, or leave the table out"
    )]
    SupervisionSource(usize),
    /// Labels from nowhere.
    #[error("`supervision.label_fraction` looks at labels: set `features.label`")]
    SupervisionWithoutLabel,
    /// Pairs that nothing learns from.
    #[error("`model.objective` \"{name}\" learns from no pairs: leave [supervision] out, or use {}", .takers.join(", "))]
    SupervisionUnused {
        /// `model.objective`.
        name: &'static str,
        /// Objectives that do.
        takers: Vec<&'static str>,
    },
    /// A value of `[supervision]` out of its range.
    #[error("`supervision.{key}` is {value}: it is {range}")]
    SupervisionRange {
        /// The key.
        key: &'static str,
        /// As written.
        value: f64,
        /// In words.
        range: &'static str,
    },
    /// No input path.
    #[error("`source.parquet.paths` names no file: give at least one path, none of them empty")]
    NoPaths,
    /// `[features]`.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// `[checkpoint]`.
    #[error("{0}")]
    Checkpoint(String),
    /// `[drift]`.
    #[error(transparent)]
    Drift(#[from] DriftParameterError),
    /// One or no cluster.
    #[error(
        "`model.clusters` is {0}: at least 2 are needed, with one there is nothing to tell apart and nothing to balance"
    )]
    TooFewClusters(usize),
    /// An objective nobody knows.
    #[error("`model.objective` \"{name}\" is unknown{}", suggest(.suggestion))]
    UnknownObjective {
        /// As written.
        name: String,
        /// The nearest known name.
        suggestion: Option<&'static str>,
    },
    /// A parameter that the chosen objective does not have.
    #[error("unknown key `objective.{key}` for `model.objective` \"{objective}\"; there are {}", .known.join(", "))]
    ObjectiveKey {
        /// As written.
        key: String,
        /// `model.objective`.
        objective: &'static str,
        /// All parameters it has.
        known: Vec<String>,
    },
    /// A parameter of the objective out of its range.
    #[error("`objective.{key}` is {value}: it is {range}")]
    ObjectiveRange {
        /// Its name.
        key: &'static str,
        /// As written.
        value: f64,
        /// What is allowed.
        range: &'static str,
    },
    /// A parameter of the objective of the wrong type.
    #[error("`objective.{key}`: {problem}")]
    ObjectiveValue {
        /// Its name.
        key: String,
        /// What was given and what is expected.
        problem: String,
    },
    /// More centroids than can be orthogonal.
    #[error(
        "`model.clusters` is {clusters} and `model.embedding` {embedding}: \"ae-cm\" keeps its centroids orthogonal, \
         so the embedding needs at least one dimension per cluster"
    )]
    Orthonormal {
        /// `model.clusters`.
        clusters: usize,
        /// `model.embedding`.
        embedding: usize,
    },
    /// A number out of its range.
    #[error("`{key}` is {value}: it is {range}")]
    Range {
        /// Full path of the key.
        key: &'static str,
        /// As written.
        value: f64,
        /// What it may be.
        range: &'static str,
    },
    /// Parameters of a refinement that is off.
    #[error("[refine] has no effect: set `model.refine` to \"clusmatch\" or remove the table")]
    RefineOff,
    /// A parameter of the refinement out of its range.
    #[error("`refine.{key}` is {value}: it is {range}")]
    RefineRange {
        /// Its name.
        key: &'static str,
        /// As written.
        value: f64,
        /// What is allowed.
        range: &'static str,
    },
    /// A refinement nobody knows.
    #[error("`model.refine` \"{0}\" is unknown; use \"clusmatch\" or \"none\"")]
    UnknownRefine(String),
    /// A backend that this program was built without.
    #[error("`model.backend` \"{name}\" needs a build with the cargo feature `{name}`{hint}")]
    BackendNotBuilt {
        /// The backend, also the name of its feature.
        name: &'static str,
        /// What to do meanwhile.
        hint: &'static str,
    },
    /// A backend nobody knows.
    #[error("`model.backend` \"{0}\" is unknown; use \"flex\"")]
    UnknownBackend(String),
    /// An encoder layer of width 0.
    #[error("`model.encoder` has a layer of width 0: every width is at least 1; leave the layer out")]
    EncoderWidth,
    /// A list of shares of another length.
    #[error("`balance.target` has {shares} shares for {clusters} clusters: give one per cluster")]
    TargetLength {
        /// Entries of the list.
        shares: usize,
        /// `model.clusters`.
        clusters: usize,
    },
    /// Shares that are no shares.
    #[error("`balance.target` has the share {0}: every share is above 0")]
    TargetShare(f64),
    /// Shares that do not sum to one.
    #[error("`balance.target` sums to {0}: the shares sum to 1 (within 1e-6)")]
    TargetSum(f64),
    /// Bounds that exclude each other.
    #[error("`balance.min_share` {min} is above `balance.max_share` {max}: no share can keep both")]
    BoundsCrossed {
        /// Lower bound.
        min: f64,
        /// Upper bound.
        max: f64,
    },
    /// A lower bound that cannot be kept by all clusters.
    #[error("`balance.min_share` {min} cannot be kept by {clusters} clusters: it is between 0 and 1/{clusters} = {}", 1.0 / *.clusters as f64)]
    MinShare {
        /// Lower bound.
        min: f64,
        /// `model.clusters`.
        clusters: usize,
    },
    /// An upper bound that cannot be kept by all clusters.
    #[error("`balance.max_share` {max} cannot be kept by {clusters} clusters: it is between 1/{clusters} = {} and 1", 1.0 / *.clusters as f64)]
    MaxShare {
        /// Upper bound.
        max: f64,
        /// `model.clusters`.
        clusters: usize,
    },
    /// Balance beyond full strength.
    #[error("`balance.strength` is {0}: it is between 0 (off) and 1 (full)")]
    Strength(f64),
    /// A warm-up that cannot seat the clusters.
    #[error("`learning.warmup_rows` is {rows}: the first model needs at least one row per cluster, {clusters}")]
    WarmupRows {
        /// `learning.warmup_rows`.
        rows: usize,
        /// `model.clusters`.
        clusters: usize,
    },
    /// A reservoir that cannot hold the clusters.
    #[error("`learning.reservoir_rows` is {rows}: replay and balance need at least one row per cluster, {clusters}")]
    ReservoirRows {
        /// `learning.reservoir_rows`.
        rows: usize,
        /// `model.clusters`.
        clusters: usize,
    },
    /// The horizon in event time.
    #[error("`learning.half_life` {0}")]
    HalfLife(String),
    /// A horizon in event time without event time.
    #[error("`learning.half_life` counts event time: set `features.time`")]
    HalfLifeWithoutTime,
    /// More steps per chunk than there is room for.
    #[error("`learning.steps` is {0}: it is at most 999")]
    Steps(usize),
    /// A cap per second without a clock.
    #[error(
        "`learning.max_rows_per_s` is {0} and counts seconds of event time, so that results do not depend on the \
         machine: set `features.time`"
    )]
    CapWithoutTime(u64),
    /// Challengers that never come, or always.
    #[error("`learning.refresh_growth` is {0}: it is above 1")]
    RefreshGrowth(f64),
    /// A count that has to be at least 1.
    #[error("`{0}` is 0: it is at least 1")]
    Zero(&'static str),
    /// An address that cannot be listened on.
    #[error("`serve.listen` is \"{0}\": give a host and a port, such as \"127.0.0.1:9464\"")]
    Listen(String),
}

fn suggest(name: &Option<&'static str>) -> String {
    match name {
        Some(name) => format!("; did you mean \"{name}\"?"),
        None => format!("; use one of {}", Method::NAMES.join(", ")),
    }
}

/// Gradient steps per chunk that an epoch's rounds have room for.
const MOST_STEPS: usize = 999;
/// How far from 1 a list of shares may sum.
const SUM_TOLERANCE: f64 = 1e-6;

impl Config {
    /// Checks every rule; only a [`Plan`] can be run.
    ///
    /// # Errors
    /// With all rules that are broken.
    pub fn check(self) -> Result<Plan, Rules> {
        let mut broken = Vec::new();
        self.check_ends(&mut broken);
        check_model(&self.model, &mut broken);
        self.check_refine(&mut broken);
        check_balance(&self.balance, self.model.clusters, &mut broken);
        check_learning(&self.learning, self.model.clusters, &mut broken);
        if self.learning.half_life.is_some() && self.features.time.is_empty() {
            broken.push(Rule::HalfLifeWithoutTime);
        }
        if self.learning.max_rows_per_s > 0 && self.features.time.is_empty() {
            broken.push(Rule::CapWithoutTime(self.learning.max_rows_per_s));
        }
        let features = self.features.clone().check().map_err(|fault| broken.push(fault.into()));
        let method = method(&self.model, &self.objective, &mut broken);
        if let Some(supervision) = &self.supervision {
            check_supervision(supervision, !self.features.label.is_empty(), &mut broken);
            if let Some(method) = method.as_ref().filter(|method| !method.constrained()) {
                broken.push(Rule::SupervisionUnused { name: method.name(), takers: Method::constrained_names() });
            }
        }
        let source = match (self.source.parquet.clone(), self.source.kafka.clone()) {
            (Some(parquet), _) => Some(Source::Parquet(parquet)),
            (None, kafka) => kafka.map(|kafka| Source::Kafka(Box::new(kafka))),
        };
        match (source, features, method) {
            (Some(source), Ok(features), Some(method)) if broken.is_empty() => {
                Ok(Plan::new(self, source, features, method))
            }
            _ => Err(Rules(broken)),
        }
    }

    fn check_refine(&self, broken: &mut Vec<Rule>) {
        match (self.model.refine.as_str(), &self.refine) {
            ("none", Some(_)) => broken.push(Rule::RefineOff),
            ("none", None) | ("clusmatch", None) => {}
            ("clusmatch", Some(parameters)) => {
                let mut check = Check::default();
                parameters.check(&mut check);
                let ranges = check.ranges.into_iter();
                broken.extend(ranges.map(|(key, value, range)| Rule::RefineRange { key, value, range }));
            }
            (other, _) => broken.push(Rule::UnknownRefine(other.to_owned())),
        }
    }

    /// Everything but the model: name, source, sinks, checkpoints, drift, server.
    fn check_ends(&self, broken: &mut Vec<Rule>) {
        let name = &self.pipeline.name;
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.starts_with('.') || !name.chars().all(allowed) {
            broken.push(Rule::Name(name.clone()));
        }
        match (&self.source.parquet, &self.source.kafka) {
            (Some(_), Some(_)) => broken.push(Rule::TwoSources),
            (None, Some(_)) => {}
            (None, None) => broken.push(Rule::NoSource),
            (Some(source), None) => {
                if source.paths.is_empty() || source.paths.iter().any(|path| path.trim().is_empty()) {
                    broken.push(Rule::NoPaths);
                }
                at_least_one("source.parquet.batch_rows", source.batch_rows as u64, broken);
            }
        }
        kafka::check(self, broken);
        at_least_one("sink.parquet.roll_mb", self.sink.parquet.roll_mb, broken);
        at_least_one("sink.parquet.roll_s", self.sink.parquet.roll_s, broken);
        broken.extend(self.checkpoint.check().err().map(|fault| Rule::Checkpoint(fault.to_string())));
        broken.extend(self.drift.check().err().map(Rule::Drift));
        if let Some(serve) = &self.serve {
            let port = serve.listen.rsplit_once(':').filter(|(host, _)| !host.is_empty());
            if port.is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
                broken.push(Rule::Listen(serve.listen.clone()));
            }
        }
    }
}

fn check_model(model: &ModelParameters, broken: &mut Vec<Rule>) {
    if model.clusters < 2 {
        broken.push(Rule::TooFewClusters(model.clusters));
    }
    let objective = model.objective.as_str();
    if !Method::NAMES.contains(&objective) {
        let suggestion = nearest(objective, Method::NAMES.iter().copied());
        broken.push(Rule::UnknownObjective { name: objective.to_owned(), suggestion });
    }
    match model.backend.as_str() {
        "flex" if cfg!(feature = "flex") => {}
        "flex" => broken.push(Rule::BackendNotBuilt { name: "flex", hint: "" }),
        "libtorch" if cfg!(feature = "libtorch") => {}
        "libtorch" => {
            let hint = " (deploy/libtorch/fetch gets the library), or use \"flex\"";
            broken.push(Rule::BackendNotBuilt { name: "libtorch", hint });
        }
        other => broken.push(Rule::UnknownBackend(other.to_owned())),
    }
    if model.encoder.contains(&0) {
        broken.push(Rule::EncoderWidth);
    }
    at_least_one("model.embedding", model.embedding as u64, broken);
}

fn check_balance(balance: &BalanceParameters, clusters: usize, broken: &mut Vec<Rule>) {
    if let Target::Shares(shares) = &balance.target {
        if shares.len() != clusters {
            broken.push(Rule::TargetLength { shares: shares.len(), clusters });
        }
        broken.extend(
            shares.iter().find(|share| share.is_nan() || **share <= 0.0).map(|&share| Rule::TargetShare(share)),
        );
        let sum: f64 = shares.iter().sum();
        if sum.is_nan() || (sum - 1.0).abs() > SUM_TOLERANCE {
            broken.push(Rule::TargetSum(sum));
        }
    }
    if !(0.0..=1.0).contains(&balance.strength) {
        broken.push(Rule::Strength(balance.strength));
    }
    if let (Some(min), Some(max)) = (balance.min_share, balance.max_share)
        && min > max
    {
        broken.push(Rule::BoundsCrossed { min, max });
        return;
    }
    // With fewer clusters the other rule says what is wrong.
    if clusters < 2 {
        return;
    }
    let even = 1.0 / clusters as f64;
    if let Some(min) = balance.min_share
        && !(0.0..=even + ROUNDING).contains(&min)
    {
        broken.push(Rule::MinShare { min, clusters });
    }
    if let Some(max) = balance.max_share
        && !(even - ROUNDING..=1.0).contains(&max)
    {
        broken.push(Rule::MaxShare { max, clusters });
    }
}

/// 1/k may be written with a rounded last digit.
const ROUNDING: f64 = 1e-12;

fn check_learning(learning: &LearningParameters, clusters: usize, broken: &mut Vec<Rule>) {
    at_least_one("learning.passes", learning.passes as u64, broken);
    at_least_one("learning.chunk_rows", learning.chunk_rows as u64, broken);
    at_least_one("learning.warmup_steps", learning.warmup_steps as u64, broken);
    at_least_one("learning.candidates", learning.candidates as u64, broken);
    if learning.warmup_rows < clusters {
        broken.push(Rule::WarmupRows { rows: learning.warmup_rows, clusters });
    }
    if learning.reservoir_rows < clusters {
        broken.push(Rule::ReservoirRows { rows: learning.reservoir_rows, clusters });
    }
    if learning.steps > MOST_STEPS {
        broken.push(Rule::Steps(learning.steps));
    }
    if let Some(Err(problem)) = learning.half_life.as_deref().map(half_life::parse) {
        broken.push(Rule::HalfLife(problem));
    }
    if !(learning.refresh_growth > 1.0 && learning.refresh_growth.is_finite()) {
        broken.push(Rule::RefreshGrowth(learning.refresh_growth));
    }
}

fn check_supervision(supervision: &SupervisionParameters, labelled: bool, broken: &mut Vec<Rule>) {
    let SupervisionParameters { label_fraction, pairs, pairs_topic, .. } = supervision;
    let sources = [label_fraction.is_some(), pairs.is_some(), pairs_topic.is_some()];
    let sources = sources.into_iter().filter(|given| *given).count();
    if sources != 1 {
        broken.push(Rule::SupervisionSource(sources));
    }
    if supervision.label_fraction.is_some() && !labelled {
        broken.push(Rule::SupervisionWithoutLabel);
    }
    let mut within = |key, value: f64, range, holds: bool| {
        if !holds {
            broken.push(Rule::SupervisionRange { key, value, range });
        }
    };
    let share = |value: f64| value > 0.0 && value <= 1.0;
    let fraction = supervision.label_fraction.unwrap_or(1.0);
    within("label_fraction", fraction, "above 0 and at most 1", share(fraction));
    let partners = supervision.pairs_per_label;
    within("pairs_per_label", partners, "above 0 and at most 64", partners > 0.0 && partners <= 64.0);
    within("batch_share", supervision.batch_share, "above 0 and at most 1", share(supervision.batch_share));
    let (ascent, cap) = (supervision.ascent, supervision.multiplier_cap);
    within("ascent", ascent, "0 or above", ascent >= 0.0 && ascent.is_finite());
    within("multiplier_cap", cap, "1 or above: multipliers start at 1", cap >= 1.0 && cap.is_finite());
    within("reseats", supervision.reseats as f64, "at most 64", supervision.reseats <= 64);
    at_least_one("supervision.pairs_kept", supervision.pairs_kept as u64, broken);
}

pub(super) fn at_least_one(key: &'static str, value: u64, broken: &mut Vec<Rule>) {
    if value == 0 {
        broken.push(Rule::Zero(key));
    }
}

#[cfg(test)]
mod tests;
