//! Rows as Arrow batches.

use std::sync::Arc;

use arrow_array::builder::StringDictionaryBuilder;
use arrow_array::{
    ArrayRef, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampNanosecondArray, new_null_array, types::Int32Type,
};
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::concat::concat_batches;
use arrow_select::interleave::interleave_record_batch;

use crate::data::Minibatch;
use crate::replica::{Arrival, Assigned, DriftEvent, passed_through};

/// Several minibatches as one, rows by ascending sequence number.
pub(super) fn join(parts: Vec<Minibatch>) -> Minibatch {
    let mut joined = Minibatch::default();
    let mut extras = Vec::new();
    for part in parts {
        joined.rows.extend(part.rows);
        joined.rejected.extend(part.rejected);
        joined.unwindowed += part.unwindowed;
        joined.input_rows += part.input_rows;
        extras.extend(part.extras);
    }
    let schema = extras.first().map(RecordBatch::schema);
    joined.extras =
        schema.map(|schema| concat_batches(&schema, &extras).expect("a featuriser passes the same columns through"));
    if joined.rows.is_sorted_by_key(|row| row.sequence) {
        return joined;
    }
    let mut order: Vec<usize> = (0..joined.rows.len()).collect();
    order.sort_by_key(|&i| joined.rows[i].sequence);
    joined.rows = order.iter().map(|&i| Arc::clone(&joined.rows[i])).collect();
    let picks: Vec<(usize, usize)> = order.iter().map(|&i| (0, i)).collect();
    joined.extras =
        joined.extras.map(|extras| interleave_record_batch(&[&extras], &picks).expect("one batch has one schema"));
    joined
}

fn text<'a>(values: impl Iterator<Item = &'a str>, data_type: &arrow_schema::DataType) -> ArrayRef {
    if matches!(data_type, arrow_schema::DataType::Dictionary(..)) {
        let mut builder = StringDictionaryBuilder::<Int32Type>::new();
        values.for_each(|value| builder.append_value(value));
        return Arc::new(builder.finish());
    }
    Arc::new(StringArray::from_iter_values(values))
}

/// Assigned rows in the columns of `schema`: the promised ones by name, the rest from the rows' pass-through columns.
///
/// # Errors
/// If a column of `schema` is neither promised nor passed through.
pub fn assignments(rows: &[Assigned], schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let extras = passed_through(rows.iter().map(|row| &row.arrival))?;
    let columns = schema.fields().iter().map(|field| {
        let of = |row: fn(&Assigned) -> &Arrival| rows.iter().map(move |r| &row(r).row);
        let arrivals = || of(|r| &r.arrival);
        Ok(match field.name().as_str() {
            "source" => text(arrivals().map(|r| &*r.coordinates.source), field.data_type()),
            "partition" => {
                Arc::new(Int32Array::from_iter_values(arrivals().map(|r| r.coordinates.partition))) as ArrayRef
            }
            "offset" => Arc::new(Int64Array::from_iter_values(arrivals().map(|r| r.coordinates.offset))),
            "key" => text(arrivals().map(|r| &*r.key), field.data_type()),
            "event_time" => {
                Arc::new(arrivals().map(|r| r.event_time).collect::<TimestampNanosecondArray>().with_timezone("UTC"))
            }
            "cluster" => Arc::new(Int32Array::from_iter_values(rows.iter().map(|r| r.cluster as i32))),
            "natural_cluster" => Arc::new(Int32Array::from_iter_values(rows.iter().map(|r| r.natural_cluster as i32))),
            "balance_cost" => Arc::new(Float32Array::from_iter_values(rows.iter().map(|r| r.balance_cost))),
            "warmup" => Arc::new(BooleanArray::from(rows.iter().map(|r| r.warmup).collect::<Vec<_>>())),
            "confidence" => Arc::new(Float32Array::from_iter_values(rows.iter().map(|r| r.confidence))),
            "distance" => Arc::new(Float32Array::from_iter_values(rows.iter().map(|r| r.distance))),
            "outlier" => Arc::new(BooleanArray::from(rows.iter().map(|r| r.outlier).collect::<Vec<_>>())),
            "model_version" => Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.model_version))),
            name => match &extras {
                Some(extras) => extras
                    .column_by_name(name)
                    .map(Arc::clone)
                    .ok_or_else(|| ArrowError::SchemaError(format!("pass-through column `{name}` is missing")))?,
                None => new_null_array(field.data_type(), rows.len()),
            },
        })
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<Vec<_>, ArrowError>>()?)
}

/// Drift events in the columns of `schema`.
///
/// # Errors
/// If a column of `schema` is not one of a drift event.
pub(super) fn drift(events: &[DriftEvent], schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = schema.fields().iter().map(|field| {
        Ok(match field.name().as_str() {
            "event_time" => {
                let times = events.iter().map(|e| e.event_time).collect::<TimestampNanosecondArray>();
                Arc::new(times.with_timezone("UTC")) as ArrayRef
            }
            "signal" => text(events.iter().map(|e| e.signal), field.data_type()),
            "score" => Arc::new(events.iter().map(|e| e.score).collect::<Float64Array>()),
            "threshold" => Arc::new(events.iter().map(|e| e.threshold).collect::<Float64Array>()),
            "alarm" => Arc::new(events.iter().map(|e| Some(e.alarm)).collect::<BooleanArray>()),
            "cluster" => Arc::new(events.iter().map(|e| e.cluster.map(|c| c as i32)).collect::<Int32Array>()),
            "top_features" => {
                let lists: Vec<String> = events.iter().map(|e| format!("{:?}", e.top_features)).collect();
                text(lists.iter().map(String::as_str), field.data_type())
            }
            "model_version" => Arc::new(events.iter().map(|e| e.model_version).collect::<Int64Array>()),
            name => return Err(ArrowError::SchemaError(format!("drift events have no column `{name}`"))),
        })
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<Vec<_>, ArrowError>>()?)
}
