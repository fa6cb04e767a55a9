use std::sync::Arc;

use arrow_array::builder::{FixedSizeListBuilder, Float32Builder, ListBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::Int8Type;
use arrow_array::{ArrayRef, DictionaryArray, Float64Array, Int32Array, RecordBatch, StringArray};

use super::super::{FeatureParameters, Features, Missing, Records};

type Rows<'a> = &'a [Option<Vec<Option<f32>>>];

fn list(rows: Rows<'_>) -> ArrayRef {
    let mut builder = ListBuilder::new(Float32Builder::new());
    for row in rows {
        match row {
            Some(values) => builder.append_value(values.iter().copied()),
            None => builder.append_null(),
        }
    }
    Arc::new(builder.finish())
}

fn fixed(rows: &[[f32; 2]]) -> ArrayRef {
    let mut builder = FixedSizeListBuilder::new(Float32Builder::new(), 2);
    for row in rows {
        builder.values().append_slice(row);
        builder.append(true);
    }
    Arc::new(builder.finish())
}

fn records(columns: Vec<(&str, ArrayRef)>) -> Records {
    Records {
        batch: RecordBatch::try_from_iter(columns).unwrap(),
        source: Arc::from("rows.parquet"),
        partition: 0,
        first_offset: 40,
        origins: None,
        first_sequence: 400,
        picked: None,
    }
}

fn features(change: impl FnOnce(&mut FeatureParameters)) -> Features {
    let mut parameters = FeatureParameters { columns: vec!["v".into()], ..FeatureParameters::default() };
    change(&mut parameters);
    parameters.check().unwrap()
}

fn some(values: &[f32]) -> Option<Vec<Option<f32>>> {
    Some(values.iter().copied().map(Some).collect())
}

#[test]
fn columns_are_concatenated_in_the_order_of_the_pipeline() {
    let features = features(|p| p.columns = vec!["scalar".into(), "v".into()]);
    let scalar: ArrayRef = Arc::new(Int32Array::from(vec![7, 8]));
    let mut featurizer = features.open();
    assert_eq!(featurizer.width(), 0);
    let minibatch = featurizer.featurize(&records(vec![("v", fixed(&[[1.0, 2.0], [3.0, 4.0]])), ("scalar", scalar)]));
    assert_eq!(minibatch.rows[0].features, [7.0, 1.0, 2.0]);
    assert_eq!(minibatch.rows[1].features, [8.0, 3.0, 4.0]);
    assert_eq!((minibatch.rows[1].coordinates.offset, minibatch.rows[1].sequence), (41, 401));
    assert_eq!(featurizer.width(), 3);
}

#[test]
fn only_picked_rows_are_taken() {
    let mut records = records(vec![
        ("v", fixed(&[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])),
        ("n", Arc::new(Int32Array::from(vec![0, 1, 2]))),
    ]);
    records.picked = Some(vec![0, 2]);
    let minibatch = features(|p| p.keep = vec!["n".into()]).open().featurize(&records);
    let sequences: Vec<u64> = minibatch.rows.iter().map(|row| row.sequence).collect();
    assert_eq!(sequences, [400, 402]);
    assert_eq!(minibatch.extras.unwrap()["n"].as_ref(), &Int32Array::from(vec![0, 2]));
    assert_eq!(minibatch.input_rows, 2);
}

#[test]
fn a_list_of_another_length_is_a_dead_letter() {
    let rows = [some(&[1.0, 2.0]), some(&[1.0]), some(&[3.0, 4.0]), some(&[])];
    let minibatch = features(|_| {}).open().featurize(&records(vec![("v", list(&rows))]));
    assert_eq!(minibatch.rows.len(), 2);
    let reasons: Vec<&str> = minibatch.rejected.iter().map(|letter| letter.reason).collect();
    assert_eq!(reasons, ["list_length", "list_length"]);
    assert_eq!(minibatch.rejected[0].detail, "column `v` has 1 values, 2 are needed");
    assert_eq!(minibatch.rejected[0].coordinates.offset, 41);
    assert_eq!(minibatch.rejected[0].record, r#"{"v":[1.0]}"#);
}

#[test]
fn the_length_of_lists_is_part_of_the_snapshot() {
    let features = features(|_| {});
    let mut before = features.open();
    before.featurize(&records(vec![("v", list(&[some(&[1.0, 2.0])]))]));
    let mut after = features.open();
    after.restore(&before.snapshot()).unwrap();
    assert_eq!(after.width(), 2);
    assert_eq!(after.featurize(&records(vec![("v", list(&[some(&[1.0])]))])).rejected[0].reason, "list_length");
}

#[test]
fn holes_are_rejected_by_column_and_element() {
    let rows = [some(&[1.0, 2.0]), some(&[1.0, f32::NAN]), Some(vec![None, Some(1.0)]), None];
    let minibatch = features(|_| {}).open().featurize(&records(vec![("v", list(&rows))]));
    let found: Vec<(&str, &str)> =
        minibatch.rejected.iter().map(|letter| (letter.reason, letter.detail.as_str())).collect();
    assert_eq!(
        found,
        [
            ("not_finite", "column `v` element 1 is NaN, a finite number is needed"),
            ("null_feature", "column `v` element 0 is null"),
            ("null_feature", "column `v` is null"),
        ]
    );
}

#[test]
fn holes_are_filled_with_zero() {
    let rows = [some(&[1.0, f32::INFINITY]), None];
    let minibatch = features(|p| p.missing = Missing::Zero).open().featurize(&records(vec![("v", list(&rows))]));
    assert_eq!(minibatch.rows[0].features, [1.0, 0.0]);
    assert_eq!(minibatch.rows[1].features, [0.0, 0.0]);
}

#[test]
fn holes_are_filled_with_the_mean_so_far_also_after_a_restart() {
    let features = features(|p| p.missing = Missing::Mean);
    let nan = f32::NAN;
    let mut first = features.open();
    let rows = [some(&[nan, 1.0]), some(&[2.0, nan]), some(&[4.0, 5.0])];
    let minibatch = first.featurize(&records(vec![("v", list(&rows))]));
    assert_eq!(minibatch.rows[0].features, [0.0, 1.0], "nothing is known before the first value");
    assert_eq!(minibatch.rows[1].features, [2.0, 1.0]);
    let mut second = features.open();
    second.restore(&first.snapshot()).unwrap();
    let rows = records(vec![("v", list(&[some(&[nan, nan])]))]);
    assert_eq!(second.featurize(&rows).rows[0].features, [3.0, 3.0]);
    assert_eq!(second.snapshot(), first.snapshot(), "filled values are not counted");
}

#[test]
fn keys_are_joined_and_labels_renamed() {
    let device: DictionaryArray<Int8Type> = ["watch", "phone", "watch"].into_iter().collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("v", fixed(&[[1.0, 2.0], [3.0, f32::NAN], [5.0, 6.0]])),
        ("device", Arc::new(device)),
        ("side", Arc::new(Int32Array::from(vec![0, 0, 1]))),
        ("run", Arc::new(Float64Array::from(vec![1.5, 1.5, 2.0]))),
        ("activity", Arc::new(StringArray::from(vec![Some("walk"), Some("sit"), None]))),
    ];
    let features = features(|p| {
        p.key = vec!["device".into(), "side".into()];
        p.series = "run".into();
        p.label = "activity".into();
        p.keep = vec!["device".into()];
    });
    let minibatch = features.open().featurize(&records(columns));
    let names: Vec<(&str, &str)> = minibatch.rows.iter().map(|row| (&*row.key, &*row.series)).collect();
    assert_eq!(names, [("watch/0", "1.5"), ("watch/1", "2")]);
    assert_eq!(&*minibatch.rejected[0].key, "phone/0");
    let extras = minibatch.extras.unwrap();
    assert_eq!(extras["label"].as_ref(), &StringArray::from(vec![Some("walk"), None]));
    assert_eq!(extras["device"].as_any_dictionary().normalized_keys().len(), 2);
}

#[test]
fn rows_belong_to_no_worker_and_a_passed_through_column_keeps_its_type() {
    let features = features(|p| p.keep = vec!["n".into()]);
    let mut featurizer = features.open();
    let integers = records(vec![("v", fixed(&[[1.0, 2.0]])), ("n", Arc::new(Int32Array::from(vec![1])))]);
    let texts = records(vec![("v", fixed(&[[1.0, 2.0]])), ("n", Arc::new(StringArray::from(vec!["1"])))]);
    assert_eq!(featurizer.owners(&integers, 4), None);
    assert_eq!(featurizer.featurize(&integers).rejected, []);
    let letter = &featurizer.featurize(&texts).rejected[0];
    assert_eq!(letter.reason, "schema");
    assert_eq!(letter.detail, "column `n` was Int32 and is now Utf8: passed-through columns must keep their type");
}

#[test]
fn foreign_snapshots_are_refused() {
    let two = features(|p| p.columns = vec!["v".into(), "w".into()]).open().snapshot();
    let mut featurizer = features(|_| {}).open();
    assert!(featurizer.restore(&two).unwrap_err().contains("2 feature columns"));
    assert!(featurizer.restore(b"").is_err());
    let filled = features(|p| p.missing = Missing::Zero).open().snapshot();
    assert!(featurizer.restore(&filled).unwrap_err().contains("features.missing"));
}
