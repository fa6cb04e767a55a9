//! From what the user wrote to what is valid.

use super::error::FeatureError;
use super::nearest::nearest;
use super::vector::VectorFeaturizer;
use super::window::WindowFeaturizer;
use super::{FeatureParameters, Featurize, Missing, ScaleParameters, WindowParameters};

/// Names of the window extractors.
const EXTRACTORS: [&str; 1] = ["statistics"];

/// A checked `[features]` table.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    columns: Vec<String>,
    missing: Missing,
    key: Vec<String>,
    time: Option<String>,
    label: Option<String>,
    keep: Vec<String>,
    series: Option<String>,
    max_gap_ns: i64,
    window: Option<Window>,
    scale: ScaleParameters,
}

/// A checked `[features.window]` table, in readings and nanoseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    sensors: Vec<[String; 3]>,
    rate_hz: f64,
    length: usize,
    hop: usize,
    lateness_ns: i64,
    label_share: f64,
}

impl FeatureParameters {
    /// Checks every rule of the table.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(self) -> Result<Features, FeatureError> {
        match (&self.window, self.columns.is_empty()) {
            (None, true) => return Err(FeatureError::NoColumns),
            (Some(_), false) => return Err(FeatureError::ColumnsAndWindow),
            _ => {}
        }
        names("features.columns", &self.columns)?;
        names("features.key", &self.key)?;
        names("features.keep", &self.keep)?;
        positive("features.max_gap_s", self.max_gap_s)?;
        not_negative("features.scale.shrink_rows", self.scale.shrink_rows)?;
        let window = self.window.map(WindowParameters::check).transpose()?;
        let columns = match &window {
            Some(window) => window.sensors.iter().flatten().cloned().collect(),
            None => self.columns,
        };
        let optional = |name: String| if name.is_empty() { None } else { Some(name) };
        let (time, label, series) = (optional(self.time), optional(self.label), optional(self.series));
        if let Some(label) = &label {
            if columns.contains(label) {
                return Err(FeatureError::LabelIsFeature { column: label.clone() });
            }
            if self.keep.iter().any(|column| column == "label") {
                return Err(FeatureError::TwoLabels { label: label.clone() });
            }
        }
        if let Some(window) = &window
            && window.lateness_ns > 0
            && time.is_none()
        {
            return Err(FeatureError::LatenessWithoutTime { lateness_s: window.lateness_ns as f64 / 1e9 });
        }
        Ok(Features {
            columns,
            missing: self.missing,
            key: self.key,
            time,
            label,
            keep: self.keep,
            series,
            max_gap_ns: nanoseconds(self.max_gap_s),
            window,
            scale: self.scale,
        })
    }
}

impl WindowParameters {
    /// Checks every rule of the table and counts in readings: `length = round(length_s · rate_hz)`, likewise the hop.
    ///
    /// A hop longer than the window is allowed; the readings between two windows are then unwindowed.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(self) -> Result<Window, FeatureError> {
        if self.sensors.is_empty() {
            return Err(FeatureError::NoSensors);
        }
        let axes: Vec<String> = self.sensors.iter().flatten().cloned().collect();
        names("features.window.sensors", &axes)?;
        positive("features.window.rate_hz", self.rate_hz)?;
        positive("features.window.length_s", self.length_s)?;
        positive("features.window.hop_s", self.hop_s)?;
        not_negative("features.window.lateness_s", self.lateness_s)?;
        if !(self.label_share > 0.5 && self.label_share <= 1.0) {
            return Err(FeatureError::LabelShare { value: self.label_share });
        }
        if !EXTRACTORS.contains(&self.extractor.as_str()) {
            let suggestion = nearest(&self.extractor, EXTRACTORS).map(str::to_owned);
            return Err(FeatureError::UnknownExtractor { name: self.extractor, suggestion });
        }
        let length = (self.length_s * self.rate_hz).round() as usize;
        let hop = (self.hop_s * self.rate_hz).round() as usize;
        if length < 2 {
            let Self { length_s, rate_hz, .. } = self;
            return Err(FeatureError::WindowTooShort { length_s, rate_hz, readings: length });
        }
        if hop == 0 {
            return Err(FeatureError::HopTooShort { hop_s: self.hop_s, rate_hz: self.rate_hz });
        }
        Ok(Window {
            sensors: self.sensors,
            rate_hz: self.rate_hz,
            length,
            hop,
            lateness_ns: nanoseconds(self.lateness_s),
            label_share: self.label_share,
        })
    }
}

fn names(key: &'static str, columns: &[String]) -> Result<(), FeatureError> {
    for (index, column) in columns.iter().enumerate() {
        if column.is_empty() {
            return Err(FeatureError::EmptyName { key });
        }
        if columns[..index].contains(column) {
            return Err(FeatureError::Repeated { key, column: column.clone() });
        }
    }
    Ok(())
}

fn positive(key: &'static str, value: f64) -> Result<(), FeatureError> {
    if value > 0.0 && value.is_finite() { Ok(()) } else { Err(FeatureError::NotPositive { key, value }) }
}

fn not_negative(key: &'static str, value: f64) -> Result<(), FeatureError> {
    if value >= 0.0 && value.is_finite() { Ok(()) } else { Err(FeatureError::Negative { key, value }) }
}

fn nanoseconds(seconds: f64) -> i64 {
    (seconds * 1e9).round() as i64
}

impl Features {
    /// The feature columns in order; with a window the sensor axes, triple by triple.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// What happens to rows with null, NaN or infinite features.
    pub fn missing(&self) -> Missing {
        self.missing
    }

    /// The columns that name the device; empty without a key.
    pub fn key(&self) -> &[String] {
        &self.key
    }

    /// The event time column.
    pub fn time(&self) -> Option<&str> {
        self.time.as_deref()
    }

    /// The label column, as it is called in the input.
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// The columns passed through to the output under their own names.
    pub fn keep(&self) -> &[String] {
        &self.keep
    }

    /// The column that numbers unbroken runs of one key.
    pub fn series(&self) -> Option<&str> {
        self.series.as_deref()
    }

    /// A pause of more than this many nanoseconds starts a new series where no column says so.
    pub fn max_gap_ns(&self) -> i64 {
        self.max_gap_ns
    }

    /// How readings are cut; `None` when every input row is a row.
    pub fn window(&self) -> Option<&Window> {
        self.window.as_ref()
    }

    /// How features are brought to one scale.
    pub fn scale(&self) -> &ScaleParameters {
        &self.scale
    }

    /// What the source must project: every column that is read, without duplicates, in order of first mention.
    pub fn wanted_columns(&self) -> Vec<String> {
        let mut wanted: Vec<String> = Vec::new();
        let named = self.columns.iter().chain(&self.key).chain(&self.time).chain(&self.series).chain(&self.label);
        for column in named.chain(&self.keep) {
            if !wanted.contains(column) {
                wanted.push(column.clone());
            }
        }
        wanted
    }

    /// A fresh featuriser for one worker.
    pub fn open(&self) -> Box<dyn Featurize> {
        match &self.window {
            None => Box::new(VectorFeaturizer::new(self.clone())),
            Some(window) => Box::new(WindowFeaturizer::new(self.clone(), window.clone())),
        }
    }
}

impl Window {
    /// Triples of columns: one three-axis sensor each.
    pub fn sensors(&self) -> &[[String; 3]] {
        &self.sensors
    }

    /// Readings per second.
    pub fn rate_hz(&self) -> f64 {
        self.rate_hz
    }

    /// Readings of a window.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Readings between window starts.
    pub fn hop(&self) -> usize {
        self.hop
    }

    /// How wrong the order of one key's readings may be, in nanoseconds of event time.
    pub fn lateness_ns(&self) -> i64 {
        self.lateness_ns
    }

    /// A window has a label if one label covers this share of its readings.
    pub fn label_share(&self) -> f64 {
        self.label_share
    }
}

#[cfg(test)]
mod tests;
