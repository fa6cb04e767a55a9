//! Event time in nanoseconds since the epoch.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow_array::{Array, RecordBatch};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use arrow_schema::{DataType, TimeUnit};

use super::super::error::FeatureError;
use super::Flaw;
use super::extras::column;

/// Whether [`Times`] can read the type.
pub(in crate::data) fn is_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(_, _) | DataType::Int64)
}

/// A timestamp column of any unit, or int64 nanoseconds. Timestamps with a zone are stored in UTC; those without are taken
/// as UTC.
pub(super) struct Times<'a> {
    name: &'a str,
    values: ScalarBuffer<i64>,
    nulls: Option<NullBuffer>,
    factor: i64,
}

impl<'a> Times<'a> {
    pub(super) fn bind(batch: &RecordBatch, name: &'a str) -> Result<Self, FeatureError> {
        let array = column(batch, name)?;
        let (values, factor) = match array.data_type() {
            DataType::Int64 => (array.as_primitive::<Int64Type>().values(), 1),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                (array.as_primitive::<TimestampNanosecondType>().values(), 1)
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                (array.as_primitive::<TimestampMicrosecondType>().values(), 1_000)
            }
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                (array.as_primitive::<TimestampMillisecondType>().values(), 1_000_000)
            }
            DataType::Timestamp(TimeUnit::Second, _) => {
                (array.as_primitive::<TimestampSecondType>().values(), 1_000_000_000)
            }
            found => {
                return Err(FeatureError::WrongType {
                    key: "features.time",
                    column: name.to_owned(),
                    found: found.clone(),
                    wanted: "a timestamp, or int64 nanoseconds since the epoch, is needed",
                });
            }
        };
        Ok(Self { name, values: values.clone(), nulls: array.nulls().cloned(), factor })
    }

    /// # Errors
    /// If the time is null or does not fit nanoseconds in 64 bits (years 1677 to 2262).
    pub(super) fn value(&self, row: usize) -> Result<i64, Flaw> {
        let name = self.name;
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return Err(Flaw::new("null_time", format!("column `{name}` is null, an event time is needed")));
        }
        let value = self.values[row];
        value.checked_mul(self.factor).ok_or_else(|| {
            Flaw::new("time_range", format!("column `{name}` is {value}, which nanoseconds in 64 bits cannot hold"))
        })
    }
}
