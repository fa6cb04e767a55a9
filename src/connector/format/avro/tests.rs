use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use proptest::prelude::*;

use super::super::avro_encoder::AvroEncoder;
use super::super::sample::{batch, damages, decode, isolates, messages, rows, schema, some_rows, survives};
use super::super::{Encoder as _, Format, FormatOptions, RegistryAddress, avro_schema};
use super::*;

const MOST_BYTES: usize = 4 << 20;

fn text() -> String {
    avro_schema("evenkeel.Row", &schema(false)).unwrap()
}

fn decoder() -> AvroDecoder {
    AvroDecoder::plain("pumps", &text(), &[], MOST_BYTES).unwrap()
}

fn encode(batch: &RecordBatch) -> Vec<Vec<u8>> {
    AvroEncoder::new(&FormatOptions::new(Format::Avro, "pumps"), &batch.schema(), None).unwrap().encode(batch).unwrap()
}

fn good() -> Vec<Vec<u8>> {
    encode(&batch(&some_rows(4), false))
}

/// A registry that knows some schemas by their ids, and answers as long as the tests run.
fn registry(schemas: &[(u32, String)]) -> RegistryAddress {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let schemas = schemas.to_vec();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 2048];
            let length = stream.read(&mut head).unwrap();
            let head = String::from_utf8_lossy(&head[..length]).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default();
            let known = schemas.iter().find(|(id, _)| path == format!("/schemas/ids/{id}"));
            let (status, body) = match known {
                Some((_, schema)) => ("200 OK", serde_json::json!({ "schema": schema }).to_string()),
                None => ("404 Not Found", "{}".to_owned()),
            };
            let length = body.len();
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").unwrap();
        }
    });
    RegistryAddress { url, credentials: None }
}

fn framed(id: u32, record: &[u8]) -> Vec<u8> {
    [&[0], &id.to_be_bytes()[..], record].concat()
}

proptest! {
    #[test]
    fn rows_come_back_bit_by_bit(rows in rows()) {
        let batch = batch(&rows, false);
        let decoded = decode(&mut decoder(), &encode(&batch));
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
}

#[test]
fn a_truncated_record_and_one_with_a_rest_are_isolated() {
    let whole = good()[0].clone();
    for end in 0..whole.len() {
        isolates(&mut decoder(), &good(), &whole[..end], "undecodable");
    }
    for rest in
        [&b"x"[..], &[0; 5], &HEADER, &HEADER[..3], &[&HEADER[..], &whole].concat(), &[&HEADER[..], b"x"].concat()]
    {
        let detail = isolates(&mut decoder(), &good(), &[&whole, rest].concat(), "undecodable");
        assert!(!detail.is_empty());
    }
}

#[test]
fn a_record_that_ends_like_a_header_is_read() {
    let schema = r#"{"type": "record", "name": "Row", "fields": [{"name": "x", "type": "bytes"}]}"#;
    let record = [&[10][..], &HEADER].concat();
    let mut decoder = AvroDecoder::plain("pumps", schema, &[], MOST_BYTES).unwrap();
    let decoded = decode(&mut decoder, &[record.clone(), vec![2, 7], record]);
    assert!(decoded.rejects.is_empty(), "{:?}", decoded.rejects);
    let values: Vec<&[u8]> = decoded.batch.column(0).as_binary::<i32>().iter().flatten().collect();
    assert_eq!(values, [&HEADER[..], &[7], &HEADER]);
}

#[test]
fn only_the_wanted_columns_are_read() {
    let columns = ["text".to_owned(), "narrow".to_owned()];
    let mut decoder = AvroDecoder::plain("pumps", &text(), &columns, MOST_BYTES).unwrap();
    let whole = batch(&some_rows(4), false);
    let decoded = decode(&mut decoder, &encode(&whole));
    assert_eq!(decoded.batch.num_columns(), 2);
    assert_eq!(decoded.batch.column(0), whole.column_by_name("text").unwrap());
    assert_eq!(decoded.batch.column(1), whole.column_by_name("narrow").unwrap());
    assert_eq!(decoder.schema().unwrap(), decoded.batch.schema());
    let misspelt = AvroDecoder::plain("pumps", &text(), &["txet".to_owned()], MOST_BYTES).err().unwrap();
    assert!(misspelt.contains("did you mean `text`"), "{misspelt}");
}

#[test]
fn writers_with_different_schemas_are_read_as_one() {
    let old = r#"{"type": "record", "name": "Row", "fields": [{"name": "x", "type": "float"}]}"#;
    let new = r#"{"type": "record", "name": "Row", "fields": [{"name": "note", "type": "string"},
        {"name": "x", "type": "float"}, {"name": "y", "type": ["null", "float"], "default": null}]}"#;
    let address = registry(&[(3, old.to_owned()), (1 << 30, new.to_owned())]);
    let columns = ["x".to_owned(), "y".to_owned()];
    let mut decoder = AvroDecoder::framed("pumps", new, &columns, MOST_BYTES, Registry::new(&address)).unwrap();
    let first = framed(3, &1.5_f32.to_le_bytes());
    let second =
        framed(1 << 30, &[&[4, b'h', b'i'][..], &2.5_f32.to_le_bytes(), &[2], &3.5_f32.to_le_bytes()].concat());
    let payloads = [first.clone(), second.clone(), second, first];
    let decoded = decode(&mut decoder, &payloads);
    assert!(decoded.rejects.is_empty(), "{:?}", decoded.rejects);
    let column = |i: usize| decoded.batch.column(i).as_primitive::<Float32Type>().clone();
    assert_eq!(column(0).values().as_ref(), [1.5, 2.5, 2.5, 1.5]);
    assert_eq!(column(1).iter().collect::<Vec<_>>(), [None, Some(3.5), Some(3.5), None]);
    assert_eq!(decoded.origins, [0, 1, 2, 3]);
}

#[test]
fn a_wrong_schema_id_is_isolated() {
    let other = r#"{"type": "record", "name": "Row", "fields": [{"name": "unrelated", "type": "string"}]}"#;
    let address = registry(&[(1, text()), (2, other.to_owned())]);
    let decoder = || AvroDecoder::framed("pumps", &text(), &[], MOST_BYTES, Registry::new(&address)).unwrap();
    let good: Vec<Vec<u8>> = good().iter().map(|record| framed(1, record)).collect();
    let record = &good[0][HEADER_BYTES..];
    let detail = isolates(&mut decoder(), &good, &framed(99, record), "unknown_schema");
    assert!(detail.contains("no schema with id 99"), "{detail}");
    let detail = isolates(&mut decoder(), &good, &framed(2, record), "unknown_schema");
    assert!(detail.contains("schema 2 cannot be read as the wanted one"), "{detail}");
    let detail = isolates(&mut decoder(), &good, b"{\"json\": 1}", "undecodable");
    assert!(detail.contains("schema id"), "{detail}");
    isolates(&mut decoder(), &good, &[0, 0, 0], "undecodable");
    isolates(&mut decoder(), &good, &framed(1, &record[..record.len() - 1]), "undecodable");
}

#[test]
fn a_registry_that_does_not_answer_rejects_nothing() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let address = RegistryAddress { url: format!("http://{closed}"), credentials: None };
    let mut decoder = AvroDecoder::framed("pumps", &text(), &[], MOST_BYTES, Registry::new(&address)).unwrap();
    let payloads = [framed(1, &good()[0])];
    assert!(decoder.decode(&messages(&payloads)).unwrap_err().is_temporary());
    let Framing::Registry(registry_now) = &mut decoder.framing else { panic!("framed") };
    *registry_now = Registry::new(&registry(&[(1, text())]));
    assert_eq!(decode(&mut decoder, &payloads).batch.num_rows(), 1);
}

#[test]
fn a_number_that_is_not_finite_is_read_as_it_is() {
    let schema = r#"{"type": "record", "name": "Row", "fields": [{"name": "x", "type": "float"}]}"#;
    let mut decoder = AvroDecoder::plain("pumps", schema, &[], MOST_BYTES).unwrap();
    let decoded = decode(&mut decoder, &[f32::NAN.to_le_bytes(), f32::INFINITY.to_le_bytes()]);
    let column = decoded.batch.column(0).as_primitive::<Float32Type>();
    assert!(column.value(0).is_nan() && column.value(1).is_infinite() && column.null_count() == 0);
}

#[test]
fn a_schema_that_is_no_record_is_refused() {
    assert!(AvroDecoder::plain("pumps", "\"string\"", &[], MOST_BYTES).is_err());
    assert!(AvroDecoder::plain("pumps", "nonsense", &[], MOST_BYTES).is_err());
    assert!(arrow_schema(&AvroSchema::new(text())).is_ok_and(|found| found.fields() == schema(false).fields()));
    let _: Arc<Schema> = decoder().schema().unwrap();
}
