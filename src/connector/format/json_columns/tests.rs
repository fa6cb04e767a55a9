use super::super::sample;
use super::*;

#[test]
fn a_schema_comes_back() {
    for fixed in [true, false] {
        let schema = sample::schema(fixed);
        let text = of_arrow("row", &schema).unwrap().to_string();
        assert_eq!(arrow_schema(&text).unwrap(), *schema);
    }
}

#[test]
fn types_without_a_format_are_the_wide_ones() {
    let schema = arrow_schema(
        r#"{"properties": {"a": {"type": "number"}, "b": {"type": "integer"}, "c": {"type": ["null", "string"]},
            "d": {"type": "array", "items": {"type": "number", "format": "float"}}}, "required": ["a", "c"]}"#,
    )
    .unwrap();
    let field = |name: &str| schema.field_with_name(name).unwrap();
    assert_eq!((field("a").data_type(), field("a").is_nullable()), (&DataType::Float64, false));
    assert_eq!((field("b").data_type(), field("b").is_nullable()), (&DataType::Int64, true));
    assert_eq!((field("c").data_type(), field("c").is_nullable()), (&DataType::Utf8, true));
    let item = Arc::new(Field::new("item", DataType::Float32, false));
    assert_eq!(field("d").data_type(), &DataType::List(item));
}

#[test]
fn what_cannot_be_a_column_is_named() {
    let property = |text: &str| arrow_schema(&format!(r#"{{"properties": {{"x": {text}}}}}"#)).unwrap_err();
    assert!(property(r#"{"type": "object"}"#).contains("`x` is of type `object`"));
    assert!(property(r#"{"type": ["string", "number"]}"#).contains("several types"));
    assert!(property(r#"{"type": "array"}"#).contains("without `items`"));
    assert!(property(r#"{"$ref": "other"}"#).contains("no `type`"));
    assert!(arrow_schema("{}").unwrap_err().contains("properties"));
    assert!(arrow_schema("<xml/>").unwrap_err().contains("no JSON"));
}
