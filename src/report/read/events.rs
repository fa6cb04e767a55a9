//! Drift events and dead letters.

use std::collections::BTreeMap;

use arrow_array::Array;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampNanosecondType};

use super::table::{Batch, Table};
use crate::report::{DriftPoint, Position, ReportError};

/// All drift events in the order of their positions.
pub(super) fn drift(
    table: &Table,
    position: impl Fn(Option<i64>, i64) -> Position,
) -> Result<Vec<DriftPoint>, ReportError> {
    let columns = ["event_time", "signal", "score", "threshold", "alarm", "cluster", "top_features", "model_version"];
    let mut points = Vec::new();
    table.each(&columns, |batch| {
        let times = batch.numbers::<TimestampNanosecondType>("event_time")?;
        let (signals, features) = (batch.texts("signal")?, batch.texts("top_features")?);
        let (scores, thresholds) = (batch.numbers::<Float64Type>("score")?, batch.numbers::<Float64Type>("threshold")?);
        let (alarms, clusters) = (batch.flags("alarm")?, batch.numbers::<Int32Type>("cluster")?);
        let versions = batch.numbers::<Int64Type>("model_version")?;
        for row in 0..batch.rows() {
            let time = times.is_valid(row).then(|| times.value(row));
            points.push(DriftPoint {
                at: position(time, versions.value(row)),
                signal: signals.value(row).to_owned(),
                score: scores.value(row),
                threshold: Some(thresholds.value(row)).filter(|value| thresholds.is_valid(row) && value.is_finite()),
                alarm: alarms.value(row),
                cluster: clusters.is_valid(row).then(|| clusters.value(row)),
                top_features: names(batch, features.value(row))?,
            });
        }
        Ok(())
    })?;
    points.sort_by_key(|point| point.at);
    Ok(points)
}

/// The names in a JSON list.
fn names(batch: &Batch<'_>, json: &str) -> Result<Vec<String>, ReportError> {
    if json.is_empty() {
        return Ok(Vec::new());
    }
    let values: Vec<serde_json::Value> = serde_json::from_str(json)
        .map_err(|error| batch.fault("top_features", format!("`{json}` is no JSON list: {error}")))?;
    Ok(values.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect())
}

/// How many dead letters there are of each reason.
pub(super) fn reasons(table: &Table) -> Result<BTreeMap<String, u64>, ReportError> {
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    table.each(&["reason"], |batch| {
        let column = batch.texts("reason")?;
        for reason in column.iter().flatten() {
            match reasons.get_mut(reason) {
                Some(rows) => *rows += 1,
                None => drop(reasons.insert(reason.to_owned(), 1)),
            }
        }
        Ok(())
    })?;
    Ok(reasons)
}
