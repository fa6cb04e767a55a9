//! JSON Schema (2020-12) and Arrow columns: what a JSON message holds.
//!
//! ```text
//! {"type": "number"}                                  float64     "format": "float"   float32
//! {"type": "integer"}                                 int64       "format": "int32"   int32
//! {"type": "string"}                                  utf8        "format": "date-time"   timestamp(ns, UTC)
//! {"type": "boolean"}                                 boolean
//! {"type": "array", "items": …}                       list        "minItems" = "maxItems" = n   list of n
//! ```
//!
//! A column may be null if its type is a list with `"null"`, or if it is not among the `required`. The formats are those of
//! OpenAPI.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Schema, TimeUnit};
use serde_json::{Map, Value, json};

/// The columns of the objects that a JSON Schema describes.
///
/// # Errors
/// If it does not describe an object, or a property has no Arrow type.
pub(super) fn arrow_schema(text: &str) -> Result<Schema, String> {
    let schema: Value = serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?;
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return Err("it has no `properties`; a JSON Schema of one row (an object) is needed".to_owned());
    };
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let field = |(name, property): (&String, &Value)| {
        field(name, property, !required.contains(&name.as_str()))
            .map_err(|problem| format!("property `{name}` {problem}"))
    };
    Ok(Schema::new(properties.iter().map(field).collect::<Result<Vec<_>, _>>()?))
}

fn field(name: &str, property: &Value, optional: bool) -> Result<Field, String> {
    let (kind, nullable) = match property.get("type") {
        Some(Value::String(kind)) => (kind.as_str(), false),
        Some(Value::Array(kinds)) => {
            let mut others = kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null");
            match (others.next(), others.next()) {
                (Some(kind), None) => (kind, kinds.iter().any(|kind| kind == "null")),
                _ => return Err("has several types; one, and perhaps \"null\", is needed".to_owned()),
            }
        }
        _ => return Err("has no `type`".to_owned()),
    };
    let format = property.get("format").and_then(Value::as_str);
    let data_type = match (kind, format) {
        ("number", Some("float")) => DataType::Float32,
        ("number", _) => DataType::Float64,
        ("integer", Some("int32")) => DataType::Int32,
        ("integer", _) => DataType::Int64,
        ("boolean", _) => DataType::Boolean,
        ("string", Some("date-time")) => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        ("string", _) => DataType::Utf8,
        ("array", _) => {
            let items = property.get("items").ok_or_else(|| "is an array without `items`".to_owned())?;
            let item = Arc::new(self::field("item", items, false)?);
            let bound = |key: &str| property.get(key).and_then(Value::as_i64).and_then(|n| i32::try_from(n).ok());
            match (bound("minItems"), bound("maxItems")) {
                (Some(least), Some(most)) if least == most && most > 0 => DataType::FixedSizeList(item, most),
                _ => DataType::List(item),
            }
        }
        (other, _) => return Err(format!("is of type `{other}`, which cannot be a column")),
    };
    Ok(Field::new(name, data_type, nullable || optional))
}

/// The JSON Schema of the objects that rows of these columns are written as.
///
/// # Errors
/// If a column has no place in it.
pub(super) fn of_arrow(title: &str, schema: &Schema) -> Result<Value, String> {
    let mut properties = Map::new();
    for field in schema.fields() {
        let property = property(field).map_err(|problem| format!("column `{}` {problem}", field.name()))?;
        properties.insert(field.name().clone(), property);
    }
    let required: Vec<&String> = schema.fields().iter().filter(|f| !f.is_nullable()).map(|f| f.name()).collect();
    Ok(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "type": "object",
        "properties": properties,
        "required": required,
    }))
}

fn property(field: &FieldRef) -> Result<Value, String> {
    let (kind, format) = match field.data_type() {
        DataType::Float32 => ("number", Some("float")),
        DataType::Float64 => ("number", Some("double")),
        DataType::Int32 => ("integer", Some("int32")),
        DataType::Int64 => ("integer", Some("int64")),
        DataType::Boolean => ("boolean", None),
        DataType::Utf8 => ("string", None),
        DataType::Timestamp(TimeUnit::Nanosecond, Some(_)) => ("string", Some("date-time")),
        DataType::List(_) | DataType::FixedSizeList(_, _) => ("array", None),
        other => return Err(format!("is {other}, for which JSON Schema has no name; convert it first")),
    };
    let mut property = Map::new();
    let kind = if field.is_nullable() { json!([kind, "null"]) } else { json!(kind) };
    property.insert("type".to_owned(), kind);
    if let Some(format) = format {
        property.insert("format".to_owned(), json!(format));
    }
    match field.data_type() {
        DataType::List(item) => {
            property.insert("items".to_owned(), self::property(item)?);
        }
        DataType::FixedSizeList(item, size) => {
            property.insert("items".to_owned(), self::property(item)?);
            property.insert("minItems".to_owned(), json!(size));
            property.insert("maxItems".to_owned(), json!(size));
        }
        _ => {}
    }
    Ok(Value::Object(property))
}

#[cfg(test)]
mod tests;
