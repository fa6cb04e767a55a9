//! An input row as one JSON object, for the dead letters.

use std::fmt::{Display, Write};

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Decimal256Type, Float16Type, Float32Type, Float64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use serde::Serialize;

use super::scalars;

/// Row `row` of the batch as one JSON object, columns in order.
///
/// Lists are arrays, structs objects, dictionaries their values, bytes hexadecimal text, dates and timestamps the integers
/// they are stored as, decimals text. `NaN`, `inf` and `-inf` are text, since JSON has no such numbers.
pub fn record_as_json(batch: &RecordBatch, row: usize) -> String {
    let mut out = String::from("{");
    for (place, (field, array)) in batch.schema_ref().fields().iter().zip(batch.columns()).enumerate() {
        member(place, field.name(), array.as_ref(), row, &mut out);
    }
    out.push('}');
    out
}

fn member(place: usize, name: &str, array: &dyn Array, row: usize, out: &mut String) {
    if place > 0 {
        out.push(',');
    }
    text(name, out);
    out.push(':');
    value(array, row, out);
}

fn value(array: &dyn Array, row: usize, out: &mut String) {
    if array.is_null(row) {
        out.push_str("null");
        return;
    }
    match array.data_type() {
        DataType::Null => out.push_str("null"),
        DataType::Float16 => float(array.as_primitive::<Float16Type>().value(row).to_f32(), out),
        DataType::Float32 => float(array.as_primitive::<Float32Type>().value(row), out),
        DataType::Float64 => {
            let value = array.as_primitive::<Float64Type>().value(row);
            number(value, value.is_finite(), out);
        }
        DataType::Utf8 => text(array.as_string::<i32>().value(row), out),
        DataType::LargeUtf8 => text(array.as_string::<i64>().value(row), out),
        DataType::Utf8View => text(array.as_string_view().value(row), out),
        DataType::Decimal128(_, _) => text(&array.as_primitive::<Decimal128Type>().value_as_string(row), out),
        DataType::Decimal256(_, _) => text(&array.as_primitive::<Decimal256Type>().value_as_string(row), out),
        DataType::List(_) => list(array.as_list::<i32>().value(row).as_ref(), out),
        DataType::LargeList(_) => list(array.as_list::<i64>().value(row).as_ref(), out),
        DataType::FixedSizeList(_, _) => list(array.as_fixed_size_list().value(row).as_ref(), out),
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            value(dictionary.values().as_ref(), dictionary.normalized_keys()[row], out);
        }
        DataType::Struct(fields) => {
            out.push('{');
            for (place, (field, array)) in fields.iter().zip(array.as_struct().columns()).enumerate() {
                member(place, field.name(), array.as_ref(), row, out);
            }
            out.push('}');
        }
        other => match scalars(array) {
            Some(values) => {
                let mut written = String::new();
                values.write(row, &mut written);
                let quoted = matches!(other, DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_));
                if quoted { text(&written, out) } else { out.push_str(&written) }
            }
            None => text(&format!("a value of type {other}, which cannot be written as JSON"), out),
        },
    }
}

fn list(items: &dyn Array, out: &mut String) {
    out.push('[');
    for place in 0..items.len() {
        if place > 0 {
            out.push(',');
        }
        value(items, place, out);
    }
    out.push(']');
}

fn float(value: f32, out: &mut String) {
    number(value, value.is_finite(), out);
}

fn number(value: impl Display + Serialize, finite: bool, out: &mut String) {
    if finite {
        out.push_str(&serde_json::to_string(&value).expect("a finite number is valid JSON"));
    } else {
        write!(out, "\"{value}\"").expect("a string takes any text");
    }
}

fn text(value: &str, out: &mut String) {
    write!(out, "{}", serde_json::Value::from(value)).expect("a string takes any text");
}

#[cfg(test)]
mod tests;
