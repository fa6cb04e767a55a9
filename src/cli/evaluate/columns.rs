//! Values out of Arrow columns whose type is only known at run time.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

/// The values of an integer column of up to 64 bits.
pub(super) fn integers(array: &dyn Array) -> Option<Vec<Option<i64>>> {
    macro_rules! widened {
        ($kind:ty) => {
            array.as_primitive::<$kind>().iter().map(|value| value.map(i64::from)).collect()
        };
    }
    Some(match array.data_type() {
        DataType::Int8 => widened!(Int8Type),
        DataType::Int16 => widened!(Int16Type),
        DataType::Int32 => widened!(Int32Type),
        DataType::Int64 => widened!(Int64Type),
        DataType::UInt8 => widened!(UInt8Type),
        DataType::UInt16 => widened!(UInt16Type),
        DataType::UInt32 => widened!(UInt32Type),
        _ => return None,
    })
}

/// The values of a column as text: strings, numbers, truth values, dictionaries of these. NaN is no value, as pandas has it.
pub(super) fn texts(array: &ArrayRef) -> Option<Vec<Option<String>>> {
    fn owned<T: ToString>(values: impl Iterator<Item = Option<T>>) -> Vec<Option<String>> {
        values.map(|value| value.map(|value| value.to_string())).collect()
    }
    Some(match array.data_type() {
        DataType::Utf8 => owned(array.as_string::<i32>().iter()),
        DataType::LargeUtf8 => owned(array.as_string::<i64>().iter()),
        DataType::Utf8View => owned(array.as_string_view().iter()),
        DataType::Float32 => owned(array.as_primitive::<Float32Type>().iter().map(|v| v.filter(|v| !v.is_nan()))),
        DataType::Float64 => owned(array.as_primitive::<Float64Type>().iter().map(|v| v.filter(|v| !v.is_nan()))),
        DataType::Boolean => owned(array.as_boolean().iter()),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary_opt()?;
            let values = texts(dictionary.values())?;
            let keys = dictionary.keys();
            let places = if values.is_empty() { vec![0; keys.len()] } else { dictionary.normalized_keys() };
            let value =
                |(row, place): (usize, usize)| if keys.is_valid(row) { values.get(place)?.clone() } else { None };
            places.into_iter().enumerate().map(value).collect()
        }
        _ => owned(integers(array)?.into_iter()),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{BooleanArray, DictionaryArray, Float32Array, Int16Array, StringArray, UInt32Array};

    use super::*;

    #[test]
    fn every_kind_of_label_becomes_text() {
        let walk = Some("walk".to_owned());
        let dictionary: DictionaryArray<Int8Type> = [Some("walk"), None, Some("walk")].into_iter().collect();
        let columns: [(ArrayRef, Vec<Option<String>>); 5] = [
            (Arc::new(Float32Array::from(vec![-1.0, f32::NAN])), vec![Some("-1".to_owned()), None]),
            (Arc::new(StringArray::from(vec![Some("walk"), None])), vec![walk.clone(), None]),
            (Arc::new(dictionary), vec![walk.clone(), None, walk]),
            (Arc::new(Int16Array::from(vec![Some(-1), None])), vec![Some("-1".to_owned()), None]),
            (Arc::new(BooleanArray::from(vec![true])), vec![Some("true".to_owned())]),
        ];
        for (column, expected) in columns {
            assert_eq!(texts(&column).unwrap(), expected);
        }
    }

    #[test]
    fn only_integers_are_integers() {
        assert_eq!(integers(&UInt32Array::from(vec![u32::MAX])).unwrap(), [Some(4_294_967_295)]);
        assert_eq!(integers(&Float32Array::from(vec![1.0])), None);
    }
}
