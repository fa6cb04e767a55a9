//! Learner, frozen model, reader and featuriser, each alone on one thread.

use std::path::Path;
use std::sync::Arc;

use evenkeel::connector::{Pace, ParquetCatalog, ParquetSource, ParquetSourceParameters, Polled, Share, Source};
use evenkeel::data::{FeatureParameters, Records, Row, WindowParameters};
use evenkeel::learner::{Frozen, Learner, Nursery, Part};
use evenkeel::network::{Backend, open};

use super::support::replica::{feed, settings};
use super::{line, timed};

/// All records of a file, read as a frozen run would.
fn read(path: &Path, parameters: &FeatureParameters) -> Vec<Records> {
    let columns = parameters.clone().check().unwrap().wanted_columns();
    let source = ParquetSourceParameters { paths: vec![path.display().to_string()], batch_rows: 4_096 };
    let catalog = Arc::new(ParquetCatalog::open(&source, &columns).unwrap());
    let alone = Share { index: 0, peers: 1 };
    let mut source = ParquetSource::open(catalog, columns, alone, Pace::Free { rows: 4_096 }).unwrap();
    let mut records = Vec::new();
    for epoch in 0.. {
        match source.read(epoch).unwrap() {
            Polled::Rows(rows) => records.extend(rows),
            Polled::Exhausted | Polled::Pending => break,
        }
    }
    records
}

fn har() -> FeatureParameters {
    FeatureParameters {
        columns: vec!["features".to_owned()],
        key: vec!["subject".to_owned()],
        time: "timestamp_ns".to_owned(),
        ..Default::default()
    }
}

/// Visits per second of the learner and rows per second of the frozen model: 561-256-128-32, 6 clusters.
pub fn learner(data: &Path) {
    let parameters = har();
    let features = parameters.clone().check().unwrap();
    let mut featurize = features.open();
    let records = read(&data.join("har_uci_561_full.parquet"), &parameters);
    let rows: Vec<Arc<Row>> = records.iter().flat_map(|records| featurize.featurize(records).rows).collect();
    let (warm, rest) = rows.split_at(1_000);
    let fresh = |steps| {
        let mut learner =
            Learner::new(Arc::new(settings(6, steps)), Part::WHOLE, Nursery::default(), open(Backend::Flex).unwrap());
        let (seconds, ()) = timed(|| feed(&mut learner, warm, 1_000));
        (seconds, learner)
    };
    // The difference of two fits is steps alone: seating, scaling and the first drift reference cost the same in both.
    let (short, long) = (fresh(100).0, fresh(500));
    line("fresh fit, row visits (each with its share of device prices)", 400.0 * 256.0 / (long.0 - short), "1/s");
    let mut learner = long.1;
    let (seconds, ()) = timed(|| feed(&mut learner, rest, 32));
    // A chunk of 32: one step of 32 fresh and 128 replayed pairs, one of 128 replayed ones.
    let visits = (rest.len() / 32 * 2 * (160 + 128)) as f64;
    line("online updates, row visits (assignment, drift and reservoir included)", visits / seconds, "1/s");
    line("online updates, stream rows", rest.len() as f64 / seconds, "1/s");
    let mut frozen = Frozen::new(learner).unwrap();
    let (seconds, ()) = timed(|| (0..20).for_each(|_| feed(&mut frozen, &rows, 4_096)));
    line("frozen model alone, rows", 20.0 * rows.len() as f64 / seconds, "1/s");
}

/// Rows per second out of Parquet, and readings per second through windows.
pub fn input(data: &Path) {
    let path = data.join("har_uci_561_full.parquet");
    let (seconds, records) =
        timed(|| (0..5).map(|_| read(&path, &har()).iter().map(Records::len).sum::<usize>()).sum::<usize>());
    line("Parquet read, rows of 561 features", records as f64 / seconds, "1/s");
    let sensor = |names: [&str; 3]| names.map(str::to_owned);
    let window = WindowParameters {
        sensors: vec![sensor(["ax", "ay", "az"]), sensor(["wx", "wy", "wz"])],
        rate_hz: 50.0,
        length_s: 2.56,
        hop_s: 1.28,
        lateness_s: 0.0,
        extractor: "statistics".to_owned(),
        label_share: 0.8,
    };
    let parameters = FeatureParameters {
        key: vec!["subject".to_owned(), "side".to_owned()],
        series: "series".to_owned(),
        time: "timestamp_ns".to_owned(),
        window: Some(window),
        ..Default::default()
    };
    let path = data.join("watch_shoulder_raw.parquet");
    let (seconds, records) = timed(|| read(&path, &parameters));
    let readings: usize = records.iter().map(Records::len).sum();
    line("Parquet read, raw readings", readings as f64 / seconds, "1/s");
    let features = parameters.check().unwrap();
    let (seconds, windows) = timed(|| {
        let mut featurize = features.open();
        records.iter().map(|records| featurize.featurize(records).rows.len()).sum::<usize>()
    });
    line("statistics windows, readings", readings as f64 / seconds, "1/s");
    line("statistics windows, windows of 159 features", windows as f64 / seconds, "1/s");
}
