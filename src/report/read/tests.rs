use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampNanosecondArray,
};
use parquet::arrow::ArrowWriter;

use super::*;
use crate::data::Coordinates;

const SECOND: i64 = 1_000_000_000;

/// Offset, event time, cluster, label; the first row is held in warm-up and displaced, the second is an outlier.
type Row = (i64, Option<i64>, i32, Option<i32>);

fn write(folder: &Path, name: &str, columns: Vec<(&str, ArrayRef)>) {
    fs::create_dir_all(folder).unwrap();
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)));
    let batch = batch.unwrap();
    let mut writer = ArrowWriter::try_new(File::create(folder.join(name)).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn assignments(run: &Run, name: &str, source: &str, rows: &[Row]) {
    let n = rows.len();
    let clusters = || rows.iter().map(|row| row.2);
    let first = |i: usize| i == 0;
    write(
        &run.assignments,
        name,
        vec![
            ("source", Arc::new(StringArray::from(vec![source; n]))),
            ("partition", Arc::new(Int32Array::from(vec![0; n]))),
            ("offset", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0)))),
            ("key", Arc::new(StringArray::from(vec!["a"; n]))),
            (
                "event_time",
                Arc::new(TimestampNanosecondArray::from_iter(rows.iter().map(|row| row.1)).with_timezone("UTC")),
            ),
            ("cluster", Arc::new(Int32Array::from_iter_values(clusters()))),
            (
                "natural_cluster",
                Arc::new(Int32Array::from_iter_values(
                    clusters().enumerate().map(|(i, c)| if first(i) { c + 1 } else { c }),
                )),
            ),
            ("warmup", Arc::new((0..n).map(|i| Some(first(i))).collect::<BooleanArray>())),
            ("confidence", Arc::new(Float32Array::from(vec![0.75; n]))),
            ("outlier", Arc::new((0..n).map(|i| Some(i == 1)).collect::<BooleanArray>())),
            ("model_version", Arc::new(Int64Array::from_iter_values((0..n as i64).map(|i| 1 + i / 40)))),
            ("label", Arc::new(Int32Array::from_iter(rows.iter().map(|row| row.3)))),
        ],
    );
}

fn drift(run: &Run, time: Option<i64>) {
    write(
        &run.drift,
        "part-w00-000001.parquet",
        vec![
            ("event_time", Arc::new(TimestampNanosecondArray::from(vec![time, time]).with_timezone("UTC"))),
            ("signal", Arc::new(StringArray::from(vec!["shares", "centroid"]))),
            ("score", Arc::new(Float64Array::from(vec![0.5, 3.5]))),
            ("threshold", Arc::new(Float64Array::from(vec![f64::NAN, 2.0]))),
            ("alarm", Arc::new(BooleanArray::from(vec![false, true]))),
            ("cluster", Arc::new(Int32Array::from(vec![None, Some(4)]))),
            ("top_features", Arc::new(StringArray::from(vec!["", "[\"ax mean\", 7]"]))),
            ("model_version", Arc::new(Int64Array::from(vec![2, 2]))),
        ],
    );
}

fn figure<'a>(report: &'a Report, name: &str) -> &'a str {
    &report.summary.iter().find(|(figure, _)| figure == name).unwrap_or_else(|| panic!("no {name}")).1
}

#[test]
fn a_run_is_read_as_it_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = Run::at(directory.path()).unwrap();
    run.label_names.insert("0".to_owned(), "walk".to_owned());
    let rows: Vec<Row> = (0..80)
        .map(|i| (i, Some((3 + i) * SECOND), (i % 2) as i32, if i == 5 { Some(-1) } else { Some((i % 2) as i32) }))
        .collect();
    assignments(&run, "part-w00-000001.parquet", "in.parquet", &rows);
    fs::write(run.assignments.join("_manifest-w00.json"), "{}").unwrap();
    drift(&run, Some(50 * SECOND));
    write(
        &run.dead_letters,
        "part-w00-000001.parquet",
        vec![("reason", Arc::new(StringArray::from(vec!["missing", "late", "missing"])))],
    );
    let report = read(&run, Vec::new()).unwrap();

    assert_eq!(figure(&report, "rows assigned"), "80");
    assert_eq!(figure(&report, "held in warm-up"), "1");
    assert_eq!(figure(&report, "outliers"), "1.2 %");
    assert_eq!(figure(&report, "displaced rows"), "1.2 %");
    assert_eq!(figure(&report, "mean confidence"), "0.75");
    assert_eq!(figure(&report, "evenness (NE)"), "1.000");
    assert_eq!(figure(&report, "model versions"), "1 – 2");
    assert_eq!(figure(&report, "first event (UTC)"), "1970-01-01 00:00:03");
    assert_eq!(figure(&report, "last event (UTC)"), "1970-01-01 00:01:22");
    assert_eq!(figure(&report, "accuracy (ACC)"), "100.0 %");
    assert_eq!(figure(&report, "drift alarms"), "1");
    assert_eq!(figure(&report, "dead letters"), "3 (late\u{a0}1, missing\u{a0}2)");

    let at = |second: i64| Position::Time(second * SECOND);
    assert_eq!(report.shares.len(), 2);
    assert_eq!((report.shares[0].from, report.shares[0].until), (at(0), at(60)));
    assert_eq!(report.shares[0].rows, [(0, 29), (1, 28)]);
    assert_eq!(report.shares[1].rows, [(0, 11), (1, 12)]);

    assert_eq!(report.drift[0].threshold, None);
    let alarm = &report.drift[1];
    assert_eq!((alarm.at, alarm.score, alarm.threshold, alarm.cluster), (at(50), 3.5, Some(2.0), Some(4)));
    assert_eq!(alarm.top_features, ["ax mean", "7"]);

    let confusion = report.confusion.unwrap();
    assert_eq!(confusion.labels, ["walk", "1"]);
    assert_eq!(confusion.counts, [39, 0, 0, 39], "without the warm-up row and the ignored label");
}

#[test]
fn rows_are_the_axis_when_time_starts_anew_within_the_input() {
    let directory = tempfile::tempdir().unwrap();
    let run = Run::at(directory.path()).unwrap();
    let rows = |from: i64| -> Vec<Row> { (0..40).map(|i| (from + i, Some(i % 20 * SECOND), 0, None)).collect() };
    assignments(&run, "part-w00-000001.parquet", "b.parquet", &rows(0));
    assignments(&run, "part-w01-000001.parquet", "a.parquet", &rows(100));
    drift(&run, Some(3 * SECOND));
    let report = read(&run, Vec::new()).unwrap();
    assert_eq!(report.shares.len(), 2);
    assert_eq!(report.shares[1].from, Position::Row(50));
    assert_eq!(report.shares[1].rows, [(0, 30)]);
    assert_eq!(report.drift[0].at, Position::Row(79), "where its model version was last used");
    assert_eq!(report.confusion, None);
}

#[test]
fn time_is_the_axis_when_workers_share_a_partition() {
    let directory = tempfile::tempdir().unwrap();
    let run = Run::at(directory.path()).unwrap();
    let rows =
        |parity: i64| -> Vec<Row> { (0..50).map(|i| 2 * i + parity).map(|i| (i, Some(i * SECOND), 0, None)).collect() };
    assignments(&run, "part-w00-000001.parquet", "a.parquet", &rows(0));
    assignments(&run, "part-w01-000001.parquet", "a.parquet", &rows(1));
    assert!(matches!(read(&run, Vec::new()).unwrap().shares[0].from, Position::Time(0)));
}

#[test]
fn rows_are_the_axis_without_event_time() {
    let directory = tempfile::tempdir().unwrap();
    let run = Run::at(directory.path()).unwrap();
    let rows: Vec<Row> = (0..10).map(|i| (1_000 + i, None, 0, None)).collect();
    assignments(&run, "part-w00-000001.parquet", "topic", &rows);
    let report = read(&run, Vec::new()).unwrap();
    assert_eq!(report.shares[0].from, Position::Row(0));
    assert_eq!(report.shares[0].rows, [(0, 10)]);
}

#[test]
fn a_run_that_has_written_nothing_is_an_empty_report() {
    let directory = tempfile::tempdir().unwrap();
    let report = read(&Run::at(directory.path()).unwrap(), Vec::new()).unwrap();
    assert_eq!(figure(&report, "rows assigned"), "0");
    assert!(report.shares.is_empty() && report.drift.is_empty() && report.confusion.is_none());
    assert!(super::super::render(&report).contains("No rows have been assigned yet"));
}

#[test]
fn ignored_labels_of_points_are_dropped_and_others_get_their_names() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = Run::at(directory.path()).unwrap();
    run.label_names.insert("3".to_owned(), "sit".to_owned());
    let point = |label: &str| Point { x: 0.0, y: 0.0, cluster: 0, label: Some(label.to_owned()) };
    let scatter = read(&run, vec![point("-1"), point("3"), point("4")]).unwrap().scatter;
    let labels: Vec<Option<&str>> = scatter.iter().map(|point| point.label.as_deref()).collect();
    assert_eq!(labels, [None, Some("sit"), Some("4")]);
}

#[test]
fn what_cannot_be_read_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let missing = Run::at(&directory.path().join("nowhere")).unwrap_err().to_string();
    assert!(missing.starts_with("no run in") && missing.contains("nowhere"), "{missing}");

    let run = Run::at(directory.path()).unwrap();
    write(&run.assignments, "part-w00-000001.parquet", vec![("source", Arc::new(Int32Array::from(vec![1])))]);
    let wrong = read(&run, Vec::new()).unwrap_err().to_string();
    assert!(wrong.contains("column `source`") && wrong.contains("expected Utf8"), "{wrong}");

    fs::write(run.assignments.join("part-w00-000001.parquet"), "no parquet").unwrap();
    let torn = read(&run, Vec::new()).unwrap_err().to_string();
    assert!(torn.contains("part-w00-000001.parquet"), "{torn}");
}

#[test]
fn labels_are_found_by_where_a_row_came_from() {
    let directory = tempfile::tempdir().unwrap();
    let run = Run::at(directory.path()).unwrap();
    assignments(&run, "part-w00-000001.parquet", "a.parquet", &[(0, None, 0, Some(3)), (1, None, 0, None)]);
    assignments(&run, "part-w01-000001.parquet", "b.parquet", &[(0, None, 0, Some(4))]);
    let place = |source: &str, partition, offset| Coordinates { source: source.into(), partition, offset };
    let places = [
        place("b.parquet", 0, 0),
        place("a.parquet", 0, 0),
        place("a.parquet", 0, 1),
        place("a.parquet", 0, 2),
        place("a.parquet", 1, 0),
        place("a.parquet", 0, 0),
    ];
    let three = Some("3".to_owned());
    assert_eq!(labels(&run, &places).unwrap(), [Some("4".to_owned()), three.clone(), None, None, None, three]);
}
