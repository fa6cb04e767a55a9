use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{Array, Int32Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use proptest::prelude::*;

use super::super::sample::{batch, damages, decode, isolates, messages, rows, schema, some_rows, survives};
use super::super::{Decoder as _, Encoder as _, Message};
use super::{JsonDecoder, JsonEncoder};

const MOST_BYTES: usize = 4 << 20;

fn decoder() -> JsonDecoder {
    JsonDecoder::new("pumps", schema(true), MOST_BYTES)
}

fn good() -> Vec<Vec<u8>> {
    JsonEncoder::new("pumps").encode(&batch(&some_rows(5), true)).unwrap()
}

proptest! {
    #[test]
    fn rows_come_back_bit_by_bit(rows in rows(), fixed: bool) {
        let batch = batch(&rows, fixed);
        let payloads = JsonEncoder::new("pumps").encode(&batch).unwrap();
        prop_assert_eq!(payloads.len(), rows.len());
        let decoded = decode(&mut JsonDecoder::new("pumps", schema(fixed), MOST_BYTES), &payloads);
        prop_assert_eq!(&decoded.batch, &batch);
        prop_assert_eq!(decoded.origins, (0..rows.len()).collect::<Vec<_>>());
    }

    #[test]
    fn a_damaged_message_does_not_touch_its_neighbours(damage in damages()) {
        let good = good();
        survives(&mut decoder(), &good, &damage.of(&good[2]));
    }

    #[test]
    fn random_bytes_do_not_touch_their_neighbours(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        survives(&mut decoder(), &good(), &bytes);
    }

    #[test]
    fn grouping_changes_nothing(rows in rows(), cut in any::<prop::sample::Index>()) {
        let payloads = JsonEncoder::new("pumps").encode(&batch(&rows, true)).unwrap();
        let whole = decode(&mut decoder(), &payloads).batch;
        let cut = cut.index(payloads.len() + 1);
        let mut parts = decoder();
        let (first, second) = (decode(&mut parts, &payloads[..cut]).batch, decode(&mut parts, &payloads[cut..]).batch);
        prop_assert_eq!(whole.slice(0, cut), first);
        prop_assert_eq!(whole.slice(cut, payloads.len() - cut), second);
    }
}

#[test]
fn every_kind_of_poison_is_isolated() {
    let whole = good()[0].clone();
    let mut twice = whole.clone();
    twice.extend_from_slice(&whole);
    let nested = [b"{\"features\":".as_slice(), &b"[".repeat(100_000)].concat();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let poisons: Vec<(Vec<u8>, &str)> = vec![
        (Vec::new(), "one JSON object is needed"),
        (b"  \n".to_vec(), "one JSON object is needed"),
        (vec![0xff, 0xfe, 0, 1], ""),
        (b"nonsense".to_vec(), ""),
        (b"17".to_vec(), ""),
        (b"null".to_vec(), ""),
        (b"[]".to_vec(), ""),
        (b"{}".to_vec(), ""),
        (twice, "not exactly one JSON object"),
        (whole[..whole.len() / 2].to_vec(), "not exactly one JSON object"),
        (whole[1..].to_vec(), ""),
        (nested, "nested"),
        // A bare NaN is no JSON.
        (text(&whole).replace("[0.0,", "[NaN,").into_bytes(), ""),
        // Null in a column that has none, a wrong number of features, a wrong type.
        (text(&whole).replace("\"flag\":false", "\"flag\":null").into_bytes(), ""),
        (text(&whole).replace("[0.0,", "[0.0,7,").into_bytes(), "expected 3 but got 4"),
        (text(&whole).replace("\"flag\":false", "\"flag\":\"maybe\"").into_bytes(), "maybe"),
        // Text that is no UTF-8.
        ([&b"{\"text\":\"\xff\","[..], &whole[1..]].concat(), ""),
    ];
    for (poison, words) in poisons {
        assert_ne!(poison, whole);
        let detail = isolates(&mut decoder(), &good(), &poison, "undecodable");
        assert!(detail.contains(words), "`{words}` is not in `{detail}`");
        assert!(detail.len() < 400);
    }
}

#[test]
fn a_row_cannot_begin_in_one_message_and_end_in_the_next() {
    let good = good();
    let (head, tail) = good[0].split_at(good[0].len() / 2);
    let decoded = decode(&mut decoder(), &[head, tail, &good[1]]);
    assert_eq!(decoded.origins, [2]);
    assert_eq!(decoded.rejects.iter().map(|reject| reject.message).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn a_message_without_a_value_or_with_too_large_a_one_is_not_read() {
    let good = good();
    let large = vec![b' '; MOST_BYTES + 1];
    let mut records = messages(&good);
    records[1].value = None;
    records.push(Message { value: Some(&large), ..records[0] });
    let decoded = decoder().decode(&records).unwrap();
    assert_eq!(decoded.origins, [0, 2, 3, 4]);
    let reasons: Vec<_> = decoded.rejects.iter().map(|reject| (reject.message, reject.reason)).collect();
    assert_eq!(reasons, [(1, "no_value"), (5, "too_large")]);
    assert!(decoded.rejects[1].detail.contains("4194305 bytes"), "{}", decoded.rejects[1].detail);
}

#[test]
fn nothing_but_poison_makes_an_empty_batch_with_the_right_columns() {
    let decoded = decode(&mut decoder(), &[b"a", b"b"]);
    assert_eq!((decoded.batch.num_rows(), decoded.batch.schema(), decoded.rejects.len()), (0, schema(true), 2));
    assert_eq!(decoder().decode(&[]).unwrap().batch.num_rows(), 0);
}

#[test]
fn what_is_no_column_is_passed_over_and_what_is_missing_is_null() {
    let columns = Schema::new(vec![Field::new("x", DataType::Float32, true), Field::new("y", DataType::Float32, true)]);
    let mut decoder = JsonDecoder::new("pumps", Arc::new(columns), MOST_BYTES);
    let decoded = decode(&mut decoder, &[r#"{"y": 2, "other": {"deep": [1, {"er": null}]}}"#, r#"{"x":"NaN"}"#]);
    assert!(decoded.rejects.is_empty(), "{:?}", decoded.rejects);
    let column = |i: usize| decoded.batch.column(i).as_primitive::<Float32Type>().clone();
    assert!(column(0).is_null(0) && column(0).value(1).is_nan());
    assert!(column(1).value(0) == 2.0 && column(1).is_null(1));
}

#[test]
fn rows_that_are_not_plain_keep_their_place() {
    let columns = Schema::new(vec![Field::new("n", DataType::Int32, true), Field::new("t", DataType::Utf8, false)]);
    let columns = Arc::new(columns);
    let row = |n: usize| match n % 3 {
        0 => format!(r#"{{"n":{n},"t":"row {n}"}}"#),
        1 => format!(r#"{{"n":"{n}","t":"row {n}"}}"#),
        _ => format!(r#"{{"t":"{n}","n":{n}.0,"t":"row {n}"}}"#),
    };
    let mut payloads: Vec<String> = (0..20).map(row).collect();
    payloads[8].push('}');
    let decoded = decode(&mut JsonDecoder::new("pumps", Arc::clone(&columns), MOST_BYTES), &payloads);
    assert_eq!(decoded.rejects.iter().map(|reject| reject.message).collect::<Vec<_>>(), [8]);
    let wanted: Vec<usize> = (0..20).filter(|n| *n != 8).collect();
    assert_eq!(decoded.origins, wanted);
    let numbers = Int32Array::from_iter_values(wanted.iter().map(|n| *n as i32));
    let texts = StringArray::from_iter_values(wanted.iter().map(|n| format!("row {n}")));
    let whole = RecordBatch::try_new(columns, vec![Arc::new(numbers), Arc::new(texts)]).unwrap();
    assert_eq!(decoded.batch, whole);
    payloads.remove(8);
    let decoder = &mut JsonDecoder::new("pumps", whole.schema(), MOST_BYTES);
    assert_eq!(decode(decoder, &payloads).batch, whole);
    // Only such rows.
    assert_eq!(decode(decoder, &payloads[1..3]).batch, whole.slice(1, 2));
}

#[test]
fn brackets_in_text_are_no_nesting() {
    let rows = some_rows(1).into_iter().map(|mut row| {
        row.text = "[{\\\"".repeat(500);
        row
    });
    let batch = batch(&rows.collect::<Vec<_>>(), true);
    let payloads = JsonEncoder::new("pumps").encode(&batch).unwrap();
    assert_eq!(decode(&mut decoder(), &payloads).batch, batch);
}

#[test]
fn an_instant_is_written_as_rfc_3339_and_a_null_as_null() {
    let payloads = JsonEncoder::new("pumps").encode(&batch(&some_rows(2), true)).unwrap();
    let row: serde_json::Value = serde_json::from_slice(&payloads[1]).unwrap();
    assert_eq!(row["time"], "2023-11-14T22:13:20.123456790Z");
    assert!(row["wide"].is_null() && row.as_object().unwrap().contains_key("wide"));
    assert_eq!(row["text"], "row \"1\"\n");
}
