//! Numeric columns as `f32`.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use arrow_schema::DataType;

/// Whether [`Numbers`] can read the type.
pub(in crate::data) fn is_number(data_type: &DataType) -> bool {
    data_type.is_floating() || data_type.is_integer()
}

/// A numeric column: shared where it is `f32` already, else converted once (integers and doubles are rounded).
pub(super) struct Numbers {
    values: ScalarBuffer<f32>,
    nulls: Option<NullBuffer>,
}

impl Numbers {
    /// `None` if the column is not numeric.
    pub(super) fn new(array: &ArrayRef) -> Option<Self> {
        fn convert<T: ArrowPrimitiveType>(array: &ArrayRef, as_f32: impl Fn(T::Native) -> f32) -> ScalarBuffer<f32> {
            array.as_primitive::<T>().values().iter().map(|&value| as_f32(value)).collect()
        }
        let values = match array.data_type() {
            DataType::Float32 => array.as_primitive::<Float32Type>().values().clone(),
            DataType::Float64 => convert::<Float64Type>(array, |v| v as f32),
            DataType::Float16 => convert::<Float16Type>(array, |v| v.to_f32()),
            DataType::Int8 => convert::<Int8Type>(array, |v| v.into()),
            DataType::Int16 => convert::<Int16Type>(array, |v| v.into()),
            DataType::Int32 => convert::<Int32Type>(array, |v| v as f32),
            DataType::Int64 => convert::<Int64Type>(array, |v| v as f32),
            DataType::UInt8 => convert::<UInt8Type>(array, |v| v.into()),
            DataType::UInt16 => convert::<UInt16Type>(array, |v| v.into()),
            DataType::UInt32 => convert::<UInt32Type>(array, |v| v as f32),
            DataType::UInt64 => convert::<UInt64Type>(array, |v| v as f32),
            _ => return None,
        };
        Some(Self { values, nulls: array.nulls().filter(|nulls| nulls.null_count() > 0).cloned() })
    }

    pub(super) fn is_null(&self, index: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(index))
    }

    /// The value, NaN for null.
    pub(super) fn value(&self, index: usize) -> f32 {
        if self.is_null(index) { f32::NAN } else { self.values[index] }
    }

    /// Whether none is null.
    pub(super) fn all_there(&self) -> bool {
        self.nulls.is_none()
    }

    /// Values where they lie, whatever stands for null.
    pub(super) fn slice(&self, range: Range<usize>) -> ScalarBuffer<f32> {
        self.values.slice(range.start, range.len())
    }

    /// Appends values, NaN for null.
    pub(super) fn extend(&self, range: Range<usize>, out: &mut Vec<f32>) {
        match &self.nulls {
            None => out.extend_from_slice(&self.values[range]),
            Some(_) => out.extend(range.map(|index| self.value(index))),
        }
    }
}
