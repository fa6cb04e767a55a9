//! Columns that are only passed through.

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field};

use super::super::error::FeatureError;
use super::super::nearest::nearest;

/// The column of that name.
///
/// # Errors
/// If there is none.
pub(in crate::data) fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, FeatureError> {
    batch.column_by_name(name).ok_or_else(|| FeatureError::MissingColumn {
        key: "features",
        column: name.to_owned(),
        suggestion: nearest(name, batch.schema_ref().fields().iter().map(|field| field.name().as_str()))
            .map(str::to_owned),
    })
}

/// Holds a passed-through column to the type it had in the first batch, which `fields` learns.
///
/// # Errors
/// If it has another type now.
pub(in crate::data) fn keep_type(
    fields: &mut Vec<Field>,
    place: usize,
    name: &str,
    array: &dyn Array,
) -> Result<(), FeatureError> {
    let now: &DataType = array.data_type();
    match fields.get(place) {
        Some(field) if field.data_type() == now => Ok(()),
        Some(field) => Err(FeatureError::TypeChanged {
            column: name.to_owned(),
            before: field.data_type().clone(),
            now: now.clone(),
        }),
        None => {
            fields.push(Field::new(name, now.clone(), true));
            Ok(())
        }
    }
}
