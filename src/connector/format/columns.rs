//! Which columns are read, and whether what came has their types.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowTimestampType, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow_array::{
    Array, ArrayRef, FixedSizeListArray, GenericListArray, OffsetSizeTrait, RecordBatch, RecordBatchOptions,
};
use arrow_schema::{DataType, FieldRef, Schema, SchemaRef, TimeUnit};

use crate::data::nearest;

/// The named columns of a schema, in that order; all of them if none is named.
///
/// # Errors
/// If one is missing.
pub(super) fn select(schema: &Schema, columns: &[String]) -> Result<Schema, String> {
    if columns.is_empty() {
        return Ok(schema.clone());
    }
    let fields = columns.iter().map(|column| match schema.fields().find(column) {
        Some((_, field)) => Ok(Arc::clone(field)),
        None => {
            let names = schema.fields().iter().map(|field| field.name().as_str());
            let hint = nearest(column, names).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
            Err(format!("column `{column}` is missing{hint}"))
        }
    });
    Ok(Schema::new_with_metadata(fields.collect::<Result<Vec<_>, _>>()?, schema.metadata().clone()))
}

/// Columns whose time zones are all written as `+00:00`, the one zone that needs no database. Instants do not depend on it.
pub(super) fn in_utc(schema: &Schema) -> Schema {
    let zoned = |field: &FieldRef| match field.data_type() {
        DataType::Timestamp(unit, Some(_)) => {
            Arc::new(field.as_ref().clone().with_data_type(DataType::Timestamp(*unit, Some("+00:00".into()))))
        }
        _ => Arc::clone(field),
    };
    Schema::new(schema.fields().iter().map(zoned).collect::<Vec<_>>())
}

/// The batch with the columns of a schema, each of them [`conform`]ed.
///
/// # Errors
/// If a column does not conform.
pub(super) fn conformed(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, String> {
    let arrays = batch.columns().iter().zip(schema.fields()).map(|(array, field)| conform(array, field));
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), arrays.collect::<Result<_, _>>()?, &options)
        .map_err(|error| error.to_string())
}

/// The array as the field says: same values; names of list elements and of the time zone as wanted.
///
/// # Errors
/// If its type holds other values, or if there is a null where none may be.
pub(super) fn conform(array: &ArrayRef, field: &FieldRef) -> Result<ArrayRef, String> {
    let name = field.name();
    if array.null_count() > 0 && !field.is_nullable() {
        return Err(format!("column `{name}` is null, a value is needed"));
    }
    if array.data_type() == field.data_type() {
        return Ok(Arc::clone(array));
    }
    let renamed = match (array.data_type(), field.data_type()) {
        (DataType::List(_), DataType::List(element)) => list::<i32>(array, element),
        (DataType::LargeList(_), DataType::LargeList(element)) => list::<i64>(array, element),
        (DataType::FixedSizeList(_, found), DataType::FixedSizeList(element, size)) if found == size => {
            let lists = array.as_fixed_size_list();
            let values = conform(lists.values(), element)?;
            FixedSizeListArray::try_new(Arc::clone(element), *size, values, lists.nulls().cloned())
                .map(|lists| Arc::new(lists) as ArrayRef)
                .map_err(|error| error.to_string())
        }
        (DataType::Timestamp(found, Some(_)), DataType::Timestamp(wanted, Some(zone))) if found == wanted => {
            Ok(zoned(array, *wanted, zone))
        }
        (found, wanted) => Err(format!("is {found}, {wanted} is needed")),
    };
    renamed.map_err(|problem| format!("column `{name}` {problem}"))
}

fn zoned(array: &ArrayRef, unit: TimeUnit, zone: &Arc<str>) -> ArrayRef {
    fn with<T: ArrowTimestampType>(array: &ArrayRef, zone: &Arc<str>) -> ArrayRef {
        Arc::new(array.as_primitive::<T>().clone().with_timezone(Arc::clone(zone)))
    }
    match unit {
        TimeUnit::Second => with::<TimestampSecondType>(array, zone),
        TimeUnit::Millisecond => with::<TimestampMillisecondType>(array, zone),
        TimeUnit::Microsecond => with::<TimestampMicrosecondType>(array, zone),
        TimeUnit::Nanosecond => with::<TimestampNanosecondType>(array, zone),
    }
}

fn list<O: OffsetSizeTrait>(array: &ArrayRef, element: &FieldRef) -> Result<ArrayRef, String> {
    let lists = array.as_list::<O>();
    let values = conform(lists.values(), element)?;
    GenericListArray::<O>::try_new(Arc::clone(element), lists.offsets().clone(), values, lists.nulls().cloned())
        .map(|lists| Arc::new(lists) as ArrayRef)
        .map_err(|error| error.to_string())
}
