//! One line, one seed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;

use super::data::Data;
use super::order::Order;
use super::picture::Embedded;
use super::suite::Line;
use crate::config::Plan;
use crate::data::{Coordinates, ScaleMethod};
use crate::error::Error;
use crate::flow::FlowError;
use crate::learner::{Assignment, Fit, Frozen, Learner, Nursery, Part, Portrait, Rows, Scaler, Settings};
use crate::network;
use crate::pipeline;
use crate::replica::{Arrival, Output, Replica, ReplicaError, Step};
use crate::stats::{Contingency, normalised_entropy};

/// What one seed of a line came to; shares of 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// Rows.
    pub rows: u64,
    /// Those with a label.
    pub scored: u64,
    /// Accuracy of the last model.
    pub acc: f64,
    /// Normalised mutual information, mean of the entropies.
    pub nmi_arithmetic: f64,
    /// Normalised mutual information, larger entropy.
    pub nmi_max: f64,
    /// Adjusted Rand index.
    pub ari: f64,
    /// Normalised entropy of the clusters.
    pub ne: f64,
    /// That of the classes.
    pub ne_labels: f64,
    /// Accuracy of what was said of rows before they were learned from, the warm-up left out.
    pub prequential: Option<f64>,
    /// The same over the later half of the stream.
    pub second_half: Option<f64>,
    /// Gradient steps; those of challengers are not counted.
    pub steps: u64,
    /// Time of learning; reading and scoring are not counted.
    pub seconds: f64,
}

/// Fits a line anew and scores it on all rows of its data; also what it made of them.
pub(super) fn measure(line: &Line, data: &Data, plan: &Plan, seed: u64) -> Result<(Score, Embedded), Error> {
    let settings = Settings { seed, ..pipeline::taught_settings(plan)? };
    match (&line.baseline, line.order) {
        (Some(_), _) => Ok(baseline(line, data, &settings)),
        (None, None) => at_once(line, data, &settings),
        (None, Some(order)) => streamed(data, &settings, order),
    }
}

/// Agreement of clusters with classes.
fn scored(data: &Data, clusters: &[u32], settings: &Settings) -> Score {
    let labelled = || clusters.iter().zip(&data.classes).filter_map(|(cluster, class)| Some((*cluster, (*class)?)));
    let table: Contingency<u32, u32> = labelled().collect();
    let mut sizes = vec![0; settings.model.clusters];
    labelled().for_each(|(cluster, _)| sizes[cluster as usize] += 1);
    let mut classes = vec![0; data.class_names.len()];
    labelled().for_each(|(_, class)| classes[class as usize] += 1);
    Score {
        rows: clusters.len() as u64,
        scored: table.rows(),
        acc: table.accuracy(),
        nmi_arithmetic: table.nmi_arithmetic(),
        nmi_max: table.nmi_max(),
        ari: table.ari(),
        ne: normalised_entropy(&sizes),
        ne_labels: normalised_entropy(&classes),
        ..Score::default()
    }
}

fn baseline(line: &Line, data: &Data, settings: &Settings) -> (Score, Embedded) {
    let mut numbers = BTreeMap::new();
    let keyed: Vec<(u32, &[f32])> = data
        .arrivals
        .iter()
        .map(|Arrival { row, .. }| {
            let next = numbers.len() as u32;
            (*numbers.entry(&row.key).or_insert(next), &row.features[..])
        })
        .collect();
    let width = keyed.first().map_or(0, |(_, row)| row.len());
    let mut rows = Vec::with_capacity(keyed.len() * width);
    if settings.scale.method == ScaleMethod::None {
        keyed.iter().for_each(|(_, row)| rows.extend_from_slice(row));
    } else {
        let scaler = Scaler::new(settings.scale.clone(), &keyed);
        keyed.iter().for_each(|(key, row)| scaler.scale(*key, row, &mut rows));
    }
    let start = Instant::now();
    let Some(baseline) = &line.baseline else { return (Score::default(), Embedded::default()) };
    let clusters = baseline.labels(&rows, width, settings.model.clusters, settings.seed);
    let seconds = start.elapsed().as_secs_f64();
    let score = Score { seconds, ..scored(data, &clusters, settings) };
    (score, Embedded { classes: data.classes.clone(), embeddings: rows, width })
}

fn at_once(line: &Line, data: &Data, settings: &Settings) -> Result<(Score, Embedded), Error> {
    let rows = Rows::from_arrivals(data.arrivals.clone())?;
    let start = Instant::now();
    let fit = Fit::of(settings, line.neighbours.then_some(settings.nearness));
    let model = fit.run_own(&rows, settings.objective(rows.width()))?;
    let seconds = start.elapsed().as_secs_f64();
    for (figure, value) in model.figures(&rows)? {
        tracing::info!(method = line.method, data = line.data, seed = settings.seed, figure, value, "in the end");
    }
    let Assignment { clusters, embeddings, width, .. } = model.assign(&rows)?;
    let steps = settings.learning.warmup_steps as u64;
    let score = Score { seconds, steps, ..scored(data, &clusters, settings) };
    Ok((score, Embedded { classes: data.classes.clone(), embeddings, width }))
}

/// One pass over the rows as a pipeline with one worker makes it, then all rows through the last model.
fn streamed(data: &Data, settings: &Settings, order: Order) -> Result<(Score, Embedded), Error> {
    let keys: Vec<&str> = data.arrivals.iter().map(|arrival| &*arrival.row.key).collect();
    let order = order.of(&keys, settings.seed);
    let stream: Vec<Arrival> = order.iter().zip(0..).map(|(row, place)| placed(&data.arrivals[*row], place)).collect();
    let (settings, device) = (Arc::new(settings.clone()), network::open(settings.backend));
    let device = device.map_err(|error| ReplicaError::Model(error.to_string())).map_err(FlowError::Replica)?;
    let start = Instant::now();
    let mut learner = Learner::new(Arc::clone(&settings), Part::WHOLE, Nursery::default(), device);
    let mut said: Vec<(u32, Option<u32>)> = Vec::with_capacity(stream.len());
    let mut note = |output: Output| {
        let fresh = output.assigned.iter().filter(|row| !row.warmup);
        said.extend(fresh.map(|row| (row.cluster, data.classes[order[row.arrival.row.sequence as usize]])));
    };
    for rows in stream.chunks(settings.learning.chunk_rows) {
        learner.begin(rows.to_vec());
        note(settle(&mut learner)?);
    }
    learner.end();
    note(settle(&mut learner)?);
    let seconds = start.elapsed().as_secs_f64();
    let updates = learner.status().model_version.max(1) as u64 - 1;
    let steps = settings.learning.warmup_steps as u64 + updates * settings.learning.steps as u64;
    let mut frozen = Frozen::new(learner).map_err(FlowError::Replica)?;
    frozen.begin(data.arrivals.clone());
    let last: Vec<u32> = settle(&mut frozen)?.assigned.iter().map(|row| row.cluster).collect();
    let accuracy = |rows: &[(u32, Option<u32>)]| {
        let table: Contingency<u32, u32> =
            rows.iter().filter_map(|(cluster, class)| Some((*cluster, (*class)?))).collect();
        (table.rows() > 0).then(|| table.accuracy())
    };
    let (prequential, second_half) = (accuracy(&said), accuracy(&said[said.len() / 2..]));
    let score = Score { prequential, second_half, seconds, steps, ..scored(data, &last, &settings) };
    let Portrait { coordinates, embeddings, width, .. } = frozen.portrait();
    let rows = data.arrivals.iter().map(|arrival| &arrival.row.coordinates).zip(&data.classes);
    let classes: BTreeMap<&Coordinates, Option<u32>> = rows.map(|(row, class)| (row, *class)).collect();
    let classes = coordinates.iter().map(|row| classes.get(row).copied().flatten()).collect();
    Ok((score, Embedded { classes, embeddings, width }))
}

/// The row as the `place`-th of a stream.
fn placed(arrival: &Arrival, place: u64) -> Arrival {
    let mut row = arrival.row.as_ref().clone();
    row.sequence = place;
    Arrival { row: Arc::new(row), extras: arrival.extras.clone() }
}

/// Goes on until the epoch is finished; a single worker's part is the total.
fn settle(replica: &mut dyn Replica) -> Result<Output, Error> {
    let mut total = None;
    while let Step::Exchange(own) = replica.advance(total.take()).map_err(FlowError::Replica)? {
        total = Some(own);
    }
    Ok(replica.take())
}
