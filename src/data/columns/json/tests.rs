use std::sync::Arc;

use arrow_array::builder::{Float32Builder, ListBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Decimal128Array, DictionaryArray, Float32Array, Float64Array, Int32Array,
    RecordBatch, StringArray, StructArray,
};
use arrow_schema::{DataType, Field};

use super::record_as_json;

#[test]
fn a_record_is_valid_json_with_every_column_in_order() {
    let mut lists = ListBuilder::new(Float32Builder::new());
    lists.append_value([Some(0.1), Some(f32::NAN), None, Some(f32::NEG_INFINITY)]);
    let inner: ArrayRef = Arc::new(Int32Array::from(vec![5]));
    let inside = StructArray::from(vec![(Arc::new(Field::new("n", DataType::Int32, true)), inner)]);
    let dictionary: DictionaryArray<Int32Type> = ["gear \"1\""].into_iter().collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("list", Arc::new(lists.finish())),
        ("text", Arc::new(StringArray::from(vec!["line\nbreak"]))),
        ("device", Arc::new(dictionary)),
        ("double", Arc::new(Float64Array::from(vec![1e-7]))),
        ("single", Arc::new(Float32Array::from(vec![None]))),
        ("flag", Arc::new(BooleanArray::from(vec![true]))),
        ("inside", Arc::new(inside)),
        ("bytes", Arc::new(BinaryArray::from(vec![&[0_u8, 255][..]]))),
        ("price", Arc::new(Decimal128Array::from(vec![1234]).with_precision_and_scale(6, 2).unwrap())),
    ];
    let record = record_as_json(&RecordBatch::try_from_iter(columns).unwrap(), 0);
    assert_eq!(
        record,
        r#"{"list":[0.1,"NaN",null,"-inf"],"text":"line\nbreak","device":"gear \"1\"","double":1e-7,"single":null,"flag":true,"inside":{"n":5},"bytes":"00ff","price":"12.34"}"#
    );
    assert!(serde_json::from_str::<serde_json::Value>(&record).is_ok());
}
