//! What the user may say about rows, windows and scaling: the `[features]` table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[features]`: which columns make a row and how rows stand to each other in time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FeatureParameters {
    /// `FixedSizeList`/`List<Float32>` or numeric scalar columns, concatenated in this order. Left out with a window.
    pub columns: Vec<String>,
    /// What happens to rows with null, NaN or infinite features.
    pub missing: Missing,
    /// Column or columns that name the device.
    #[serde(deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "OneOrMany")]
    pub key: Vec<String>,
    /// Event time: a timestamp column, or int64 nanoseconds.
    pub time: String,
    /// Only for evaluation, unless `[supervision]` asks for it; passed through to the output as `label`.
    pub label: String,
    /// Columns passed through to the output.
    pub keep: Vec<String>,
    /// Column that numbers unbroken runs of one key.
    pub series: String,
    /// A pause of more than this many seconds starts a new series.
    pub max_gap_s: f64,
    /// Cuts raw sensor readings into windows; without it every input row is a row.
    pub window: Option<WindowParameters>,
    /// How features are brought to one scale.
    pub scale: ScaleParameters,
}

impl Default for FeatureParameters {
    fn default() -> Self {
        Self {
            columns: Vec::new(),
            missing: Missing::Reject,
            key: Vec::new(),
            time: String::new(),
            label: String::new(),
            keep: Vec::new(),
            series: String::new(),
            max_gap_s: 5.0,
            window: None,
            scale: ScaleParameters::default(),
        }
    }
}

/// A column name or a list of them.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

fn one_or_many<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(name) if name.is_empty() => Vec::new(),
        OneOrMany::One(name) => vec![name],
        OneOrMany::Many(names) => names,
    })
}

/// What happens to a row with null, NaN or infinite features.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// It goes to the dead letters.
    Reject,
    /// The feature takes the mean of the finite values seen so far in its column.
    Mean,
    /// The feature is taken as zero.
    Zero,
}

/// `[features.window]`: raw readings become windows of a fixed number of readings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowParameters {
    /// Triples of columns: one three-axis sensor each.
    pub sensors: Vec<[String; 3]>,
    /// Readings per second.
    pub rate_hz: f64,
    /// Window length in seconds.
    pub length_s: f64,
    /// Distance between window starts in seconds.
    pub hop_s: f64,
    /// How wrong the order of one key's readings may be, in seconds of event time.
    #[serde(default)]
    pub lateness_s: f64,
    /// `statistics` is the only one.
    #[serde(default = "statistics")]
    pub extractor: String,
    /// A window has a label if one label covers this much of it.
    #[serde(default = "label_share")]
    pub label_share: f64,
}

fn statistics() -> String {
    "statistics".to_owned()
}

fn label_share() -> f64 {
    0.8
}

/// `[features.scale]`: running standardisation, part of the model version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScaleParameters {
    /// How a feature is scaled.
    pub method: ScaleMethod,
    /// Whose statistics are used.
    pub per: ScalePer,
    /// Pseudo-rows by which a key's statistics are shrunk to the warm-up ones.
    pub shrink_rows: f64,
}

impl Default for ScaleParameters {
    fn default() -> Self {
        Self { method: ScaleMethod::Standard, per: ScalePer::Key, shrink_rows: 50.0 }
    }
}

/// How a feature is scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ScaleMethod {
    /// Mean 0, deviation 1.
    Standard,
    /// Warm-up minimum 0, warm-up maximum 1.
    Minmax,
    /// As it comes.
    None,
}

/// Whose statistics scale a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ScalePer {
    /// One set for all rows.
    All,
    /// Each key its own.
    Key,
}
