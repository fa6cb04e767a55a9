//! From a plan to what the workers need.

use std::sync::Arc;

use arrow_schema::{FieldRef, SchemaRef};
use serde::Serialize;

use crate::checkpoint::Digest;
use crate::config::{Plan, Source};
use crate::connector::format::{self, FormatError};
use crate::connector::kafka::KafkaSourceParameters;
use crate::connector::{
    ConnectorError, InputDigest, ParquetCatalog, ParquetSourceParameters, assignment_schema, read_pairs,
};
use crate::data::Features;
use crate::error::Error;
use crate::learner::{ListedPair, Nearness, PairList, Settings, Supervision, Teacher, half_life};
use crate::network::Backend;
use crate::objective::Link;

/// The learner's share of a plan, but for what it is taught.
#[must_use]
pub fn settings(plan: &Plan) -> Settings {
    Settings {
        model: plan.model().clone(),
        method: plan.method().clone(),
        refine: plan.refine().cloned(),
        backend: if plan.model().backend == "libtorch" { Backend::Libtorch } else { Backend::Flex },
        balance: plan.balance().clone(),
        learning: plan.learning().clone(),
        supervision: None,
        scale: plan.features().scale().clone(),
        half_life: plan.learning().half_life.as_deref().and_then(|text| half_life::parse(text).ok()),
        nearness: nearness(plan.features()),
        drift: plan.drift().clone(),
        seed: plan.seed(),
    }
}

/// Who says which rows belong together or apart, if anybody does.
pub(super) fn supervision(plan: &Plan, input: &InputDigest) -> Result<Option<Supervision>, Error> {
    let Some(parameters) = plan.supervision() else { return Ok(None) };
    let teacher = match (&parameters.pairs, parameters.label_fraction) {
        // Windows of one partition end in another order than that of their offsets.
        _ if parameters.pairs_topic.is_some() => Teacher::Live { ordered: plan.features().window().is_none() },
        (Some(path), _) => {
            let link = |must| if must { Link::Must } else { Link::Cannot };
            let pairs = read_pairs(path, input)?.into_iter().map(|(ends, must)| ListedPair { ends, link: link(must) });
            Teacher::Pairs(Arc::new(PairList::new(pairs.collect())))
        }
        (None, fraction) => Teacher::Labels {
            fraction: fraction.unwrap_or_default(),
            partners: parameters.pairs_per_label,
            ignore: parameters.ignore_label.clone(),
        },
    };
    Ok(Some(Supervision {
        teacher,
        batch_share: parameters.batch_share,
        ascent: parameters.dual(),
        reseats: parameters.reseats,
    }))
}

fn nearness(features: &Features) -> Nearness {
    if features.window().is_some() || features.time().is_some() {
        Nearness::Time(features.max_gap_ns())
    } else if features.key().is_empty() {
        Nearness::Features
    } else {
        Nearness::Arrival
    }
}

/// Where rows come from, opened as far as it can be without reading.
pub(super) enum Inlet {
    Files(Arc<ParquetCatalog>),
    Topics(Box<KafkaSourceParameters>),
}

impl Inlet {
    /// The files; none where there are topics.
    pub(super) fn digest(&self) -> InputDigest {
        match self {
            Self::Files(catalog) => catalog.digest(),
            Self::Topics(_) => InputDigest::default(),
        }
    }
}

/// The opened input and the columns of the output.
pub(super) struct Ends {
    pub(super) inlet: Inlet,
    /// The columns of the input, where they are known.
    pub(super) schema: Option<SchemaRef>,
    pub(super) columns: Vec<String>,
    pub(super) assignments: SchemaRef,
}

/// Opens the input and checks it against what the pipeline asks for.
pub(super) fn open(plan: &Plan) -> Result<Ends, Error> {
    match plan.source() {
        Source::Parquet(parameters) => open_files(plan, parameters),
        Source::Kafka(parameters) => open_topics(plan, parameters),
    }
}

fn open_topics(plan: &Plan, parameters: &KafkaSourceParameters) -> Result<Ends, Error> {
    let columns = plan.features().wanted_columns();
    let schema = format::decoder(&parameters.decoding(&columns)).map_err(ConnectorError::from)?.schema();
    let fault = |source| Error::Features { file: parameters.topic.clone(), source };
    let extras = match &schema {
        Some(schema) => {
            plan.features().check_schema(schema).map_err(fault)?;
            plan.features().extra_fields(schema).map_err(fault)?
        }
        None if plan.features().label().is_none() && plan.features().keep().is_empty() => Vec::new(),
        None => {
            return Err(Error::Connector(ConnectorError::Format(FormatError::Options {
                topic: parameters.topic.clone(),
                problem: "`features.label` and `features.keep` need the types of these columns: name a `schema` file"
                    .to_owned(),
            })));
        }
    };
    let extras: Vec<FieldRef> = extras.into_iter().map(Arc::new).collect();
    let assignments = assignment_schema(&extras)?;
    Ok(Ends { inlet: Inlet::Topics(Box::new(parameters.clone())), schema, columns, assignments })
}

fn open_files(plan: &Plan, parameters: &ParquetSourceParameters) -> Result<Ends, Error> {
    let columns = plan.features().wanted_columns();
    let catalog = ParquetCatalog::open(parameters, &[])?;
    // The columns stand as they are in the first file with rows; whether the others agree is asked afterwards.
    let first = || catalog.digest().files.into_iter().find(|file| file.rows > 0).map(|file| file.name);
    let fault = |source| Error::Features { file: first().unwrap_or_default(), source };
    plan.features().check_schema(catalog.schema()).map_err(fault)?;
    catalog.check(&columns)?;
    let extras = plan.features().extra_fields(catalog.schema()).map_err(fault)?;
    let extras: Vec<FieldRef> = extras.into_iter().map(Arc::new).collect();
    let assignments = assignment_schema(&extras)?;
    let schema = Some(Arc::clone(catalog.schema()));
    Ok(Ends { inlet: Inlet::Files(Arc::new(catalog)), schema, columns, assignments })
}

/// What is known of the input without reading a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Input {
    /// The topic, or what topics match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Files.
    pub files: usize,
    /// Rows of all files.
    pub rows: u64,
    /// The columns that are read.
    pub columns: Vec<String>,
    /// Number of features of a row, if the schema says it.
    pub features: Option<usize>,
}

/// Checks the input against what the pipeline asks for; reads no rows.
///
/// # Errors
/// If the input cannot be opened, or lacks a column, or has one of a type that cannot be used or that is not the same in
/// all files.
pub fn survey(plan: &Plan) -> Result<Input, Error> {
    let Ends { inlet, schema, columns, .. } = open(plan)?;
    supervision(plan, &inlet.digest())?;
    let features = schema.and_then(|schema| plan.features().width(&schema));
    Ok(match inlet {
        Inlet::Topics(parameters) => Input { topic: Some(parameters.topic), files: 0, rows: 0, columns, features },
        Inlet::Files(catalog) => {
            let (files, rows) = (catalog.digest().files.len(), catalog.total_rows());
            Input { topic: None, files, rows, columns, features }
        }
    })
}

/// Rows that a run will featurise, over all passes; nothing for an input without an end.
///
/// # Errors
/// If the input cannot be opened.
pub fn input_rows(plan: &Plan) -> Result<Option<u64>, Error> {
    let Source::Parquet(parameters) = plan.source() else { return Ok(None) };
    let catalog = ParquetCatalog::open(parameters, &[])?;
    Ok(Some(catalog.total_rows() * plan.learning().passes as u64))
}

/// Input rows of all workers in one epoch: about one chunk of model rows.
pub(super) fn epoch_rows(plan: &Plan) -> usize {
    let hop = plan.features().window().map_or(1, |window| window.hop());
    plan.learning().chunk_rows * hop.max(1)
}

/// Tables and keys that results depend on.
const CARRIED: [&str; 10] = [
    "pipeline.name",
    "pipeline.seed",
    "features.",
    "model.",
    "balance.",
    "learning.",
    "supervision.",
    "objective.",
    "refine.",
    "drift.",
];
/// Tables and keys that a model cannot be used without.
const MODELLED: [&str; 6] =
    ["features.columns", "features.window.", "features.scale.", "model.", "objective.", "refine."];

/// The settings whose full path begins with one of `prefixes`, as text.
fn settings_under(plan: &Plan, prefixes: &[&str]) -> Result<Digest, Error> {
    fn walk(path: &str, value: &toml::Value, out: &mut Vec<(String, String)>) {
        match value {
            toml::Value::Table(table) => {
                for (key, value) in table {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    walk(&path, value, out);
                }
            }
            other => out.push((path.to_owned(), other.to_string())),
        }
    }
    let effective = toml::Value::try_from(plan.effective()).map_err(|error| Error::Internal(error.to_string()))?;
    let mut all = Vec::new();
    walk("", &effective, &mut all);
    Ok(all.into_iter().filter(|(path, _)| prefixes.iter().any(|prefix| path.starts_with(prefix))).collect())
}

/// Every setting that a frozen model cannot be used with another value of.
pub(super) fn modelled(plan: &Plan) -> Result<Digest, Error> {
    settings_under(plan, &MODELLED)
}

/// Every setting that a checkpoint cannot carry across a change.
pub(super) fn digest(plan: &Plan, inlet: &Inlet) -> Result<Digest, Error> {
    let mut digest = settings_under(plan, &CARRIED)?;
    digest.insert("pipeline.workers", plan.workers().to_string());
    if let Some(path) = plan.supervision().and_then(|supervision| supervision.pairs.as_ref()) {
        let bytes = std::fs::read(path).map_err(|error| pairs_gone(path, &error))?;
        digest
            .insert("content of supervision.pairs", format!("{:08x} ({} bytes)", crc32fast::hash(&bytes), bytes.len()));
    }
    match inlet {
        Inlet::Files(catalog) => {
            let input = catalog.digest();
            let files =
                input.files.iter().map(|file| format!("{} ({} rows, {} bytes)", file.name, file.rows, file.bytes));
            digest.insert("source.parquet.files", files.collect::<Vec<_>>().join(", "));
        }
        Inlet::Topics(parameters) => {
            digest.insert("source.kafka.topic", parameters.topic.clone());
            digest.insert("source.kafka.properties.group.id", parameters.group(plan.name()).to_owned());
        }
    }
    Ok(digest)
}

fn pairs_gone(path: &std::path::Path, error: &std::io::Error) -> ConnectorError {
    let problem = format!("cannot be read ({error}); correct `supervision.pairs`");
    ConnectorError::NoInput { path: path.display().to_string(), problem }
}

/// Name of the effective configuration in the run directory.
pub const PLAN_FILE: &str = "pipeline.toml";

/// Writes the effective configuration beside the run's results, for reports and for people.
pub(super) fn keep_plan(plan: &Plan) -> Result<(), Error> {
    let text = plan.effective().to_toml().map_err(|error| Error::Internal(error.to_string()))?;
    let path = plan.run_dir().join(PLAN_FILE);
    std::fs::write(&path, text).map_err(|source| Error::Connector(ConnectorError::Write { path, source }))
}
