use std::sync::Arc;

use arrow_array::builder::{FixedSizeListBuilder, Float64Builder, LargeListBuilder, ListBuilder};
use arrow_array::{
    ArrayRef, Float64Array, Int8Array, RecordBatch, TimestampMillisecondArray, TimestampSecondArray, UInt64Array,
};

use super::super::super::FeatureParameters;
use super::super::{Identity, record_as_json};
use super::FeatureColumns;

fn read(array: ArrayRef, row: usize) -> Result<Vec<f32>, String> {
    let names = ["v".to_owned()];
    let batch = RecordBatch::try_from_iter([("v", array)]).unwrap();
    let columns = FeatureColumns::bind(&batch, &names).map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    columns.read(row, &mut [None], true, &mut out).map_err(|flaw| flaw.detail)?;
    Ok(out)
}

#[test]
fn all_kinds_of_lists_and_numbers_are_read_alike() {
    let mut small = ListBuilder::new(Float64Builder::new());
    let mut large = LargeListBuilder::new(Float64Builder::new());
    let mut fixed = FixedSizeListBuilder::new(Float64Builder::new(), 2);
    for row in 0..6 {
        let values = [f64::from(row), f64::from(row) + 0.5];
        small.append_value(values.map(Some));
        large.append_value(values.map(Some));
        fixed.values().append_slice(&values);
        fixed.append(true);
    }
    let arrays: [ArrayRef; 3] = [Arc::new(small.finish()), Arc::new(large.finish()), Arc::new(fixed.finish())];
    for array in arrays {
        assert_eq!(read(Arc::clone(&array), 4).unwrap(), [4.0, 4.5]);
        assert_eq!(read(array.slice(3, 3), 1).unwrap(), [4.0, 4.5], "a slice of {}", array.data_type());
    }
    assert_eq!(read(Arc::new(Int8Array::from(vec![-3])), 0).unwrap(), [-3.0]);
    assert_eq!(read(Arc::new(UInt64Array::from(vec![9, 10]).slice(1, 1)), 0).unwrap(), [10.0]);
}

#[test]
fn a_double_beyond_single_precision_is_not_finite() {
    let found = read(Arc::new(Float64Array::from(vec![1e300])), 0).unwrap_err();
    assert_eq!(found, "column `v` is inf, a finite number is needed");
}

#[test]
fn times_of_every_unit_are_nanoseconds() {
    let seconds: ArrayRef = Arc::new(TimestampSecondArray::from(vec![2, i64::MAX]).with_timezone("Asia/Tokyo"));
    let millis: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![2_000, 1]));
    for array in [&seconds, &millis] {
        let parameters =
            FeatureParameters { columns: vec!["v".into()], time: "t".into(), ..FeatureParameters::default() };
        let features = parameters.check().unwrap();
        let batch = RecordBatch::try_from_iter([("t", Arc::clone(array))]).unwrap();
        let identity = Identity::bind(&batch, &features).unwrap();
        assert_eq!(identity.time(0), Ok(Some(2_000_000_000)));
        assert_eq!(identity.time(1).is_err(), Arc::ptr_eq(array, &seconds), "beyond the year 2262");
        assert!(record_as_json(&batch, 0).starts_with("{\"t\":2"));
    }
}
