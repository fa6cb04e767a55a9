//! What can be wrong with `[features]`, by itself or against the columns of the input.

use std::fmt;

use arrow_schema::DataType;

/// A fault of the `[features]` table.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FeatureError {
    /// Neither feature columns nor a window.
    #[error("`features.columns` is empty: name the feature columns, or cut raw readings with [features.window]")]
    NoColumns,
    /// Both feature columns and a window.
    #[error("`features.columns` and [features.window] exclude each other: with a window leave `columns` out")]
    ColumnsAndWindow,
    /// A window without sensors.
    #[error("`features.window.sensors` is empty: name at least one triple of columns")]
    NoSensors,
    /// An empty string where a column name is expected.
    #[error("`{key}` holds an empty column name")]
    EmptyName {
        /// The key of the pipeline file.
        key: &'static str,
    },
    /// The same column named twice by one key.
    #[error("`{key}` names column `{column}` twice")]
    Repeated {
        /// The key of the pipeline file.
        key: &'static str,
        /// The column.
        column: String,
    },
    /// The label among the features: the model must never see it.
    #[error(
        "the label column `{column}` is also a feature: the model must not see labels, take it out of one of the two"
    )]
    LabelIsFeature {
        /// The column.
        column: String,
    },
    /// Two output columns of the name `label`.
    #[error(
        "`features.keep` names a column `label`, which is the output name of `features.label` (`{label}`): leave it out"
    )]
    TwoLabels {
        /// The label column.
        label: String,
    },
    /// A quantity that must be greater than zero.
    #[error("`{key}` is {value}: it must be greater than 0")]
    NotPositive {
        /// The key of the pipeline file.
        key: &'static str,
        /// What was given.
        value: f64,
    },
    /// A quantity that must not be negative.
    #[error("`{key}` is {value}: it must be 0 or greater")]
    Negative {
        /// The key of the pipeline file.
        key: &'static str,
        /// What was given.
        value: f64,
    },
    /// A window of fewer than two readings.
    #[error(
        "a window of {length_s} s at {rate_hz} Hz has {readings} readings: at least 2 are needed, raise `length_s`"
    )]
    WindowTooShort {
        /// Window length in seconds.
        length_s: f64,
        /// Readings per second.
        rate_hz: f64,
        /// Rounded number of readings.
        readings: usize,
    },
    /// Windows that would never move on.
    #[error("a hop of {hop_s} s at {rate_hz} Hz has no reading: raise `hop_s`")]
    HopTooShort {
        /// Distance between window starts in seconds.
        hop_s: f64,
        /// Readings per second.
        rate_hz: f64,
    },
    /// Event-time order asked for without event time.
    #[error("`features.window.lateness_s` is {lateness_s} but `features.time` is not set: name the event time column")]
    LatenessWithoutTime {
        /// What was given.
        lateness_s: f64,
    },
    /// A share that two labels could reach at once, or none.
    #[error("`features.window.label_share` is {value}: it must be greater than 0.5 and at most 1")]
    LabelShare {
        /// What was given.
        value: f64,
    },
    /// An extractor that does not exist.
    #[error("`features.window.extractor` is `{name}`, which does not exist{}", Suggestion(.suggestion))]
    UnknownExtractor {
        /// What was given.
        name: String,
        /// The nearest name that exists.
        suggestion: Option<String>,
    },
    /// A column that the input does not have.
    #[error("the input has no column `{column}` (`{key}`){}", Suggestion(.suggestion))]
    MissingColumn {
        /// The key of the pipeline file.
        key: &'static str,
        /// The column.
        column: String,
        /// The nearest name that exists.
        suggestion: Option<String>,
    },
    /// A column of a type that cannot be used.
    #[error("column `{column}` (`{key}`) is {found}: {wanted}")]
    WrongType {
        /// The key of the pipeline file.
        key: &'static str,
        /// The column.
        column: String,
        /// Its type.
        found: DataType,
        /// What can be used.
        wanted: &'static str,
    },
    /// A passed-through column that changes its type between files.
    #[error("column `{column}` was {before} and is now {now}: passed-through columns must keep their type")]
    TypeChanged {
        /// The column.
        column: String,
        /// Its type so far.
        before: DataType,
        /// Its type now.
        now: DataType,
    },
    /// A row without a key or an event time.
    #[error("row {row}: {detail}")]
    Row {
        /// Its number in the batch.
        row: usize,
        /// The column and what is wrong.
        detail: String,
    },
}

struct Suggestion<'a>(&'a Option<String>);

impl fmt::Display for Suggestion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(f, ", did you mean `{name}`?"),
            None => Ok(()),
        }
    }
}
