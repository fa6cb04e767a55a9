//! The columns of everything that is written: assignments, drift events, dead letters.
//!
//! The tables here are the single source: the Arrow schemas, the batches and `schemas/*.json` come from them.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray};
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};

use super::ConnectorError;
use crate::data::DeadLetter;

/// Version of the three tables; goes up when a column changes its meaning, its type or its name.
pub const SCHEMA_VERSION: u32 = 1;

/// One column of an output table.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its Arrow type.
    pub data_type: DataType,
    /// Whether it may be null.
    pub nullable: bool,
    /// What a reader must know about it.
    pub description: &'static str,
}

fn required(name: &'static str, data_type: DataType, description: &'static str) -> Column {
    Column { name, data_type, nullable: false, description }
}

fn optional(name: &'static str, data_type: DataType, description: &'static str) -> Column {
    Column { nullable: true, ..required(name, data_type, description) }
}

fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))
}

/// Where a row came from: the first columns of assignments and dead letters.
fn identity() -> [Column; 3] {
    [
        required("source", DataType::Utf8, "file or topic the input row came from"),
        required("partition", DataType::Int32, "Kafka partition; 0 for files"),
        required(
            "offset",
            DataType::Int64,
            "row number in the file or Kafka offset; with windows that of the last reading. source, partition and offset \
             together identify a row, but for the rows of one Arrow IPC message, which share its offset",
        ),
    ]
}

/// The columns of an assignment, without what is passed through from the input.
pub fn assignment_columns() -> Vec<Column> {
    let mut columns = identity().to_vec();
    columns.extend([
        required("key", DataType::Utf8, "device, person or machine; empty when no key is configured"),
        optional(
            "event_time",
            instant(),
            "event time of the row, the end of a window; null when no time is configured",
        ),
        required(
            "cluster",
            DataType::Int32,
            "durable cluster id: survives re-initialisation, split, merge and restart",
        ),
        required("natural_cluster", DataType::Int32, "the model's own choice, without the bounds"),
        required(
            "balance_cost",
            DataType::Float32,
            "extra distance paid for the bounds; 0 when the two clusters agree",
        ),
        required("warmup", DataType::Boolean, "whether the row was held during warm-up, so that the model had seen it"),
        required("confidence", DataType::Float32, "largest responsibility, in [0, 1]"),
        required("distance", DataType::Float32, "distance to the centroid of the assigned cluster"),
        required("outlier", DataType::Boolean, "whether the distance is beyond the outlier quantile"),
        required("model_version", DataType::Int64, "the bundle of scaler, encoder and centroids that produced the row"),
    ]);
    columns
}

/// The columns of a drift event.
pub fn drift_columns() -> Vec<Column> {
    vec![
        optional(
            "event_time",
            instant(),
            "event time of the newest row that was considered; null without a time column",
        ),
        required("signal", DataType::Utf8, "which quantity is watched"),
        required("score", DataType::Float64, "how far it is from what is usual"),
        optional("threshold", DataType::Float64, "the score from which on it is an alarm; null while calibrating"),
        required("alarm", DataType::Boolean, "whether the score is beyond the threshold"),
        optional("cluster", DataType::Int32, "the cluster concerned; null when the signal is about all rows"),
        required("top_features", DataType::Utf8, "JSON list of the features that moved most, most moved first"),
        required("model_version", DataType::Int64, "the bundle of scaler, encoder and centroids in use"),
    ]
}

/// The columns of a dead letter.
pub fn dead_letter_columns() -> Vec<Column> {
    let mut columns = identity().to_vec();
    columns.extend([
        required("key", DataType::Utf8, "device, person or machine; empty when it is not configured or unreadable"),
        optional("event_time", instant(), "event time; null when it is not configured or unreadable"),
        required("reason", DataType::Utf8, "short name of the kind of fault"),
        required("detail", DataType::Utf8, "one sentence: column, value, what was expected"),
        required("record", DataType::Utf8, "the input row as one JSON object, to be repaired and replayed"),
    ]);
    columns
}

fn fields(columns: &[Column]) -> Vec<FieldRef> {
    columns.iter().map(|c| Arc::new(Field::new(c.name, c.data_type.clone(), c.nullable))).collect()
}

/// Arrow schema of the assignments: [`assignment_columns`], then `extras` (label and pass-through columns).
///
/// # Errors
/// If an extra column has the name of another column.
pub fn assignment_schema(extras: &[FieldRef]) -> Result<SchemaRef, ConnectorError> {
    let mut all = fields(&assignment_columns());
    for extra in extras {
        if all.iter().any(|field| field.name() == extra.name()) {
            return Err(ConnectorError::Column {
                column: extra.name().clone(),
                file: "the assignments".to_owned(),
                problem: "the output already has a column of this name, rename it in the input or drop it from \
                          `features.keep`"
                    .to_owned(),
            });
        }
        all.push(Arc::clone(extra));
    }
    Ok(Arc::new(Schema::new(all)))
}

/// Arrow schema of the drift events.
pub fn drift_schema() -> SchemaRef {
    Arc::new(Schema::new(fields(&drift_columns())))
}

/// Arrow schema of the dead letters.
pub fn dead_letter_schema() -> SchemaRef {
    Arc::new(Schema::new(fields(&dead_letter_columns())))
}

/// One row per dead letter, with [`dead_letter_schema`].
pub fn dead_letter_batch(letters: &[DeadLetter]) -> RecordBatch {
    let text =
        |of: fn(&DeadLetter) -> &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(letters.iter().map(of))) };
    let columns: Vec<ArrayRef> = vec![
        text(|letter| &letter.coordinates.source),
        Arc::new(Int32Array::from_iter_values(letters.iter().map(|letter| letter.coordinates.partition))),
        Arc::new(Int64Array::from_iter_values(letters.iter().map(|letter| letter.coordinates.offset))),
        text(|letter| &letter.key),
        Arc::new(
            TimestampNanosecondArray::from_iter(letters.iter().map(|letter| letter.event_time)).with_timezone("UTC"),
        ),
        text(|letter| letter.reason),
        text(|letter| &letter.detail),
        text(|letter| &letter.record),
    ];
    RecordBatch::try_new(dead_letter_schema(), columns).expect("the columns follow dead_letter_columns")
}

/// The name of a type in `schemas/*.json`.
fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 => "utf8".to_owned(),
        DataType::Boolean => "bool".to_owned(),
        DataType::Timestamp(TimeUnit::Nanosecond, Some(zone)) => format!("timestamp(ns, {zone})"),
        other => other.to_string().to_lowercase(),
    }
}

/// A table of columns as the JSON text of `schemas/*.json`: a list of `name`, `type`, `nullable`, `description`.
pub fn describe(columns: &[Column]) -> String {
    let entries: Vec<String> = columns
        .iter()
        .map(|column| {
            format!(
                "  {{\n    \"name\": {},\n    \"type\": {},\n    \"nullable\": {},\n    \"description\": {}\n  }}",
                quoted(column.name),
                quoted(&type_name(&column.data_type)),
                column.nullable,
                quoted(column.description)
            )
        })
        .collect();
    format!("[\n{}\n]\n", entries.join(",\n"))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use arrow_array::Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::TimestampNanosecondType;

    use super::*;
    use crate::data::Coordinates;

    #[test]
    fn extras_follow_the_assignment_columns() {
        let extras = [Arc::new(Field::new("label", DataType::Int64, true))];
        let schema = assignment_schema(&extras).unwrap();
        assert_eq!(schema.fields().len(), assignment_columns().len() + 1);
        assert_eq!(schema.fields().last().unwrap(), &extras[0]);
    }

    #[test]
    fn an_extra_column_that_hides_a_result_is_refused_by_name() {
        let error = assignment_schema(&[Arc::new(Field::new("cluster", DataType::Int64, true))]).unwrap_err();
        assert!(error.to_string().contains("`cluster`"), "{error}");
        let twice = Arc::new(Field::new("room", DataType::Utf8, true));
        assert!(assignment_schema(&[Arc::clone(&twice), twice]).is_err());
    }

    #[test]
    fn a_dead_letter_keeps_every_field_in_its_column() {
        let letter = DeadLetter {
            coordinates: Coordinates { source: "a.parquet".into(), partition: 3, offset: 41 },
            key: "pump".into(),
            event_time: None,
            reason: "not_finite",
            detail: "feature 2 is NaN".to_owned(),
            record: "{\"x\":null}".to_owned(),
            origin: None,
        };
        let timed = DeadLetter { event_time: Some(7), ..letter.clone() };
        let batch = dead_letter_batch(&[letter, timed]);
        assert_eq!(batch.num_rows(), 2);
        let text = |name: &str| batch.column_by_name(name).unwrap().as_string::<i32>().value(0).to_owned();
        assert_eq!(text("source"), "a.parquet");
        assert_eq!(text("key"), "pump");
        assert_eq!(text("reason"), "not_finite");
        assert_eq!(text("detail"), "feature 2 is NaN");
        assert_eq!(text("record"), "{\"x\":null}");
        let times = batch.column_by_name("event_time").unwrap().as_primitive::<TimestampNanosecondType>();
        assert!(times.is_null(0));
        assert_eq!(times.value(1), 7);
    }

    #[test]
    fn no_dead_letters_make_an_empty_batch() {
        assert_eq!(dead_letter_batch(&[]).num_rows(), 0);
    }
}
