//! Windows of real recordings against statistics that were computed elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int32Type};
use arrow_select::concat::concat_batches;

use super::super::shared_data::recording;
use super::super::{FeatureParameters, Features, Minibatch, Records, Row, WindowParameters};

fn features(sensors: [[&str; 3]; 2], key: &[&str], series: &str) -> Features {
    let window = WindowParameters {
        sensors: sensors.map(|triple| triple.map(String::from)).to_vec(),
        rate_hz: 50.0,
        length_s: 2.56,
        hop_s: 1.28,
        lateness_s: 0.0,
        extractor: "statistics".into(),
        label_share: 0.8,
    };
    let parameters = FeatureParameters {
        key: key.iter().map(|&name| name.to_owned()).collect(),
        time: "timestamp_ns".into(),
        label: "label".into(),
        series: series.into(),
        window: Some(window),
        ..FeatureParameters::default()
    };
    parameters.check().unwrap()
}

struct Found {
    rows: Vec<(Arc<Row>, Option<i32>)>,
    unwindowed: u64,
    input_rows: u64,
}

fn featurize(features: &Features, batches: impl Iterator<Item = RecordBatch>, finish: bool) -> Found {
    let mut featurizer = features.open();
    let mut found = Found { rows: Vec::new(), unwindowed: 0, input_rows: 0 };
    let mut add = |minibatch: Minibatch| {
        assert_eq!(minibatch.rejected, []);
        let labels = minibatch.extras.iter().flat_map(|extras| extras["label"].as_primitive::<Int32Type>());
        found.rows.extend(minibatch.rows.into_iter().zip(labels));
        found.unwindowed += minibatch.unwindowed;
        found.input_rows += minibatch.input_rows;
    };
    let mut first = 0;
    for batch in batches {
        let rows = batch.num_rows();
        let source = Arc::from("recording");
        let (first_offset, first_sequence) = (first as i64, first as u64);
        add(featurizer.featurize(&Records {
            batch,
            source,
            partition: 0,
            first_offset,
            first_sequence,
            picked: None,
            origins: None,
        }));
        first += rows;
    }
    if finish {
        add(featurizer.finish());
    }
    found
}

/// Relative for values above 1, absolute below.
fn assert_close(found: &Row, expected: &[f32]) {
    assert_eq!(found.features.len(), expected.len());
    for (place, (a, b)) in found.features.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= 1e-4 * b.abs().max(1.0), "row {}, value {place}: {a} {b}", found.sequence);
    }
}

fn expected(name: &str) -> Option<RecordBatch> {
    let batches: Vec<RecordBatch> = recording(name, 8192)?.collect();
    Some(concat_batches(&batches[0].schema(), &batches).unwrap())
}

fn values(expected: &RecordBatch) -> std::slice::ChunksExact<'_, f32> {
    expected["features"].as_fixed_size_list().values().as_primitive::<Float32Type>().values().chunks_exact(159)
}

#[test]
fn windows_of_the_watch_recording_equal_the_published_statistics() {
    let Some(batches) = recording("watch_shoulder_raw", 5000) else { return };
    let Some(expected) = expected("watch_statistics_159") else { return };
    let features = features([["ax", "ay", "az"], ["wx", "wy", "wz"]], &["subject", "side"], "series");
    let mut found = featurize(&features, batches, true);
    assert_eq!(found.rows.len(), 3605);
    // The published rows are in the order of device, series and time.
    let number = |text: &str| text.parse::<u32>().unwrap();
    let device = |row: &Row| row.key.split_once('/').map(|(subject, side)| (number(subject), number(side)));
    found.rows.sort_by_key(|(row, _)| (device(row), number(&row.series), row.event_time));
    let labels = expected["label"].as_primitive::<Int32Type>();
    let series = expected["series"].as_primitive::<Int32Type>();
    for (place, ((row, label), values)) in found.rows.iter().zip(values(&expected)).enumerate() {
        assert_close(row, values);
        assert_eq!(label.unwrap_or(-1), labels.value(place));
        assert_eq!(*row.series, series.value(place).to_string());
    }
    let mut windows: BTreeMap<&str, u64> = BTreeMap::new();
    found.rows.iter().for_each(|(row, _)| *windows.entry(&row.series).or_default() += 1);
    let windowed: u64 = windows.values().map(|count| (count - 1) * 64 + 128).sum();
    assert_eq!(windowed + found.unwindowed, found.input_rows);
    assert_eq!(found.input_rows, 244_102);
}

#[test]
fn windows_of_the_phone_recording_equal_the_published_statistics() {
    let Some(batches) = recording("hapt_raw_stream", 4096) else { return };
    let Some(expected) = expected("hapt_statistics_159") else { return };
    assert_eq!(expected.num_rows(), 17_453);
    let features = features([["ax", "ay", "az"], ["gx", "gy", "gz"]], &["subject"], "experiment");
    let found = featurize(&features, batches.take(40), false);
    assert!(found.rows.len() > 2_400, "{} windows", found.rows.len());
    let labels = expected["label"].as_primitive::<Int32Type>();
    for (place, ((row, label), values)) in found.rows.iter().zip(values(&expected)).enumerate() {
        assert_close(row, values);
        // Published labels are -1 for mixed windows and for the transitions 6 to 11.
        let label = label.filter(|label| *label < 6).unwrap_or(-1);
        assert_eq!(label, labels.value(place), "row {place}");
    }
}
