use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use proptest::prelude::*;
use proptest::sample::select;

use super::super::super::sample::damages;
use super::super::tape::Tape;
use super::Plain;

/// Every type that is read here, some of which may be null.
fn schema() -> SchemaRef {
    let list = |item, nullable| DataType::List(Arc::new(Field::new("element", item, nullable)));
    let time = |unit, zone: Option<&str>| DataType::Timestamp(unit, zone.map(Into::into));
    let fixed = |nullable| DataType::FixedSizeList(Arc::new(Field::new("item", DataType::Float32, nullable)), 3);
    Arc::new(Schema::new(vec![
        Field::new("x", DataType::Float32, true),
        Field::new("y", DataType::Float64, true),
        Field::new("small", DataType::Int32, true),
        Field::new("big", DataType::Int64, false),
        Field::new("flag", DataType::Boolean, true),
        Field::new("text", DataType::Utf8, true),
        Field::new("name é", DataType::Utf8, false),
        Field::new("seconds", time(TimeUnit::Second, None), true),
        Field::new("millis", time(TimeUnit::Millisecond, Some("UTC")), true),
        Field::new("micros", time(TimeUnit::Microsecond, Some("Europe/Berlin")), true),
        Field::new("nanos", time(TimeUnit::Nanosecond, Some("UTC")), true),
        Field::new("list", list(DataType::Float32, true), true),
        Field::new("wide", list(DataType::Float64, false), false),
        Field::new("counts", list(DataType::Int32, false), true),
        Field::new("three", fixed(false), true),
        Field::new("holes", fixed(true), true),
    ]))
}

/// The row of a payload if it is plain, which must then be that of `arrow-json`.
fn read(schema: &SchemaRef, payload: &[u8]) -> Option<RecordBatch> {
    let (batch, others) = Plain::new(Arc::clone(schema)).unwrap().read(&[payload]).unwrap();
    if others == [0] {
        assert_eq!(batch.num_rows(), 0);
        return None;
    }
    let said = Tape::new(Arc::clone(schema)).read(&[payload]);
    let text = String::from_utf8_lossy(payload);
    assert_eq!(said.as_ref(), Ok(&batch), "{text}");
    Some(batch)
}

fn space() -> impl Strategy<Value = &'static str> {
    select(vec!["", "", "", " ", "\n", "\t \r"])
}

fn number() -> impl Strategy<Value = String> {
    let double = any::<f64>().prop_filter("finite", |x| x.is_finite());
    prop_oneof![
        single(),
        double.prop_map(|x| format!("{x:e}")),
        "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,24})?([eE][+-]?[0-9]{1,2})?",
    ]
}

/// A number that is in a single's range.
fn single() -> impl Strategy<Value = String> {
    let single = any::<f32>().prop_filter("finite", |x| x.is_finite());
    prop_oneof![
        (-2.0..2.0_f32).prop_map(|x| x.to_string()),
        single.prop_map(|x| format!("{x:e}")),
        (-1e9..1e9_f64).prop_map(|x| x.to_string()),
        any::<i32>().prop_map(|x| x.to_string()),
        "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,24})?([eE][+-]?[0-9])?",
    ]
}

fn whole() -> impl Strategy<Value = String> {
    prop_oneof![any::<i32>().prop_map(|x| x.to_string()), any::<i16>().prop_map(|x| x.to_string())]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,12}".prop_map(|text| serde_json::to_string(&text).unwrap()),
        // Escapes that nobody needs, and control characters as they are.
        select(vec!["\"\\u0041\\/\\u00e9\"", "\"\\b\\f\\r\\n\\t\\\"\\\\\"", "\"\\u0000\"", "\"a\tb\n\"", "\"\""])
            .prop_map(str::to_owned),
    ]
}

fn time() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i32>().prop_map(|x| x.to_string()),
        select(vec![
            "\"2023-11-14T22:13:20.123456789Z\"",
            "\"2023-11-14T22:13:20+02:30\"",
            "\"1969-12-31 23:59:59.999\"",
            "\"2023-11-14\"",
        ])
        .prop_map(str::to_owned),
    ]
}

fn list(
    item: impl Strategy<Value = String>,
    size: impl Into<prop::collection::SizeRange>,
) -> impl Strategy<Value = String> {
    prop::collection::vec((space(), item, space()), size).prop_map(|items| {
        let items: Vec<String> = items.into_iter().map(|(a, item, b)| format!("{a}{item}{b}")).collect();
        format!("[{}]", items.join(","))
    })
}

fn or_null(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop_oneof![4 => value, 1 => Just("null".to_owned())]
}

/// Something in a member that is no column.
fn other() -> impl Strategy<Value = String> {
    select(vec![
        "{\"deep\": [1, {\"er\": null}, []], \"x\": {} }",
        "[ ]",
        "\"x\\\"\\u00e9]}\"",
        "-0.0e-0",
        "true",
        "false",
        "null",
    ])
    .prop_map(str::to_owned)
}

/// A row that is written plainly: its members in any order, some of those that may be missing.
fn plain() -> impl Strategy<Value = String> {
    let needed = (whole(), text(), list(number(), 0..4));
    let optional = (
        prop::option::of(or_null(single())),
        prop::option::of(or_null(number())),
        prop::option::of(or_null(whole())),
        prop::option::of(or_null(select(vec!["true", "false"]).prop_map(str::to_owned))),
        prop::option::of(or_null(text())),
        [(); 4].map(|()| prop::option::of(or_null(time()))),
        prop::option::of(or_null(list(or_null(single()), 0..5))),
        prop::option::of(or_null(list(whole(), 0..5))),
        prop::option::of(or_null(list(single(), 3))),
        prop::option::of(or_null(list(or_null(single()), 3))),
        prop::option::of(other()),
    );
    let members = (needed, optional).prop_map(|((big, name, wide), rest)| {
        let (x, y, small, flag, text, [seconds, millis, micros, nanos], list, counts, three, holes, other) = rest;
        let members = [
            ("x", x),
            ("y", y),
            ("small", small),
            ("big", Some(big)),
            ("flag", flag),
            ("text", text),
            ("name é", Some(name)),
            ("seconds", seconds),
            ("millis", millis),
            ("micros", micros),
            ("nanos", nanos),
            ("list", list),
            ("wide", Some(wide)),
            ("counts", counts),
            ("three", three),
            ("holes", holes),
            ("other", other),
        ];
        members.into_iter().filter_map(|(name, value)| Some((name, value?))).collect::<Vec<_>>()
    });
    (members.prop_shuffle(), prop::array::uniform4(space())).prop_map(|(members, [a, b, c, d])| {
        let members: Vec<String> =
            members.into_iter().map(|(name, value)| format!("{a}\"{name}\"{b}:{c}{value}{d}")).collect();
        format!("{d}{{{}}}{a}", members.join(","))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn what_is_plain_is_read_as_arrow_json_does(text in plain()) {
        prop_assert!(read(&schema(), text.as_bytes()).is_some(), "{}", text);
    }

    #[test]
    fn what_is_damaged_is_left_alone_or_read_as_arrow_json_does(text in plain(), damage in damages()) {
        read(&schema(), &damage.of(text.as_bytes()));
    }

    #[test]
    fn any_tokens_are_left_alone_or_read_as_arrow_json_does(
        tokens in prop::collection::vec(select(vec![
            "{", "}", "[", "]", ",", ":", "\"", "\\", " ", "-", "0", "1.5", ".", "e", "+", "null", "true", "NaN", "-null", "Infinity",
            "\"x\":", "\"list\":[", "\"text\":\"", "\"big\":", "\"three\":[", "\"nanos\":", "\\u", "d83d", "é", "\0",
        ]), 0..12),
    ) {
        let row = format!(r#"{{"big":1,"name é":"","wide":[],{}}}"#, tokens.concat());
        read(&schema(), row.as_bytes());
        read(&schema(), tokens.concat().as_bytes());
    }

    #[test]
    fn a_group_is_read_as_one_by_one(texts in prop::collection::vec(prop_oneof![3 => plain(), 1 => Just(String::new())], 0..8)) {
        let schema = schema();
        let payloads: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
        let mut plain = Plain::new(Arc::clone(&schema)).unwrap();
        let (batch, others) = plain.read(&payloads).unwrap();
        let mut rows = 0;
        for (place, payload) in payloads.iter().enumerate() {
            match read(&schema, payload) {
                Some(row) => {
                    prop_assert_eq!(&batch.slice(rows, 1), &row);
                    rows += 1;
                }
                None => prop_assert!(others.contains(&place)),
            }
        }
        prop_assert_eq!((batch.num_rows(), payloads.len() - others.len()), (rows, rows));
        // And again: nothing is left of the rows before.
        prop_assert_eq!(plain.read(&payloads).unwrap(), (batch, others));
    }
}

/// What the row is that this text stands in, in the place of a value or a member.
fn of(columns: &[(&str, DataType)], text: &str) -> Option<RecordBatch> {
    let fields: Vec<Field> = columns.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true)).collect();
    read(&Arc::new(Schema::new(fields)), text.as_bytes())
}

#[test]
fn what_is_not_plain_is_left_alone() {
    let columns = [("x", DataType::Float32), ("n", DataType::Int64), ("t", DataType::Utf8)];
    assert!(of(&columns, r#"{"x":1,"n":2,"t":"3"}"#).is_some());
    for text in [
        // arrow-json reads these, each in its own way.
        r#"{"x":"1"}"#,
        r#"{"x":"NaN"}"#,
        r#"{"x":1,"x":2}"#,
        r#"{"x":1,,"n":2}"#,
        r#"{"x":1 "n":2}"#,
        r#"{"x":01}"#,
        r#"{"x":1.}"#,
        r#"{"x":1e999}"#,
        r#"{"n":1.0}"#,
        r#"{"n":1e3}"#,
        r#"{"\u0078":1}"#,
        r#"{"t":"\ud83d\ude00"}"#,
        // And these it does not.
        r#"{"x":-null}"#,
        r#"{"x":nullx}"#,
        r#"{"x":+1}"#,
        r#"{"x":.5}"#,
        r#"{"x":1-2}"#,
        r#"{"x":1}}"#,
        r#"{"x":1}{"x":1}"#,
        r#"{"x":1"#,
        r#"{"t":"\x"}"#,
        r#"{"t":"\u00g0"}"#,
        r#"{"other":"\ud83d"}"#,
        r#"{"other":[1,}"#,
        r#"[{"x":1}]"#,
        "",
    ] {
        assert_eq!(of(&columns, text), None, "{text}");
    }
    let deep = |levels: usize| format!(r#"{{"other":{}1{}}}"#, "[".repeat(levels), "]".repeat(levels));
    assert!(of(&columns, &deep(32)).is_some());
    assert_eq!(of(&columns, &deep(33)), None);
}

#[test]
fn text_that_is_no_utf_8_is_left_alone_wherever_it_is() {
    let schema = Arc::new(Schema::new(vec![Field::new("x", DataType::Float32, true)]));
    for payload in [&b"{\"x\":1,\"other\":\"\xff\"}"[..], b"{\"\xc3\":2,\"x\":1}", b"{\"x\":1}\xff"] {
        assert_eq!(read(&schema, payload), None);
    }
}

#[test]
fn a_null_where_none_may_be_is_left_alone() {
    let fields = [Field::new("a", DataType::Int32, false), Field::new("b", DataType::Int32, true)];
    let schema: SchemaRef = Arc::new(Schema::new(fields.to_vec()));
    assert!(read(&schema, br#"{"a":1}"#).is_some());
    assert_eq!(read(&schema, br#"{"b":1}"#), None);
    assert_eq!(read(&schema, br#"{"a":null,"b":1}"#), None);
}

#[test]
fn columns_of_other_types_and_names_with_escapes_are_not_for_here() {
    let of = |name: &str, kind| Plain::new(Arc::new(Schema::new(vec![Field::new(name, kind, true)]))).is_some();
    assert!(of("x", DataType::Float32));
    assert!(!of("x", DataType::Date32));
    assert!(!of("x", DataType::new_list(DataType::Utf8, true)));
    assert!(!of("a\"b", DataType::Float32));
    assert!(!of("a\\b", DataType::Float32));
    let twice = vec![Field::new("x", DataType::Float32, true); 2];
    assert!(Plain::new(Arc::new(Schema::new(twice))).is_none());
}

/// Reads a number as both kinds of float, which must be those of `arrow-json`, and says whether they are read here.
fn floats(text: &str) -> (bool, bool) {
    let read = |kind| of(&[("x", kind)], &format!("{{\"x\":{text}}}")).is_some();
    (read(DataType::Float32), read(DataType::Float64))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn numbers_are_rounded_as_arrow_json_does(text in number()) {
        floats(&text);
    }

    #[test]
    fn numbers_about_the_middle_of_two_singles_are_rounded_as_arrow_json_does(
        bits in 0..0x7f80_0000_u32, off in -8..=8_i64, negative: bool,
    ) {
        let (low, high) = (f32::from_bits(bits), f32::from_bits(bits + 1));
        prop_assume!(high.is_finite());
        let middle = (f64::from(low) + f64::from(high)) / 2.0;
        let near = f64::from_bits(middle.to_bits().wrapping_add_signed(off));
        let sign = if negative { "-" } else { "" };
        for text in [format!("{near:?}"), format!("{near:e}"), format!("{near}"), format!("{near:.60e}"), format!("{near:.18e}")] {
            prop_assert_eq!(floats(&format!("{sign}{text}")), (true, true), "{}", text);
        }
    }
}

#[test]
fn the_ends_of_the_ranges_are_read_as_arrow_json_does() {
    let of = |kind: DataType, text: &str| of(&[("x", kind)], &format!("{{\"x\":{text}}}")).is_some();
    for text in
        ["0", "-0", "-0.0", "1e-400", "1e-45", "7e-46", "1.1754942e-38", "3.4028235e38", "5e-324", "9007199254740993"]
    {
        assert_eq!(floats(text), (true, true), "{text}");
    }
    assert_eq!(floats("3.4028236e38"), (false, true));
    assert_eq!(floats("1.7976931348623159e308"), (false, false));
    assert!(of(DataType::Int32, "-2147483648") && !of(DataType::Int32, "2147483648"));
    assert!(of(DataType::Int64, "9223372036854775807") && !of(DataType::Int64, "9223372036854775808"));
    assert!(of(DataType::Int64, "-0"));
}
