//! Scalar columns as text: keys, series, labels.

use std::fmt::Write;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowTimestampType, Date32Type, Date64Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayAccessor};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, TimeUnit};

/// A column whose values have a short text: numbers as printed, bytes in hexadecimal, dates and timestamps as the integers
/// they are stored as, dictionaries as their values.
pub(in crate::data) trait Scalars {
    /// Whether the value is null.
    fn is_null(&self, row: usize) -> bool;
    /// Appends the text of a value that is not null.
    fn write(&self, row: usize, out: &mut String);
    /// Whether two values that are not null surely have the same text.
    fn same(&self, one: usize, other: usize) -> bool;
    /// Equal for values, not null, that are the [`same`](Self::same), and mostly different for others.
    fn fingerprint(&self, row: usize) -> u64;
}

/// Whether [`scalars`] can read the type.
pub(in crate::data) fn is_scalar(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_scalar(values),
        DataType::Float16 => false,
        DataType::Boolean
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::FixedSizeBinary(_)
        | DataType::Date32
        | DataType::Date64
        | DataType::Timestamp(_, _) => true,
        other => other.is_integer() || other.is_floating(),
    }
}

/// The column as text, or `None` if its type has none.
pub(in crate::data) fn scalars(array: &dyn Array) -> Option<Box<dyn Scalars + '_>> {
    macro_rules! primitive {
        ($kind:ty) => {
            Box::new(Column(array.as_primitive::<$kind>()))
        };
    }
    fn stamps<T: ArrowTimestampType>(array: &dyn Array) -> Box<dyn Scalars + '_> {
        Box::new(Column(array.as_primitive::<T>()))
    }
    Some(match array.data_type() {
        DataType::Boolean => Box::new(Column(array.as_boolean())),
        DataType::Int8 => primitive!(Int8Type),
        DataType::Int16 => primitive!(Int16Type),
        DataType::Int32 => primitive!(Int32Type),
        DataType::Int64 => primitive!(Int64Type),
        DataType::UInt8 => primitive!(UInt8Type),
        DataType::UInt16 => primitive!(UInt16Type),
        DataType::UInt32 => primitive!(UInt32Type),
        DataType::UInt64 => primitive!(UInt64Type),
        DataType::Float32 => primitive!(Float32Type),
        DataType::Float64 => primitive!(Float64Type),
        DataType::Date32 => primitive!(Date32Type),
        DataType::Date64 => primitive!(Date64Type),
        DataType::Timestamp(TimeUnit::Second, _) => stamps::<TimestampSecondType>(array),
        DataType::Timestamp(TimeUnit::Millisecond, _) => stamps::<TimestampMillisecondType>(array),
        DataType::Timestamp(TimeUnit::Microsecond, _) => stamps::<TimestampMicrosecondType>(array),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => stamps::<TimestampNanosecondType>(array),
        DataType::Utf8 => Box::new(Column(array.as_string::<i32>())),
        DataType::LargeUtf8 => Box::new(Column(array.as_string::<i64>())),
        DataType::Utf8View => Box::new(Column(array.as_string_view())),
        DataType::Binary => Box::new(Column(array.as_binary::<i32>())),
        DataType::LargeBinary => Box::new(Column(array.as_binary::<i64>())),
        DataType::FixedSizeBinary(_) => Box::new(Column(array.as_fixed_size_binary())),
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            let values = scalars(dictionary.values().as_ref())?;
            let empty = dictionary.values().is_empty();
            let keys = if empty { vec![0; array.len()] } else { dictionary.normalized_keys() };
            Box::new(Dictionary { keys, nulls: array.logical_nulls(), values })
        }
        _ => return None,
    })
}

/// The text of a label as it is written out; `None` for null, NaN or a type that has no text.
#[must_use]
pub fn label_text(column: &dyn Array, row: usize) -> Option<String> {
    let nan = match column.data_type() {
        DataType::Float32 => column.as_primitive::<Float32Type>().value(row).is_nan(),
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).is_nan(),
        _ => false,
    };
    let scalars = scalars(column)?;
    if nan || scalars.is_null(row) {
        return None;
    }
    let mut text = String::new();
    scalars.write(row, &mut text);
    Some(text)
}

struct Column<A>(A);

impl<A: ArrayAccessor<Item: Value>> Scalars for Column<A> {
    fn is_null(&self, row: usize) -> bool {
        self.0.is_null(row)
    }

    fn write(&self, row: usize, out: &mut String) {
        self.0.value(row).write(out);
    }

    fn same(&self, one: usize, other: usize) -> bool {
        self.0.value(one).same(&self.0.value(other))
    }

    fn fingerprint(&self, row: usize) -> u64 {
        self.0.value(row).fingerprint()
    }
}

struct Dictionary<'a> {
    keys: Vec<usize>,
    nulls: Option<NullBuffer>,
    values: Box<dyn Scalars + 'a>,
}

impl Scalars for Dictionary<'_> {
    fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    fn write(&self, row: usize, out: &mut String) {
        self.values.write(self.keys[row], out);
    }

    fn same(&self, one: usize, other: usize) -> bool {
        self.keys[one] == self.keys[other]
    }

    fn fingerprint(&self, row: usize) -> u64 {
        self.keys[row] as u64
    }
}

trait Value {
    fn write(&self, out: &mut String);
    fn same(&self, other: &Self) -> bool;
    fn fingerprint(&self) -> u64;
}

macro_rules! displayed {
    ($($kind:ty),*; $bits:expr) => {$(
        impl Value for $kind {
            fn write(&self, out: &mut String) {
                write!(out, "{self}").expect("a string takes any text");
            }

            fn same(&self, other: &Self) -> bool {
                $bits(*self) == $bits(*other)
            }

            fn fingerprint(&self) -> u64 {
                $bits(*self) as u64
            }
        }
    )*};
}

displayed!(bool, i8, i16, i32, i64, u8, u16, u32, u64; std::convert::identity);
// By bits: 0 and -0 print differently.
displayed!(f32; f32::to_bits);
displayed!(f64; f64::to_bits);

/// Length, first and last bytes: what names of devices differ in.
fn fingerprint(bytes: &[u8]) -> u64 {
    let word = |bytes: &[u8]| bytes.iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
    let (first, last) = (&bytes[..bytes.len().min(8)], &bytes[bytes.len().saturating_sub(8)..]);
    word(first).rotate_left(23) ^ word(last) ^ (bytes.len() as u64) << 56
}

impl Value for &str {
    fn write(&self, out: &mut String) {
        out.push_str(self);
    }

    fn same(&self, other: &Self) -> bool {
        self == other
    }

    fn fingerprint(&self) -> u64 {
        fingerprint(self.as_bytes())
    }
}

impl Value for &[u8] {
    fn write(&self, out: &mut String) {
        for byte in *self {
            write!(out, "{byte:02x}").expect("a string takes any text");
        }
    }

    fn same(&self, other: &Self) -> bool {
        self == other
    }

    fn fingerprint(&self) -> u64 {
        fingerprint(self)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, DictionaryArray, Float32Array, Int32Array, StringArray};

    use super::*;

    #[test]
    fn a_label_is_its_text_and_null_and_nan_are_none() {
        let dictionary: DictionaryArray<Int8Type> = [Some("walk"), None].into_iter().collect();
        let columns: [(ArrayRef, Option<&str>); 4] = [
            (Arc::new(Int32Array::from(vec![Some(-1), None])), Some("-1")),
            (Arc::new(StringArray::from(vec![Some("run"), None])), Some("run")),
            (Arc::new(dictionary), Some("walk")),
            (Arc::new(Float32Array::from(vec![2.0, f32::NAN])), Some("2")),
        ];
        for (column, text) in columns {
            assert_eq!(label_text(&column, 0).as_deref(), text);
            assert_eq!(label_text(&column, 1), None);
        }
    }
}
