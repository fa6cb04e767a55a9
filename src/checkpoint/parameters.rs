//! `[checkpoint]`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CheckpointError;

/// `[checkpoint]`: where and how often the run is saved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointParameters {
    /// Folder of the checkpoints; default `<run_dir>/checkpoints`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dir: Option<PathBuf>,
    /// A checkpoint is taken after this many rows of all workers together, or after `every_s`, whichever comes first.
    #[schemars(range(min = 1))]
    pub every_rows: u64,
    /// A checkpoint is taken after this many seconds, or after `every_rows`, whichever comes first.
    pub every_s: f64,
    /// How many checkpoints are kept; the older ones are used when the newest is damaged.
    #[schemars(range(min = 1))]
    pub keep: usize,
}

impl Default for CheckpointParameters {
    fn default() -> Self {
        Self { dir: None, every_rows: 5000, every_s: 10.0, keep: 3 }
    }
}

impl CheckpointParameters {
    /// Checks what the types do not say.
    ///
    /// # Errors
    /// For the first setting that makes no sense.
    pub fn check(&self) -> Result<(), CheckpointError> {
        let refuse = |key, problem: String| Err(CheckpointError::Parameter { key, problem });
        if self.dir.as_ref().is_some_and(|dir| dir.as_os_str().is_empty()) {
            return refuse("checkpoint.dir", "is empty: name a folder or leave it out".to_owned());
        }
        if self.every_rows == 0 {
            return refuse("checkpoint.every_rows", "is 0: give at least 1".to_owned());
        }
        if !(self.every_s.is_finite() && self.every_s > 0.0) {
            return refuse("checkpoint.every_s", format!("is {}: give a positive number of seconds", self.every_s));
        }
        if self.keep == 0 {
            return refuse("checkpoint.keep", "is 0: give at least 1".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_table_is_the_default_and_valid() {
        let parameters: CheckpointParameters = toml::from_str("").unwrap();
        assert_eq!(parameters, CheckpointParameters::default());
        parameters.check().unwrap();
        let whole: CheckpointParameters = toml::from_str("every_s = 10").unwrap();
        assert_eq!(whole, parameters);
    }

    #[test]
    fn an_unknown_key_is_refused() {
        assert!(toml::from_str::<CheckpointParameters>("every = 3").is_err());
    }

    #[test]
    fn every_senseless_value_is_refused_by_its_key() {
        for (text, key) in [
            ("dir = ''", "checkpoint.dir"),
            ("every_rows = 0", "checkpoint.every_rows"),
            ("every_s = 0", "checkpoint.every_s"),
            ("every_s = -1.5", "checkpoint.every_s"),
            ("every_s = nan", "checkpoint.every_s"),
            ("every_s = inf", "checkpoint.every_s"),
            ("keep = 0", "checkpoint.keep"),
        ] {
            let error = toml::from_str::<CheckpointParameters>(text).unwrap().check().unwrap_err();
            assert!(error.to_string().contains(key), "{text}: {error}");
        }
    }
}
