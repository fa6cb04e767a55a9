//! The featuriser for raw readings.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::Field;

use super::super::check::Window;
use super::super::columns::{FeatureColumns, Flaw, Identity, Scalars, column, keep_type, scalars};
use super::super::error::FeatureError;
use super::super::missing::Imputer;
use super::super::{DeadLetter, Features, Featurize, Minibatch, Missing, Records, Statistics, owner};
use super::cut::Shape;
use super::held::{self, Held};
use super::labels::{Labels, NO_LABEL};
use super::reorder::{Kept, Reorder, Stamp};
use super::run::{Cutter, Run, Windows};
use super::snapshot::{KIND, OpenRun, Snapshot, columns_from_bytes, columns_to_bytes};

/// Cuts raw readings into windows: every reading is in a window, a dead letter, or counted as unwindowed.
///
/// A row carries the coordinates, sequence and event time of its last reading and the kept columns of that reading. Its
/// series is the value of the series column; without one, a pause of more than `max_gap_s` ends a series, and the row has
/// the running number of the series within its key, from 0. Without a time column readings count as evenly spaced.
///
/// A change of the series column ends the old series, even if the old value comes back later; event time may start anew.
/// Readings that are rejected are left out as if they had never been: a hole longer than `max_gap_s` splits the series,
/// a shorter one is closed. Means for [`Missing::Mean`] are over all readings of this worker.
pub struct WindowFeaturizer {
    features: Arc<Features>,
    cutter: Cutter,
    imputer: Imputer,
    widths: Vec<Option<usize>>,
    runs: Vec<Run>,
    places: HashMap<Arc<str>, usize>,
    labels: Labels,
    held: Held,
    label_fields: Vec<Field>,
    kept_fields: Vec<Field>,
}

/// The columns of one batch.
struct Bound<'a> {
    readings: FeatureColumns<'a>,
    identity: Identity<'a>,
    label: Option<(&'a ArrayRef, Box<dyn Scalars + 'a>)>,
    batch: u32,
}

/// What was read of the row before, so that runs of equal values are not looked up again.
#[derive(Default)]
struct Cursor {
    row: Option<usize>,
    run: usize,
    label_row: Option<usize>,
    label: u32,
    key: String,
    series: String,
    values: Vec<f32>,
}

impl WindowFeaturizer {
    /// A fresh featuriser.
    pub fn new(features: Features, window: Window) -> Self {
        let axes = 3 * window.sensors().len();
        let cutter = Cutter {
            shape: Shape { length: window.length(), hop: window.hop(), axes },
            lateness_ns: window.lateness_ns(),
            max_gap_ns: if features.series().is_some() { None } else { Some(features.max_gap_ns()) },
            label_share: window.label_share(),
            statistics: Statistics::new(window.sensors().len(), window.length(), window.rate_hz()),
            released: vec![0.0; axes],
            waiting: 0,
            windows: Windows::default(),
        };
        Self {
            imputer: Imputer::new(features.missing()),
            widths: vec![Some(1); axes],
            features: Arc::new(features),
            cutter,
            runs: Vec::new(),
            places: HashMap::new(),
            labels: Labels::default(),
            held: Held::default(),
            label_fields: Vec::new(),
            kept_fields: Vec::new(),
        }
    }

    fn readings(&mut self, records: &Records, rejected: &mut Vec<DeadLetter>) -> Result<(), FeatureError> {
        let features = Arc::clone(&self.features);
        let bound = self.bind(records, &features)?;
        let mut cursor = Cursor::default();
        for row in records.indices() {
            let mut time = None;
            if let Err(flaw) = self.reading(records, row, &bound, &mut cursor, &mut time) {
                let time = time.or_else(|| bound.identity.time(row).ok().flatten());
                rejected.push(flaw.dead_letter(records, row, &cursor.key, time));
            }
        }
        Ok(())
    }

    fn bind<'a>(&mut self, records: &'a Records, features: &'a Features) -> Result<Bound<'a>, FeatureError> {
        let batch = &records.batch;
        let readings = FeatureColumns::bind(batch, features.columns())?;
        let identity = Identity::bind(batch, features)?;
        let label = match features.label() {
            None => None,
            Some(name) => {
                let array = column(batch, name)?;
                keep_type(&mut self.label_fields, 0, "label", array.as_ref())?;
                let wrong = || FeatureError::WrongType {
                    key: "features.label",
                    column: name.to_owned(),
                    found: array.data_type().clone(),
                    wanted: "a scalar column is needed",
                };
                Some((array, scalars(array.as_ref()).ok_or_else(wrong)?))
            }
        };
        let mut kept = Vec::with_capacity(features.keep().len());
        // Types are learned from whole batches only: a snapshot names all kept columns or none.
        let mut fields = self.kept_fields.clone();
        for (place, name) in features.keep().iter().enumerate() {
            let array = column(batch, name)?;
            keep_type(&mut fields, place, name, array.as_ref())?;
            kept.push(Arc::clone(array));
        }
        self.kept_fields = fields;
        Ok(Bound { readings, identity, label, batch: self.held.add(kept) })
    }

    fn reading(
        &mut self,
        records: &Records,
        row: usize,
        bound: &Bound<'_>,
        cursor: &mut Cursor,
        time: &mut Option<i64>,
    ) -> Result<(), Flaw> {
        let identity = &bound.identity;
        let before = cursor.row.take();
        let same_key = before.is_some_and(|before| identity.same_key(before, row));
        if !same_key {
            identity.key(row, &mut cursor.key)?;
        }
        *time = identity.time(row)?;
        if !before.is_some_and(|before| identity.same_series(before, row)) {
            identity.series(row, &mut cursor.series)?;
        }
        cursor.values.clear();
        let strict = self.features.missing() == Missing::Reject;
        bound.readings.read(row, &mut self.widths, strict, &mut cursor.values)?;
        let label = self.label(bound, cursor, row)?;
        if !same_key {
            cursor.run = self.run(&cursor.key, &cursor.series);
        }
        let run = &mut self.runs[cursor.run];
        if self.cutter.max_gap_ns.is_none() && *run.series != *cursor.series {
            run.change_series(&cursor.series, &mut self.cutter);
        }
        cursor.row = Some(row);
        run.observe(*time, self.cutter.lateness_ns)?;
        self.imputer.fill(&mut cursor.values);
        let stamp = Stamp {
            source: Arc::clone(&records.source),
            partition: records.partition,
            offset: records.offset(row),
            sequence: records.first_sequence + row as u64,
            time: *time,
            label,
            kept: Kept { batch: bound.batch, row: row as u32 },
        };
        run.take(stamp, &cursor.values, &mut self.cutter);
        Ok(())
    }

    fn label(&mut self, bound: &Bound<'_>, cursor: &mut Cursor, row: usize) -> Result<u32, Flaw> {
        let Some((array, scalars)) = &bound.label else { return Ok(NO_LABEL) };
        if scalars.is_null(row) {
            return Ok(NO_LABEL);
        }
        if !cursor.label_row.is_some_and(|before| scalars.same(before, row)) {
            cursor.label = self
                .labels
                .number(array, scalars.as_ref(), row)
                .map_err(|error| Flaw::new("label", format!("the label cannot be kept: {error}")))?;
        }
        cursor.label_row = Some(row);
        Ok(cursor.label)
    }

    fn run(&mut self, key: &str, series: &str) -> usize {
        if let Some(&place) = self.places.get(key) {
            return place;
        }
        let run = Run::new(key, series, self.cutter.max_gap_ns.is_some());
        self.places.insert(Arc::clone(&run.key), self.runs.len());
        self.runs.push(run);
        self.runs.len() - 1
    }

    /// Puts the windows made so far into order and lets go of what nothing points at any more.
    fn collect(&mut self, out: &mut Minibatch) {
        let windows = std::mem::take(&mut self.cutter.windows);
        let mut order: Vec<usize> = (0..windows.rows.len()).collect();
        order.sort_unstable_by_key(|&place| windows.rows[place].sequence);
        out.rows = order.iter().map(|&place| Arc::clone(&windows.rows[place])).collect();
        out.unwindowed = windows.unwindowed;
        if !order.is_empty() {
            let mut columns = Vec::new();
            if let Some(field) = self.label_fields.first() {
                let labels: Vec<u32> = order.iter().map(|&place| windows.labels[place]).collect();
                columns.push(self.labels.column(field.data_type(), &labels));
            }
            let kept: Vec<Kept> = order.iter().map(|&place| windows.kept[place]).collect();
            columns.extend(self.held.gather(&self.kept_fields, &kept));
            let fields: Vec<Field> = self.label_fields.iter().chain(&self.kept_fields).cloned().collect();
            out.extras = held::batch(&fields, columns);
        }
        self.let_go();
    }

    fn let_go(&mut self) {
        if self.held.wasteful(self.cutter.waiting) {
            let waiting: Vec<Kept> =
                self.runs.iter_mut().flat_map(|run| run.waiting.kept_mut()).map(|kept| *kept).collect();
            let columns = self.held.gather(&self.kept_fields, &waiting);
            self.held.replace(columns);
            let places = self.runs.iter_mut().flat_map(|run| run.waiting.kept_mut());
            for (row, kept) in places.enumerate() {
                *kept = Kept { batch: 0, row: row as u32 };
            }
        }
    }
}

impl Featurize for WindowFeaturizer {
    fn featurize(&mut self, records: &Records) -> Minibatch {
        let mut out = Minibatch { input_rows: records.len() as u64, ..Minibatch::default() };
        if let Err(error) = self.readings(records, &mut out.rejected) {
            out.rejected = Flaw::new("schema", error.to_string()).dead_letters(records);
        }
        self.collect(&mut out);
        out
    }

    fn finish(&mut self) -> Minibatch {
        for run in &mut self.runs {
            run.end(&mut self.cutter);
        }
        self.runs.clear();
        self.places.clear();
        let mut out = Minibatch::default();
        self.collect(&mut out);
        out
    }

    fn snapshot(&self) -> Vec<u8> {
        let mut runs: Vec<&Run> = self.runs.iter().collect();
        runs.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        let axes = self.cutter.shape.axes;
        let mut waiting = Vec::new();
        let mut open = Vec::with_capacity(runs.len());
        for run in runs {
            let mut stamps = Vec::new();
            let mut values = Vec::new();
            for (stamp, reading) in run.waiting.iter(axes) {
                let mut stamp = stamp.clone();
                let kept = Kept { batch: 0, row: waiting.len() as u32 };
                waiting.push(std::mem::replace(&mut stamp.kept, kept));
                stamps.push(stamp);
                values.extend_from_slice(reading);
            }
            open.push(OpenRun {
                key: Arc::clone(&run.key),
                series: Arc::clone(&run.series),
                number: run.number,
                newest: run.newest,
                last: run.last,
                cut: run.cut.clone(),
                stamps,
                values,
            });
        }
        let labels = self.label_fields.first().map(|field| self.labels.values(field.data_type()));
        let labels = columns_to_bytes(&self.label_fields, labels.into_iter().collect());
        let held = columns_to_bytes(&self.kept_fields, self.held.gather(&self.kept_fields, &waiting));
        let shape = self.cutter.shape;
        let imputer = self.imputer.clone();
        let snapshot = Snapshot { kind: KIND.to_owned(), shape, imputer, labels, held, runs: open };
        postcard::to_allocvec(&snapshot).expect("numbers and short texts always serialise")
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), String> {
        let snapshot: Snapshot =
            postcard::from_bytes(snapshot).map_err(|error| format!("not a snapshot of windows: {error}"))?;
        let shape = self.cutter.shape;
        if snapshot.kind != KIND {
            return Err(format!("the snapshot is of kind `{}`, `{KIND}` is needed", snapshot.kind));
        }
        if snapshot.shape != shape {
            return Err(format!("the snapshot is of windows of {:?}, the pipeline has {shape:?}", snapshot.shape));
        }
        if snapshot.imputer.policy() != self.features.missing() {
            return Err("`features.missing` is not what it was when the snapshot was taken".to_owned());
        }
        let (label_fields, labels) = columns_from_bytes(&snapshot.labels)?;
        let labels = Labels::from_values(labels.into_iter().next())?;
        let (kept_fields, kept) = columns_from_bytes(&snapshot.held)?;
        let waiting = snapshot.runs.iter().map(|run| run.stamps.len()).sum();
        let same_columns = kept_fields.iter().map(Field::name).eq(self.features.keep());
        if !same_columns && (waiting > 0 || !kept_fields.is_empty()) {
            return Err("`features.keep` is not what it was when the snapshot was taken".to_owned());
        }
        let mut held = Held::default();
        held.replace(kept);
        let mut runs = Vec::with_capacity(snapshot.runs.len());
        for open in snapshot.runs {
            let sound = open.values.len() == open.stamps.len() * shape.axes
                && open.cut.sound(shape, |label| labels.knows(label))
                && open.stamps.iter().all(|stamp| labels.knows(stamp.label) && held.knows(stamp.kept));
            if !sound {
                return Err(format!("the snapshot contradicts itself in key `{}`", open.key));
            }
            let mut waiting = Reorder::default();
            for (stamp, values) in open.stamps.into_iter().zip(open.values.chunks_exact(shape.axes)) {
                waiting.insert(stamp, values);
            }
            let OpenRun { key, series, number, newest, last, cut, .. } = open;
            runs.push(Run { key, series, number, newest, last, cut, waiting });
        }
        self.places = runs.iter().enumerate().map(|(place, run)| (Arc::clone(&run.key), place)).collect();
        self.imputer = snapshot.imputer;
        self.cutter.windows = Windows::default();
        self.cutter.waiting = waiting;
        self.runs = runs;
        self.labels = labels;
        self.held = held;
        self.label_fields = label_fields;
        self.kept_fields = kept_fields;
        Ok(())
    }

    fn owners(&self, records: &Records, peers: usize) -> Option<Vec<u32>> {
        let Ok(identity) = Identity::key_only(&records.batch, &self.features) else {
            // Whoever takes them rejects them.
            return Some(vec![0; records.len()]);
        };
        let mut owners = Vec::with_capacity(records.len());
        let mut key = String::new();
        let mut before: Option<usize> = None;
        for row in records.indices() {
            let same = before.is_some_and(|before| identity.same_key(before, row));
            match owners.last() {
                Some(&owner) if same => owners.push(owner),
                _ => {
                    // A row without a key is a dead letter wherever it goes.
                    let named = identity.key(row, &mut key).is_ok();
                    before = named.then_some(row);
                    owners.push(if named { owner(&key, peers) } else { 0 });
                }
            }
        }
        Some(owners)
    }

    fn width(&self) -> usize {
        self.cutter.statistics.width()
    }
}
