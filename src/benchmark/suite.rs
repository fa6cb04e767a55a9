//! A suite file: which methods on which data, and what was published.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::baseline::Baseline;
use super::error::BenchmarkError;
use super::order::Order;
use super::tables::{Tables, overlay};
use crate::config::{self, Config, ConfigError, Plan};
use crate::data::nearest;
use crate::error::Error;

/// A suite file as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuiteParameters {
    /// What it reproduces.
    pub title: String,
    /// The paper, and whatever a reader of the table must know.
    #[serde(default)]
    pub about: String,
    /// Seeds 0, 1, … of every line.
    #[serde(default = "seeds")]
    pub seeds: u64,
    /// How the published NMI is normalised.
    #[serde(default)]
    pub nmi: Nmi,
    /// Data sets by name.
    pub data: BTreeMap<String, DataParameters>,
    /// Methods by name.
    pub method: BTreeMap<String, MethodParameters>,
    /// The lines of the table.
    pub line: Vec<LineParameters>,
}

fn seeds() -> u64 {
    5
}

/// How mutual information is normalised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Nmi {
    /// By the mean of the entropies.
    #[default]
    Arithmetic,
    /// By the larger entropy.
    Max,
}

/// A data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataParameters {
    /// What the table calls it; its name unless given.
    #[serde(default)]
    pub title: String,
    /// The file in a folder of data; `NAME.parquet` unless given.
    #[serde(default)]
    pub file: String,
    /// Only so many rows from the start.
    #[serde(default)]
    pub first_rows: Option<usize>,
    /// A label that means none.
    #[serde(default)]
    pub ignore_label: Option<String>,
    /// Settings of every line on this data: `features` with the label, `model.clusters`.
    #[serde(default)]
    pub set: Tables,
}

/// A method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MethodParameters {
    /// What the table calls it; its name unless given.
    #[serde(default)]
    pub title: String,
    /// The method whose settings come first.
    #[serde(default)]
    pub like: Option<String>,
    /// A method without a network instead of `model.objective`.
    #[serde(default)]
    pub baseline: Option<Baseline>,
    /// Whether rows that are fitted all at once have neighbours, in time where they have one.
    #[serde(default)]
    pub neighbours: bool,
    /// Settings of every line with this method.
    #[serde(default)]
    pub set: Tables,
}

/// A line of the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LineParameters {
    /// A method of this file.
    pub method: String,
    /// A data set of this file.
    pub data: String,
    /// Streams the rows once in each of these orders; without one they are fitted all at once.
    #[serde(default)]
    pub orders: Vec<String>,
    /// Settings of this line alone.
    #[serde(default)]
    pub set: Tables,
    /// What was published.
    #[serde(default)]
    pub published: Published,
}

/// Published figures, in percent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Published {
    /// Accuracy.
    pub acc: Option<f64>,
    /// Normalised mutual information.
    pub nmi: Option<f64>,
    /// Adjusted Rand index.
    pub ari: Option<f64>,
    /// Normalised entropy of the clusters.
    pub ne: Option<f64>,
    /// Where it stands.
    pub source: String,
}

/// A checked suite.
#[derive(Clone, Debug, PartialEq)]
pub struct Suite {
    /// File name without its ending.
    pub name: String,
    /// The suite file.
    pub file: PathBuf,
    /// What it reproduces.
    pub title: String,
    /// The paper.
    pub about: String,
    /// Seeds of every line.
    pub seeds: u64,
    /// How the published NMI is normalised.
    pub nmi: Nmi,
    /// Data sets by name.
    pub data: BTreeMap<String, DataParameters>,
    /// The lines, one for each order.
    pub lines: Vec<Line>,
}

/// One line of the table, settings put together.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Name of the method.
    pub method: String,
    /// Title of the method.
    pub method_title: String,
    /// Name of the data set.
    pub data: String,
    /// Title of the data set.
    pub data_title: String,
    /// In which order rows are streamed; nothing if they are fitted at once.
    pub order: Option<Order>,
    /// The method, if it has no network.
    pub baseline: Option<Baseline>,
    /// Whether rows fitted at once have neighbours.
    pub neighbours: bool,
    /// Tables of a pipeline file: those of the data, under those of the method, under those of the line.
    pub tables: Table,
    /// What was published.
    pub published: Published,
    /// Suite file, method and data, for messages.
    place: String,
}

impl Suite {
    /// Reads and checks a suite file.
    ///
    /// # Errors
    /// If it cannot be read, has unknown keys, names a method or data set that it does not have, or one of its lines would not
    /// be a valid pipeline.
    pub fn load(file: &Path) -> Result<Self, Error> {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => ConfigError::NoInput { file: name.clone() },
            _ => ConfigError::Read { file: name.clone(), source },
        })?;
        let parameters: SuiteParameters = config::parse(&name, &text, &[], &|_| None)?;
        let mut lines = Vec::new();
        for line in &parameters.line {
            lines.extend(Line::of(&name, &parameters, line)?);
        }
        let mut seen = BTreeSet::new();
        for line in &lines {
            line.plan(Path::new("data.parquet"))?;
            if !seen.insert(line.identity()) {
                let problem = format!("{} stands there twice: give the second one a method of its own", line.place);
                return Err(BenchmarkError::Suite { file: name, problem }.into());
            }
        }
        Ok(Self {
            name: file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned()),
            file: file.to_owned(),
            title: parameters.title,
            about: parameters.about,
            seeds: parameters.seeds,
            nmi: parameters.nmi,
            data: parameters.data,
            lines,
        })
    }
}

/// A named entry of the suite, or what is wrong with the name.
fn entry<'a, T>(file: &str, what: &str, name: &str, all: &'a BTreeMap<String, T>) -> Result<&'a T, Error> {
    all.get(name).ok_or_else(|| {
        let names: Vec<&str> = all.keys().map(String::as_str).collect();
        let hint = match nearest(name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", names.join(", ")),
        };
        let problem = format!("a line names the {what} `{name}`, which this file does not have; {hint}");
        BenchmarkError::Suite { file: file.to_owned(), problem }.into()
    })
}

fn title(title: &str, name: &str) -> String {
    if title.is_empty() { name.to_owned() } else { title.to_owned() }
}

impl Line {
    fn of(file: &str, suite: &SuiteParameters, line: &LineParameters) -> Result<Vec<Self>, Error> {
        let data = entry(file, "data set", &line.data, &suite.data)?;
        let method = entry(file, "method", &line.method, &suite.method)?;
        let base = method.like.as_ref().map(|name| entry(file, "method", name, &suite.method)).transpose()?;
        let place = format!("{file}: {} on {}", line.method, line.data);
        let fault = |problem: String| Error::from(BenchmarkError::Suite { file: place.clone(), problem });
        if base.is_some_and(|base| base.like.is_some()) {
            return Err(fault("`like` must name a method that is not like another one itself".to_owned()));
        }
        let mut tables = data.set.together();
        for above in base.map(|base| &base.set).into_iter().chain([&method.set, &line.set]) {
            overlay(&mut tables, &above.together());
        }
        let baseline = method.baseline.clone().or_else(|| base.and_then(|base| base.baseline.clone()));
        if baseline.is_some() && !line.orders.is_empty() {
            return Err(fault("a method without a network has all rows at once: leave `orders` out".to_owned()));
        }
        let mut orders = Vec::new();
        for order in &line.orders {
            orders.push(Some(order.parse::<Order>().map_err(fault)?));
        }
        if orders.is_empty() {
            orders.push(None);
        }
        let one = |order: Option<Order>| Self {
            method: line.method.clone(),
            method_title: title(&method.title, &line.method),
            data: line.data.clone(),
            data_title: title(&data.title, &line.data),
            order,
            baseline: baseline.clone(),
            neighbours: method.neighbours || base.is_some_and(|base| base.neighbours),
            tables: tables.clone(),
            published: line.published.clone(),
            place: place.clone(),
        };
        Ok(orders.into_iter().map(one).collect())
    }

    /// Method, data and order: what a line is known by.
    #[must_use]
    pub fn identity(&self) -> (String, String, String) {
        (self.method.clone(), self.data.clone(), self.order.map_or_else(String::new, |order| order.to_string()))
    }

    /// The line as a pipeline over `file`.
    ///
    /// # Errors
    /// If its tables are no valid pipeline.
    pub fn plan(&self, file: &Path) -> Result<Plan, Error> {
        let paths = Value::Array(vec![Value::String(file.display().to_string())]);
        let source = Table::from_iter([("parquet".to_owned(), Table::from_iter([("paths".to_owned(), paths)]).into())]);
        let mut whole = self.tables.clone();
        whole.insert("source".to_owned(), Value::Table(source));
        let pipeline = [("name", Value::from("benchmark")), ("workers", Value::from(1))];
        let pipeline = pipeline.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        whole.insert("pipeline".to_owned(), Value::Table(pipeline));
        let config: Config = config::assemble(&self.place, whole)?;
        Ok(config.check().map_err(|rules| ConfigError::Rules { file: self.place.clone(), rules })?)
    }
}

#[cfg(test)]
mod tests;
