//! Schema files: which columns messages have.

use std::fs;
use std::path::Path;

use arrow_avro::schema::AvroSchema;
use arrow_schema::Schema;
use serde_json::{Value, json};

use super::{FormatError, avro, json_columns};

/// A schema file, read and understood.
pub(super) struct SchemaFile {
    /// The Avro schema, if it is one.
    pub(super) avro: Option<String>,
    /// Its columns.
    pub(super) columns: Schema,
}

/// Reads an Avro schema (`type` is `record`) or a JSON Schema (with `properties`), whatever the file is called.
///
/// # Errors
/// If it cannot be read, or is neither.
pub(super) fn read(path: &Path) -> Result<SchemaFile, FormatError> {
    let wrong = |problem: String| FormatError::Schema { file: path.display().to_string(), problem };
    let text = fs::read_to_string(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let value: Value = serde_json::from_str(&text).map_err(|error| wrong(format!("it is no JSON: {error}")))?;
    if value.get("type").and_then(Value::as_str) == Some("record") {
        let columns = avro::arrow_schema(&AvroSchema::new(text.clone())).map_err(wrong)?;
        return Ok(SchemaFile { avro: Some(text), columns });
    }
    if value.get("properties").is_none() {
        let problem = "it is neither an Avro record (`\"type\": \"record\"`) nor a JSON Schema with `properties`";
        return Err(wrong(problem.to_owned()));
    }
    Ok(SchemaFile { avro: None, columns: json_columns::arrow_schema(&text).map_err(wrong)? })
}

/// The Avro record of rows with these columns, as indented text. `record` is its full name, such as `evenkeel.Assignment`.
///
/// # Errors
/// If a column has no Avro type.
pub fn avro_schema(record: &str, schema: &Schema) -> Result<String, String> {
    let plain = Schema::new(schema.fields().clone());
    let text = AvroSchema::try_from(&plain).map_err(|error| error.to_string())?.json_string;
    let mut value: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    value["name"] = json!(record);
    // A column that may be null may also be left out by other writers.
    for field in value.get_mut("fields").and_then(Value::as_array_mut).into_iter().flatten() {
        let kinds = field.get("type").and_then(Value::as_array);
        if kinds.is_some_and(|kinds| kinds.first() == Some(&json!("null"))) {
            field["default"] = Value::Null;
        }
    }
    Ok(format!("{value:#}\n"))
}

/// The JSON Schema of rows with these columns, as indented text.
///
/// # Errors
/// If a column has no place in JSON Schema.
pub fn json_schema(title: &str, schema: &Schema) -> Result<String, String> {
    json_columns::of_arrow(title, schema).map(|value| format!("{value:#}\n"))
}
