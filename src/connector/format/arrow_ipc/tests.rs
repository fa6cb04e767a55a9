use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, NullArray, RecordBatch, RecordBatchOptions};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{DataType, Field, Schema};
use arrow_select::concat::concat_batches;
use proptest::prelude::*;

use super::super::sample::{batch, damages, decode, isolates, rows, schema, some_rows, survives};
use super::super::{Decoder as _, Encoder as _};
use super::{ArrowIpcDecoder, ArrowIpcEncoder};

const MOST_BYTES: usize = 4 << 20;

fn encode(batch: &RecordBatch) -> Vec<u8> {
    ArrowIpcEncoder::new("pumps").encode(batch).unwrap().remove(0)
}

fn decoder() -> ArrowIpcDecoder {
    ArrowIpcDecoder::new("pumps", &[], Some(schema(true)), MOST_BYTES)
}

fn good() -> Vec<Vec<u8>> {
    [1, 3, 2].map(|rows| encode(&batch(&some_rows(rows), true))).to_vec()
}

proptest! {
    #[test]
    fn rows_come_back_bit_by_bit(first in rows(), second in rows(), fixed: bool) {
        let batches = [batch(&first, fixed), batch(&second, fixed)];
        let payloads = batches.iter().map(encode).collect::<Vec<_>>();
        let mut decoder = ArrowIpcDecoder::new("pumps", &[], None, MOST_BYTES);
        let decoded = decode(&mut decoder, &payloads);
        prop_assert_eq!(decoded.batch, concat_batches(&schema(fixed), &batches).unwrap());
        let origins: Vec<usize> = std::iter::repeat_n(0, first.len()).chain(std::iter::repeat_n(1, second.len())).collect();
        prop_assert_eq!(decoded.origins, origins);
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
fn every_kind_of_poison_is_isolated() {
    let whole = good()[1].clone();
    let other = RecordBatch::try_from_iter([("x", Arc::new(Int32Array::from(vec![1])) as ArrayRef)]).unwrap();
    let short = batch(&some_rows(2), false);
    let poisons: Vec<(Vec<u8>, &str)> = vec![
        (Vec::new(), "no Arrow IPC stream"),
        (b"{\"json\": 1}".to_vec(), ""),
        (vec![0; 16], "Unexpected EOS"),
        (whole[..whole.len() / 2].to_vec(), ""),
        (encode(&other), "column `big` is missing"),
        (encode(&short), "column `features` is List"),
    ];
    for (poison, words) in poisons {
        let detail = isolates(&mut decoder(), &good(), &poison, "undecodable");
        assert!(detail.contains(words), "`{words}` is not in `{detail}`");
    }
}

#[test]
fn columns_without_width_cannot_claim_any_number_of_rows() {
    let schema = Arc::new(Schema::new(vec![Field::new("nothing", DataType::Null, true)]));
    let nothing: ArrayRef = Arc::new(NullArray::new(1 << 40));
    let options = RecordBatchOptions::new().with_row_count(Some(1 << 40));
    let batch = RecordBatch::try_new_with_options(schema, vec![nothing], &options).unwrap();
    let mut payload = Vec::new();
    let mut writer = StreamWriter::try_new(&mut payload, batch.schema_ref()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    let decoded = decode(&mut ArrowIpcDecoder::new("pumps", &[], None, MOST_BYTES), &[payload]);
    assert_eq!(decoded.batch.num_rows(), 0);
    assert!(decoded.rejects[0].detail.contains("1099511627776 rows"), "{:?}", decoded.rejects);
}

#[test]
fn the_first_message_tells_the_columns_where_no_file_does() {
    let columns = ["text".to_owned(), "features".to_owned()];
    let mut decoder = ArrowIpcDecoder::new("pumps", &columns, None, MOST_BYTES);
    assert!(decoder.schema().is_none());
    assert_eq!(decode(&mut decoder, &[b"poison"]).batch.num_columns(), 0);
    let decoded = decode(&mut decoder, &good());
    let names: Vec<&str> = decoded.batch.schema_ref().fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!((names, decoded.batch.num_rows()), (vec!["text", "features"], 6));
    // From now on another type is a fault.
    let decoded = decode(&mut decoder, &[encode(&batch(&some_rows(1), false))]);
    assert_eq!(decoded.rejects[0].reason, "undecodable");
}

#[test]
fn list_elements_may_have_any_name() {
    let whole = batch(&some_rows(4), true);
    let lists = arrow_array::cast::AsArray::as_fixed_size_list(whole.column(1).as_ref());
    let element = Arc::new(Field::new("element", DataType::Float32, true));
    let renamed = arrow_array::FixedSizeListArray::try_new(element, 3, lists.values().clone(), None).unwrap();
    let mut columns: Vec<(String, ArrayRef)> =
        whole.schema().fields().iter().map(|field| field.name().clone()).zip(whole.columns().iter().cloned()).collect();
    columns[1].1 = Arc::new(renamed);
    let decoded = decode(&mut decoder(), &[encode(&RecordBatch::try_from_iter(columns).unwrap())]);
    assert!(decoded.rejects.is_empty(), "{:?}", decoded.rejects);
    assert_eq!(decoded.batch, whole);
}
