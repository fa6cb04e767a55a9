//! The schema files in `schemas/` say what the code writes. `EVENKEEL_BLESS=1 cargo test --test schemas` rewrites them.

use std::fs;
use std::path::Path;

use evenkeel::connector::{Column, assignment_columns, dead_letter_columns, describe, drift_columns};

fn equals_the_code(name: &str, columns: &[Column]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(name);
    let code = describe(columns);
    if std::env::var("EVENKEEL_BLESS").is_ok_and(|value| value == "1") {
        fs::write(&path, &code).unwrap();
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
