//! The monitor: rows in, events out.

use serde::{Deserialize, Serialize};

use super::super::all_finite;
use super::features::Features;
use super::threshold::{Track, deviations};
use super::window::Window;
use super::{CALIBRATION_ROWS, CHECK_ROWS, DriftParameters, Event, REPORT_CHECKS, Score, Signal};

/// What the rows looked like to the reference encoder when it was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// Share of the rows per cluster.
    pub shares: Vec<f64>,
    /// Mean embedding per cluster, `[clusters, width]`.
    pub centroids: Vec<f32>,
    /// Mean embedding, `[width]`.
    pub mean: Vec<f32>,
    /// Standard deviation of the embedding, `[width]`.
    pub deviation: Vec<f32>,
    /// Mean reconstruction error; scores are relative to it.
    pub reconstruction: f64,
}

/// One assigned row.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// Event time in nanoseconds since the epoch, UTC.
    pub event_time: Option<i64>,
    /// The cluster it was given.
    pub cluster: u32,
    /// Its reconstruction error.
    pub reconstruction: f32,
    /// Its embedding by the reference encoder.
    pub embedding: &'a [f32],
    /// Squared residual of the reconstruction per feature; empty if unknown. Only used to name features.
    pub residuals: &'a [f32],
}

/// Watches a stream for drift; see the [module](super).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Monitor {
    alarm_budget_per_day: f64,
    clusters: usize,
    width: usize,
    reference: Option<Reference>,
    /// Rows since the reference.
    rows: u64,
    /// Rows that could not be used.
    ignored: u64,
    /// Earliest and latest event time since the reference.
    span: Option<(i64, i64)>,
    window: Window,
    tracks: [Track; 4],
    shifts: Vec<f64>,
    features: Features,
}

impl Monitor {
    /// A monitor for `clusters` clusters and embeddings of `embedding_width` numbers; silent until it has a reference.
    pub fn new(parameters: &DriftParameters, clusters: usize, embedding_width: usize) -> Self {
        Self {
            alarm_budget_per_day: parameters.alarm_budget_per_day,
            clusters,
            width: embedding_width,
            reference: None,
            rows: 0,
            ignored: 0,
            span: None,
            window: Window::default(),
            tracks: Signal::ALL.map(Track::new),
            shifts: vec![0.0; clusters],
            features: Features::default(),
        }
    }

    /// Starts over with a new reference encoder: windows are emptied and a new calibration begins.
    pub fn reference(&mut self, reference: &Reference) {
        let of_width = reference.mean.len() == self.width && reference.deviation.len() == self.width;
        assert!(
            of_width && reference.centroids.len() == self.clusters * self.width,
            "a reference has the model's widths"
        );
        assert!(reference.shares.len() == self.clusters, "a reference has one share per cluster");
        self.reference = Some(reference.clone());
        self.rows = 0;
        self.span = None;
        self.window = Window::default();
        self.tracks.iter_mut().for_each(Track::restart);
        self.shifts.fill(0.0);
        self.features = Features::default();
    }

    /// Takes in rows in stream order, in groups of any size, and returns what there is to report.
    ///
    /// Rows before the first reference are passed over. So are rows with values that are not finite; they are counted in
    /// [`ignored`](Self::ignored).
    pub fn observe(&mut self, rows: &[Observation<'_>], model_version: i64) -> Vec<Event> {
        let mut events = Vec::new();
        let Some(reference) = self.reference.take() else { return events };
        for row in rows {
            assert!(row.embedding.len() == self.width, "an embedding has the model's width");
            assert!((row.cluster as usize) < self.clusters, "a row is in one of the model's clusters");
            if !row.reconstruction.is_finite() || !all_finite(row.embedding) || !all_finite(row.residuals) {
                self.ignored += 1;
                continue;
            }
            self.rows += 1;
            if let Some(time) = row.event_time {
                let (first, last) = self.span.unwrap_or((time, time));
                self.span = Some((first.min(time), last.max(time)));
            }
            self.window.push(row);
            self.features.push(row.residuals, self.rows <= CALIBRATION_ROWS);
            if self.rows.is_multiple_of(CHECK_ROWS) && self.window.full() {
                self.check(&reference, row.event_time, model_version, &mut events);
            }
        }
        self.reference = Some(reference);
        events
    }

    fn check(&mut self, reference: &Reference, event_time: Option<i64>, model_version: i64, events: &mut Vec<Event>) {
        let normal = if reference.reconstruction > 0.0 { reference.reconstruction } else { 1.0 };
        let (centroid, moved) = self.window.centroid(reference, &mut self.shifts);
        let scores = [
            Some((self.window.reconstruction() / normal, None)),
            self.window.shares(reference).map(|(score, cluster)| (score, Some(cluster))),
            Some((centroid, Some(moved))),
            Some((self.window.embedding(reference), None)),
        ];
        let report = (self.rows / CHECK_ROWS).is_multiple_of(REPORT_CHECKS);
        let z = deviations(self.alarm_budget_per_day, self.rows_per_second());
        for (track, score) in self.tracks.iter_mut().zip(scores) {
            let Some((score, cluster)) = score else { continue };
            let alarm = track.check(score, self.rows, z);
            if alarm || report {
                events.push(Event {
                    event_time,
                    signal: track.score().signal,
                    score,
                    threshold: track.score().threshold,
                    alarm,
                    cluster,
                    top_features: if alarm { self.features.worst() } else { Vec::new() },
                    model_version,
                });
            }
        }
    }

    /// How fast rows come in event time; one a second where that is unknown.
    fn rows_per_second(&self) -> f64 {
        match self.span {
            Some((first, last)) if last > first => self.rows as f64 / ((last as f64 - first as f64) * 1e-9),
            _ => 1.0,
        }
    }

    /// The present state of every signal.
    pub fn scores(&self) -> [Score; 4] {
        self.tracks.each_ref().map(Track::score)
    }

    /// Distance of each cluster's recent rows from its reference centroid; that of a cluster without recent rows is the
    /// last one known, 0 at first.
    pub fn centroid_shifts(&self) -> &[f64] {
        &self.shifts
    }

    /// Mean reconstruction error of the window, as given; 0 before the first row.
    pub fn reconstruction(&self) -> f64 {
        self.window.reconstruction()
    }

    /// Whether every signal is still being calibrated, so that no alarm is possible.
    pub fn calibrating(&self) -> bool {
        self.scores().iter().all(|score| score.threshold.is_none())
    }

    /// Rows passed over because a value was not finite.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }
}
