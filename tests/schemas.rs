//! The schema files in `schemas/` say what the code writes. `EVENKEEL_BLESS=1 cargo test --test schemas` rewrites them.

use std::fs;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use evenkeel::connector::format::{
    ASSIGNMENT_RECORD, DRIFT_RECORD, Format, FormatOptions, Message, avro_schema, decoder, encoder, json_schema,
};
use evenkeel::connector::kafka::pair_json_schema;
use evenkeel::connector::{
    Column, assignment_columns, assignment_schema, dead_letter_columns, describe, drift_columns, drift_schema,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

fn equals_the_code(name: &str, columns: &[Column]) {
    equals(name, &describe(columns));
}

fn equals(name: &str, code: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(name);
    if std::env::var("EVENKEEL_BLESS").is_ok_and(|value| value == "1") {
        fs::write(&path, code).unwrap();
    }
    let file = fs::read_to_string(&path).unwrap();
    assert_eq!(file, code, "schemas/{name} differs from the code: run with EVENKEEL_BLESS=1 and review the change");
}

#[test]
fn the_assignment_schema_file_equals_the_code() {
    equals_the_code("assignments.json", &assignment_columns());
}

#[test]
fn the_drift_schema_file_equals_the_code() {
    equals_the_code("drift.json", &drift_columns());
}

#[test]
fn the_dead_letter_schema_file_equals_the_code() {
    equals_the_code("dead_letters.json", &dead_letter_columns());
}

#[test]
fn a_schema_file_is_a_list_of_complete_columns() {
    for columns in [assignment_columns(), drift_columns(), dead_letter_columns()] {
        let entries: Vec<serde_json::Map<String, serde_json::Value>> =
            serde_json::from_str(&describe(&columns)).unwrap();
        assert_eq!(entries.len(), columns.len());
        for (entry, column) in entries.iter().zip(&columns) {
            assert_eq!(entry["name"], column.name);
            assert_eq!(entry["nullable"], column.nullable);
            assert_eq!(entry["description"], column.description);
            assert!(entry["type"].is_string());
        }
    }
}

/// The messages of a topic: its columns, and the Avro name of a row.
fn message(stem: &str, record: &str, schema: &Schema) {
    equals(&format!("{stem}.avsc"), &avro_schema(record, schema).unwrap());
    equals(&format!("{stem}.schema.json"), &json_schema(record, schema).unwrap());
}

#[test]
fn the_message_schemas_of_the_output_equal_the_code() {
    message("assignments", ASSIGNMENT_RECORD, &assignment_schema(&[]).unwrap());
    message("drift", DRIFT_RECORD, &drift_schema());
}

#[test]
fn the_message_schema_of_pairs_equals_the_code() {
    equals("pairs.schema.json", &pair_json_schema().unwrap());
}

/// The sample stream of the quickstart.
fn watch(rows: usize) -> RecordBatch {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/watch.parquet");
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().with_limit(rows);
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    let whole = concat_batches(&batches[0].schema(), &batches).unwrap();
    let fields = whole.schema().fields().iter().map(|field| bare(field)).collect::<Vec<_>>();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), whole.columns().to_vec()).unwrap()
}

fn bare(field: &Field) -> Field {
    Field::new(field.name(), field.data_type().clone(), field.is_nullable())
}

/// The columns of `pipelines/har.toml`.
fn har() -> SchemaRef {
    let item = Arc::new(Field::new("item", DataType::Float32, false));
    Arc::new(Schema::new(vec![
        Field::new("features", DataType::FixedSizeList(item, 561), false),
        Field::new("subject", DataType::Int32, false),
        Field::new("timestamp_ns", DataType::Int64, false),
        Field::new("label", DataType::Int32, true),
    ]))
}

#[test]
fn the_message_schemas_of_the_examples_equal_their_data() {
    message("watch", "evenkeel.Reading", &watch(1).schema());
    message("har", "evenkeel.Window", &har());
}

#[test]
fn the_sample_stream_is_read_by_its_schema_files_in_every_format() {
    let whole = watch(300);
    let columns: Vec<String> = whole.schema().fields().iter().map(|field| field.name().clone()).collect();
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    for (format, file) in [
        (Format::Json, "watch.schema.json"),
        (Format::Json, "watch.avsc"),
        (Format::Avro, "watch.avsc"),
        (Format::ArrowIpc, "watch.avsc"),
    ] {
        let mut options = FormatOptions::new(format, "watch");
        options.schema = Some(schemas.join(file));
        options.columns.clone_from(&columns);
        let payloads = encoder(&options, &whole.schema()).unwrap().encode(&whole).unwrap();
        let messages: Vec<Message> = payloads
            .iter()
            .map(|payload| Message { key: None, value: Some(payload), partition: 0, offset: 0, timestamp_ms: None })
            .collect();
        let decoded = decoder(&options).unwrap().decode(&messages).unwrap();
        assert!(decoded.rejects.is_empty(), "{format:?} {file}: {:?}", decoded.rejects);
        assert_eq!(decoded.batch, whole, "{format:?} {file}");
    }
}

#[test]
fn a_schema_file_that_does_not_fit_is_named() {
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let refusal = |format, schema: Option<&str>, columns: &[&str]| {
        let mut options = FormatOptions::new(format, "watch");
        options.schema = schema.map(|file| schemas.join(file));
        options.columns = columns.iter().map(|&column| column.to_owned()).collect();
        decoder(&options).err().unwrap().to_string()
    };
    let cases = [
        (refusal(Format::Json, None, &[]), "JSON does not say its types"),
        (refusal(Format::Avro, None, &[]), "needs a `schema` file or a `registry`"),
        (refusal(Format::Avro, Some("watch.schema.json"), &[]), "it is a JSON Schema; Avro is needed"),
        (refusal(Format::Json, Some("assignments.json"), &[]), "neither an Avro record"),
        (refusal(Format::Json, Some("nothing.json"), &[]), "nothing.json: cannot be read"),
        (refusal(Format::Avro, Some("watch.avsc"), &["azz"]), "column `azz` is missing; did you mean `az`?"),
        (refusal(Format::ArrowIpc, Some("watch.avsc"), &["azz"]), "watch.avsc: column `azz` is missing"),
    ];
    for (said, words) in cases {
        assert!(said.contains(words), "`{words}` is not in: {said}");
    }
}
