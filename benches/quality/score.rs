//! What is measured of a run, and its spread over seeds.

use arrow_array::RecordBatch;
use evenkeel::stats::random::stream;
use evenkeel::stats::{Contingency, kmeans, normalised_entropy};

use super::support::program::Assigned;
use super::support::stream;

/// One seed of one line of the table.
#[derive(Clone, Copy, Debug, Default)]
pub struct Score {
    /// Accuracy of what the run wrote, rows of the warm-up left out.
    pub prequential: Option<f64>,
    /// The same over the second half of these rows.
    pub second_half: Option<f64>,
    /// Of the last model over all rows.
    pub accuracy: f64,
    pub nmi: f64,
    pub nmi_max: f64,
    pub ari: f64,
    /// Normalised entropy of the clusters' sizes.
    pub entropy: f64,
    /// That of the classes.
    pub true_entropy: f64,
    pub seconds: f64,
}

type Table = Contingency<i32, i32>;

/// Labels from 0 to `classes` are scored, others are not: HAPT numbers the transitions between its activities on from there.
fn table<'a>(rows: impl IntoIterator<Item = &'a Assigned>, classes: usize) -> Table {
    let scored = 0..classes as i32;
    let labelled =
        rows.into_iter().filter_map(|row| Some((row.cluster, row.label.filter(|label| scored.contains(label))?)));
    labelled.collect()
}

impl Score {
    /// `last`: all rows through the last model.
    pub fn of(last: &[Assigned], classes: usize, seconds: f64) -> Self {
        Self::agreement(&table(last, classes), seconds)
    }

    fn agreement(last: &Table, seconds: f64) -> Self {
        Self {
            accuracy: last.accuracy(),
            nmi: last.nmi_arithmetic(),
            nmi_max: last.nmi_max(),
            ari: last.ari(),
            entropy: normalised_entropy(&last.cluster_sizes()),
            true_entropy: normalised_entropy(&last.label_sizes()),
            seconds,
            ..Self::default()
        }
    }

    /// Adds what the run itself wrote, each part with one map from clusters to classes.
    pub fn with_stream(mut self, written: &[Assigned], classes: usize) -> Self {
        let fresh: Vec<&Assigned> = written.iter().filter(|row| !row.warmup).collect();
        // After several passes every row had been seen before it was emitted.
        if !fresh.is_empty() {
            self.prequential = Some(table(fresh.iter().copied(), classes).accuracy());
            self.second_half = Some(table(fresh[fresh.len() / 2..].iter().copied(), classes).accuracy());
        }
        self
    }
}

/// How rows are brought to one scale before k-means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// As they come.
    None,
    /// Mean 0 and deviation 1 within each device (over all rows if there is no key).
    Standard,
}

/// k-means over the whole set: five starts, k-means++ seeds, Lloyd.
pub fn k_means(rows: &RecordBatch, devices: &[usize], clusters: usize, scale: Scale, seed: u64) -> Score {
    let started = std::time::Instant::now();
    let (mut features, width) = stream::features(rows);
    if scale == Scale::Standard {
        standardise(&mut features, width, devices);
    }
    let solution = kmeans::fit(&features, width, clusters, 5, &mut stream_of(seed));
    let labels = stream::integers(rows, "label");
    let pairs = solution.labels.iter().zip(&labels).filter(|(_, label)| **label >= 0);
    let table: Table = pairs.map(|(cluster, label)| (*cluster as i32, *label)).collect();
    Score::agreement(&table, started.elapsed().as_secs_f64())
}

fn stream_of(seed: u64) -> rand_chacha::ChaCha8Rng {
    stream(seed, "k-means", 0)
}

fn standardise(features: &mut [f32], width: usize, devices: &[usize]) {
    let count = devices.iter().max().map_or(0, |most| most + 1);
    let (mut rows, mut sums, mut squares) = (vec![0.0f64; count], vec![0.0; count * width], vec![0.0; count * width]);
    for (row, device) in features.chunks_exact(width).zip(devices) {
        rows[*device] += 1.0;
        for (d, x) in row.iter().enumerate() {
            sums[device * width + d] += f64::from(*x);
            squares[device * width + d] += f64::from(*x) * f64::from(*x);
        }
    }
    for (row, device) in features.chunks_exact_mut(width).zip(devices) {
        for (d, x) in row.iter_mut().enumerate() {
            let mean = sums[device * width + d] / rows[*device];
            let variance = squares[device * width + d] / rows[*device] - mean * mean;
            *x = ((f64::from(*x) - mean) / variance.max(1e-12).sqrt()) as f32;
        }
    }
}

/// `mean ± deviation` of hundredths, as a cell.
pub fn spread(values: impl IntoIterator<Item = Option<f64>>) -> String {
    let Some(values) = values.into_iter().collect::<Option<Vec<f64>>>() else { return "".to_owned() };
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    if values.len() < 2 {
        return format!("{:.1}", 100.0 * mean);
    }
    let square = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64;
    format!("{:.1} ± {:.1}", 100.0 * mean, 100.0 * square.sqrt())
}
