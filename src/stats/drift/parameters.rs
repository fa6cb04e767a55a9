//! What the user may say about drift: the `[drift]` table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[drift]`: how easily an alarm is raised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DriftParameters {
    /// False alarms per day that the operator accepts; fewer make the thresholds higher.
    pub alarm_budget_per_day: f64,
}

impl Default for DriftParameters {
    fn default() -> Self {
        Self { alarm_budget_per_day: 1.0 }
    }
}

impl DriftParameters {
    /// Whether the values can be used.
    ///
    /// # Errors
    /// If the budget is not a positive number.
    pub fn check(&self) -> Result<(), DriftParameterError> {
        let budget = self.alarm_budget_per_day;
        if budget.is_finite() && budget > 0.0 { Ok(()) } else { Err(DriftParameterError::Budget(budget)) }
    }
}

/// A value in `[drift]` that cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DriftParameterError {
    /// A budget of nothing or less.
    #[error("drift.alarm_budget_per_day is {0}, expected a positive number of alarms per day; 0.01 is one in 100 days")]
    Budget(f64),
}
