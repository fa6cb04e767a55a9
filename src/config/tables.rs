//! The tables of a pipeline file, as written.

use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema as schema};
use serde::{Deserialize, Serialize};

use crate::checkpoint::CheckpointParameters;
use crate::connector::kafka::{KafkaSinkParameters, KafkaSourceParameters};
use crate::connector::{DeadLetterParameters, ParquetSinkParameters, ParquetSourceParameters};
use crate::data::FeatureParameters;
use crate::learner::{BalanceParameters, LearningParameters, ModelParameters, SupervisionParameters};
use crate::objective::{ClusMatchParameters, Method, Parameters, Visitor};
use crate::stats::drift::DriftParameters;

/// A pipeline file: parsed, not yet checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "evenkeel pipeline")]
pub struct Config {
    /// The run as a whole.
    pub pipeline: PipelineParameters,
    /// Where rows come from: exactly one table.
    pub source: SourceParameters,
    /// Which columns make a row.
    #[serde(default)]
    pub features: FeatureParameters,
    /// The network and its clusters.
    pub model: ModelParameters,
    /// How even the clusters are to be.
    #[serde(default)]
    pub balance: BalanceParameters,
    /// How the stream is learned from.
    #[serde(default)]
    pub learning: LearningParameters,
    /// Pairs that are known to belong together or apart; without this table no label is ever looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supervision: Option<SupervisionParameters>,
    /// Parameters of the method that `model.objective` names.
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    #[schemars(schema_with = "objective")]
    pub objective: toml::Table,
    /// How the model refines itself, where `model.refine` asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refine: Option<ClusMatchParameters>,
    /// When a change counts as drift.
    #[serde(default)]
    pub drift: DriftParameters,
    /// Where the state of the run is kept.
    #[serde(default)]
    pub checkpoint: CheckpointParameters,
    /// Where results go.
    #[serde(default)]
    pub sink: SinkParameters,
    /// What happens to input rows that cannot be used.
    #[serde(default)]
    pub dead_letters: DeadLetterParameters,
    /// The metrics server; without this table there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serve: Option<ServeParameters>,
}

impl Config {
    /// The effective configuration as TOML, defaults filled in and secrets redacted.
    ///
    /// # Errors
    /// If a value cannot be written as TOML (a number over 2^63 - 1).
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }
}

/// `[pipeline]`: the run as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PipelineParameters {
    /// Names the run: run directory, metrics label.
    pub name: String,
    /// One seed; every component derives its own stream of randomness from it.
    #[serde(default = "seed")]
    pub seed: u64,
    /// Timely workers; 0 is one per physical core.
    #[serde(default)]
    pub workers: usize,
    /// Folder of the run; default `runs/<name>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_dir: Option<PathBuf>,
    /// How long a stopping run may take to drain and checkpoint, in seconds.
    #[serde(default = "shutdown_grace_s")]
    pub shutdown_grace_s: u64,
}

fn seed() -> u64 {
    7
}

fn shutdown_grace_s() -> u64 {
    30
}

/// `[source.*]`: exactly one of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SourceParameters {
    /// Parquet files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parquet: Option<ParquetSourceParameters>,
    /// A topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kafka: Option<KafkaSourceParameters>,
}

/// `[sink.*]`: where results go; Parquet in the run directory unless told otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SinkParameters {
    /// Parquet files.
    pub parquet: ParquetSinkParameters,
    /// Topics, instead of Parquet files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kafka: Option<KafkaSinkParameters>,
}

/// `[serve]`: the metrics server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServeParameters {
    /// Host and port.
    pub listen: String,
}

impl Default for ServeParameters {
    fn default() -> Self {
        Self { listen: "127.0.0.1:9464".to_owned() }
    }
}

/// One form per method.
fn objective(generator: &mut SchemaGenerator) -> Schema {
    let forms: Vec<Schema> = Method::NAMES.iter().filter_map(|name| Method::visit(name, Form(generator))).collect();
    schema!({ "anyOf": forms })
}

struct Form<'a>(&'a mut SchemaGenerator);

impl Visitor for Form<'_> {
    type Output = Schema;

    fn visit<P: Parameters>(self, _wrap: fn(P) -> Method) -> Schema {
        self.0.subschema_for::<P>()
    }
}

/// JSON Schema (2020-12) of the pipeline file, for editors and for finding the nearest valid name.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(Config).to_value()
}
