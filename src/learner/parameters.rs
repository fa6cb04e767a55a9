//! What the user may say about the model: `[model]`, `[balance]` and `[learning]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::objective::{Method, Shape};

/// `[model]`: how many clusters, and the network that finds them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelParameters {
    /// Number of clusters.
    pub clusters: usize,
    /// What is learned: `even` is our online recipe, the others are published systems.
    #[serde(default = "objective")]
    #[schemars(extend("enum" = Method::NAMES))]
    pub objective: String,
    /// Hidden widths of the encoder.
    #[serde(default = "encoder")]
    pub encoder: Vec<usize>,
    /// Width of the embedding.
    #[serde(default = "embedding")]
    pub embedding: usize,
    /// `clusmatch` plugs pseudo-label refinement onto any objective.
    #[serde(default = "refine")]
    #[schemars(extend("enum" = ["none", "clusmatch"]))]
    pub refine: String,
    /// What computes: `flex` is pure Rust.
    #[serde(default = "backend")]
    #[schemars(extend("enum" = ["flex", "libtorch"]))]
    pub backend: String,
}

impl Default for ModelParameters {
    /// Two clusters, the fewest there can be; in a pipeline file the number must be given.
    fn default() -> Self {
        Self {
            clusters: 2,
            objective: objective(),
            encoder: encoder(),
            embedding: embedding(),
            refine: refine(),
            backend: backend(),
        }
    }
}

impl ModelParameters {
    /// The network for rows of `features` features.
    #[must_use]
    pub fn shape(&self, features: usize) -> Shape {
        Shape { features, encoder: self.encoder.clone(), embedding: self.embedding, clusters: self.clusters }
    }
}

fn objective() -> String {
    "even".to_owned()
}

fn encoder() -> Vec<usize> {
    vec![256, 128]
}

fn embedding() -> usize {
    32
}

fn refine() -> String {
    "none".to_owned()
}

fn backend() -> String {
    "flex".to_owned()
}

/// `[balance]`: how even the clusters are to be, in training and at the output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BalanceParameters {
    /// The shares that training balances towards.
    pub target: Target,
    /// Strength of the balance in training: 0 is off, 1 is full; half-strength tolerates unequal truth.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub strength: f64,
    /// Balance within each device while a model is fitted anew.
    pub per_key: PerKey,
    /// No cluster's share of the rows over the horizon falls below this. Unset: no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min_share: Option<f64>,
    /// No cluster's share of the rows over the horizon rises above this. Unset: no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub max_share: Option<f64>,
}

impl Default for BalanceParameters {
    fn default() -> Self {
        Self { target: Target::Uniform, strength: 1.0, per_key: PerKey::Fading, min_share: None, max_share: None }
    }
}

/// The shares that training balances towards.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// Every cluster the same.
    Uniform,
    /// What the model has seen so far.
    Observed,
    /// One share per cluster, together 1.
    #[serde(untagged)]
    Shares(Vec<f64>),
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TargetVisitor)
    }
}

/// Reads a name or a list; a derived untagged enum could not say what it expected.
struct TargetVisitor;

impl<'de> serde::de::Visitor<'de> for TargetVisitor {
    type Value = Target;

    fn expecting(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.write_str("\"uniform\", \"observed\" or a list of shares")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Target, E> {
        match name {
            "uniform" => Ok(Target::Uniform),
            "observed" => Ok(Target::Observed),
            _ => Err(E::invalid_value(serde::de::Unexpected::Str(name), &self)),
        }
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Target, A::Error> {
        let mut shares = Vec::new();
        while let Some(share) = list.next_element()? {
            shares.push(share);
        }
        Ok(Target::Shares(shares))
    }
}

/// Device balance during fresh fits: every device shows every cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PerKey {
    /// Devices may differ as they like.
    Off,
    /// Strong at first, gone at the end of the fit.
    #[default]
    Fading,
    /// The same throughout the fit.
    Constant,
}

/// `[learning]`: how the stream is learned from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LearningParameters {
    /// How often a bounded source is read; rows are emitted in the last pass.
    #[schemars(range(min = 1))]
    pub passes: usize,
    /// Rows of all workers together per update.
    #[schemars(range(min = 1))]
    pub chunk_rows: usize,
    /// Rows that are held until the first model is there, and leave with it, flagged.
    pub warmup_rows: usize,
    /// Gradient steps of the first model.
    #[schemars(range(min = 1))]
    pub warmup_steps: usize,
    /// Rows kept for replay: the horizon of balance.
    pub reservoir_rows: usize,
    /// The horizon in event time instead of rows, such as `6h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub half_life: Option<String>,
    /// Gradient steps per chunk.
    #[schemars(range(max = 999))]
    pub steps: usize,
    /// Replayed rows per fresh row.
    pub replay_ratio: usize,
    /// Gradient steps of a challenger; 0 turns challengers off.
    pub refresh_steps: usize,
    /// A challenger is fitted at `warmup_rows · growth^n` rows (doubling from 4,000 on).
    pub refresh_growth: f64,
    /// How many challengers are fitted at once; the best one is compared with the model in use.
    #[schemars(range(min = 1))]
    pub candidates: usize,
    /// Cap on rows learned from per second of event time; every row is still assigned. 0: no cap.
    pub max_rows_per_s: u64,
}

impl Default for LearningParameters {
    fn default() -> Self {
        Self {
            passes: 1,
            chunk_rows: 32,
            warmup_rows: 1000,
            warmup_steps: 500,
            reservoir_rows: 4000,
            half_life: None,
            steps: 2,
            replay_ratio: 4,
            refresh_steps: 500,
            refresh_growth: 1.5,
            candidates: 1,
            max_rows_per_s: 0,
        }
    }
}
