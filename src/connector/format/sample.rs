//! What the tests of all formats share.

use std::sync::Arc;

use arrow_array::builder::{FixedSizeListBuilder, Float32Builder, ListBuilder};
use arrow_array::{
    ArrayRef, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampNanosecondArray,
};
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use proptest::prelude::*;

use super::{Decoded, Decoder, Message};

/// One row of every type that all three formats carry.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub features: Vec<f32>,
    pub text: String,
    pub wide: Option<f64>,
    pub narrow: Option<f32>,
    pub big: i64,
    pub small: i32,
    pub flag: bool,
    pub time: i64,
}

/// A row with any content that every format can hold: JSON has no NaN.
pub(super) fn rows() -> impl Strategy<Value = Vec<Row>> {
    let single = || any::<f32>().prop_filter("finite", |value| value.is_finite());
    let double = any::<f64>().prop_filter("finite", |value| value.is_finite());
    let row = (
        prop::collection::vec(single(), 3),
        ".{0,12}",
        prop::option::of(double),
        prop::option::of(single()),
        any::<i64>(),
        any::<i32>(),
        any::<bool>(),
        // What RFC 3339 text can say of the years that 64 bits hold.
        -9_223_372_036_000_000_000_i64..9_223_372_036_000_000_000,
    );
    let row = row.prop_map(|(features, text, wide, narrow, big, small, flag, time)| Row {
        features,
        text,
        wide,
        narrow,
        big,
        small,
        flag,
        time,
    });
    prop::collection::vec(row, 1..12)
}

/// The columns of [`batch`]; `fixed` makes the features a list of fixed size.
pub(super) fn schema(fixed: bool) -> SchemaRef {
    let item = Arc::new(Field::new("item", DataType::Float32, false));
    let features = if fixed { DataType::FixedSizeList(item, 3) } else { DataType::List(item) };
    let instant = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    Arc::new(Schema::new(Fields::from(vec![
        Field::new("big", DataType::Int64, false),
        Field::new("features", features, false),
        Field::new("flag", DataType::Boolean, false),
        Field::new("narrow", DataType::Float32, true),
        Field::new("small", DataType::Int32, false),
        Field::new("text", DataType::Utf8, false),
        Field::new("time", instant, false),
        Field::new("wide", DataType::Float64, true),
    ])))
}

/// Rows as a batch with [`schema`].
pub(super) fn batch(rows: &[Row], fixed: bool) -> RecordBatch {
    let item = || Arc::new(Field::new("item", DataType::Float32, false));
    let features: ArrayRef = if fixed {
        let mut lists = FixedSizeListBuilder::new(Float32Builder::new(), 3).with_field(item());
        for row in rows {
            lists.values().append_slice(&row.features);
            lists.append(true);
        }
        Arc::new(lists.finish())
    } else {
        let mut lists = ListBuilder::new(Float32Builder::new()).with_field(item());
        for row in rows {
            lists.values().append_slice(&row.features);
            lists.append(true);
        }
        Arc::new(lists.finish())
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| row.big).collect::<Int64Array>()),
        features,
        Arc::new(rows.iter().map(|row| Some(row.flag)).collect::<BooleanArray>()),
        Arc::new(rows.iter().map(|row| row.narrow).collect::<Float32Array>()),
        Arc::new(rows.iter().map(|row| row.small).collect::<Int32Array>()),
        Arc::new(rows.iter().map(|row| Some(row.text.as_str())).collect::<StringArray>()),
        Arc::new(TimestampNanosecondArray::from_iter_values(rows.iter().map(|row| row.time)).with_timezone("UTC")),
        Arc::new(rows.iter().map(|row| row.wide).collect::<Float64Array>()),
    ];
    RecordBatch::try_new(schema(fixed), columns).unwrap()
}

/// A few rows, all different.
pub(super) fn some_rows(count: usize) -> Vec<Row> {
    let row = |i: usize| Row {
        features: vec![i as f32, -0.0, 1e-30],
        text: format!("row \"{i}\"\n"),
        wide: i.is_multiple_of(2).then_some(i as f64 / 3.0),
        narrow: i.is_multiple_of(3).then_some(i as f32 / 3.0),
        big: i64::MAX - i as i64,
        small: -(i as i32),
        flag: i % 2 == 1,
        time: 1_700_000_000_123_456_789 + i as i64,
    };
    (0..count).map(row).collect()
}

/// What becomes of a payload on a bad day: one byte is another, and the end may be missing.
#[derive(Clone, Debug)]
pub(super) struct Damage {
    place: prop::sample::Index,
    byte: u8,
    end: Option<prop::sample::Index>,
}

/// Any damage.
pub(super) fn damages() -> impl Strategy<Value = Damage> {
    (any::<prop::sample::Index>(), any::<u8>(), any::<Option<prop::sample::Index>>())
        .prop_map(|(place, byte, end)| Damage { place, byte, end })
}

impl Damage {
    /// The payload afterwards.
    pub(super) fn of(&self, payload: &[u8]) -> Vec<u8> {
        let mut damaged = payload.to_vec();
        damaged[self.place.index(payload.len())] = self.byte;
        if let Some(end) = self.end {
            damaged.truncate(end.index(payload.len()));
        }
        damaged
    }
}

/// Payloads as consumed.
pub(super) fn messages<'a, P: AsRef<[u8]>>(payloads: &'a [P]) -> Vec<Message<'a>> {
    let message = |(offset, payload): (usize, &'a P)| Message {
        key: None,
        value: Some(payload.as_ref()),
        partition: 0,
        offset: offset as i64,
        timestamp_ms: None,
    };
    payloads.iter().enumerate().map(message).collect()
}

/// Decodes payloads.
pub(super) fn decode<P: AsRef<[u8]>>(decoder: &mut dyn Decoder, payloads: &[P]) -> Decoded {
    decoder.decode(&messages(payloads)).unwrap()
}

/// Insists that of `good` payloads with `poison` at `place` all but the poison are read, for one reason, and again after it.
pub(super) fn isolates(decoder: &mut dyn Decoder, good: &[Vec<u8>], poison: &[u8], reason: &str) -> String {
    let clean = decode(decoder, good);
    assert!(clean.rejects.is_empty(), "{:?}", clean.rejects);
    let mut detail = String::new();
    for place in 0..=good.len() {
        let mut payloads = good.to_vec();
        payloads.insert(place, poison.to_vec());
        let decoded = decode(decoder, &payloads);
        assert_eq!(decoded.batch, clean.batch, "neighbours of the poison at {place}");
        assert!(!decoded.origins.contains(&place));
        assert_eq!(decoded.origins.len(), clean.origins.len());
        let [reject] = decoded.rejects.as_slice() else { panic!("{:?}", decoded.rejects) };
        assert_eq!((reject.message, reject.reason), (place, reason), "{}", reject.detail);
        detail.clone_from(&reject.detail);
    }
    assert_eq!(decode(decoder, good).batch, clean.batch, "after the poison");
    detail
}

/// Insists that whatever becomes of a damaged payload, its neighbours are read.
pub(super) fn survives(decoder: &mut dyn Decoder, good: &[Vec<u8>], damaged: &[u8]) {
    let clean = decode(decoder, good);
    let payloads = [good[0].clone(), damaged.to_vec(), good[1].clone()];
    let decoded = decode(decoder, &payloads);
    let rows = |message: usize| decoded.origins.iter().filter(|origin| **origin == message).count();
    let expected = |message: usize| clean.origins.iter().filter(|origin| **origin == message).count();
    assert_eq!((rows(0), rows(2)), (expected(0), expected(1)));
    let rejected = decoded.rejects.iter().any(|reject| reject.message == 1);
    assert!(decoded.rejects.iter().all(|reject| reject.message == 1), "{:?}", decoded.rejects);
    assert!(!rejected || rows(1) == 0, "a rejected message gave rows");
    let first = decoded.batch.slice(0, rows(0));
    assert_eq!(first, clean.batch.slice(0, expected(0)));
    let last = decoded.batch.slice(decoded.batch.num_rows() - rows(2), rows(2));
    assert_eq!(last, clean.batch.slice(expected(0), expected(1)));
}
