//! What the assignments add up to.

use std::collections::BTreeMap;
use std::fmt;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type,
};
use arrow_array::{Array, StringArray};
use arrow_schema::DataType;

use super::Run;
use super::table::{Batch, Table};
use crate::report::axis::row_step;
use crate::report::{Position, ReportError, SharePoint, time};
use crate::stats::Contingency;

/// Intervals of the shares, at most.
const INTERVALS: i64 = 80;
/// Rows that an interval should have on average, so that its shares mean something.
const INTERVAL_ROWS: u64 = 40;

/// A label as it sorts best: numbers by value, then texts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Label {
    Number(i64),
    Text(String),
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// Counts over all assignments.
#[derive(Debug, Default)]
pub(super) struct Assignments {
    pub(super) rows: u64,
    pub(super) warmup: u64,
    pub(super) outliers: u64,
    /// Rows whose cluster is not the model's own choice.
    pub(super) displaced: u64,
    confidence: f64,
    axis: Axis,
    /// Rows of each interval and cluster; intervals count from the axis' start.
    shares: BTreeMap<(i64, i32), u64>,
    /// Labelled rows after the warm-up.
    labels: BTreeMap<(i32, Label), u64>,
    /// Model version: the last position at which it was used.
    versions: BTreeMap<i64, i64>,
}

/// What positions mean, and how they are cut into intervals.
#[derive(Debug, Default)]
struct Axis {
    time: bool,
    /// First row of each source and partition on the axis of rows, less its first offset.
    base: BTreeMap<(String, i32), i64>,
    /// Where the first interval begins.
    start: i64,
    step: i64,
    /// Positions of the first and of the last row.
    rows: (i64, i64),
}

impl Assignments {
    pub(super) fn read(table: &Table, run: &Run) -> Result<Self, ReportError> {
        let mut extent = Extent::default();
        table.each(&["source", "partition", "offset", "event_time"], |batch| extent.add(batch))?;
        let mut counts = Self { axis: extent.axis(), ..Self::default() };
        let columns = [
            "source",
            "partition",
            "offset",
            "event_time",
            "cluster",
            "natural_cluster",
            "warmup",
            "confidence",
            "outlier",
            "model_version",
            &run.label,
        ];
        table.each(&columns, |batch| counts.add(batch, run))?;
        Ok(counts)
    }

    fn add(&mut self, batch: &Batch<'_>, run: &Run) -> Result<(), ReportError> {
        let places = Places::of(batch)?;
        let (clusters, natural) =
            (batch.numbers::<Int32Type>("cluster")?, batch.numbers::<Int32Type>("natural_cluster")?);
        let (warmup, outliers) = (batch.flags("warmup")?, batch.flags("outlier")?);
        let confidence = batch.numbers::<Float32Type>("confidence")?;
        let versions = batch.numbers::<Int64Type>("model_version")?;
        let labels = batch.column(&run.label).map(|column| labels(batch, &run.label, column)).transpose()?;
        for row in 0..batch.rows() {
            let (at, cluster) = (self.axis.at(&places, row), clusters.value(row));
            self.rows += 1;
            self.warmup += u64::from(warmup.value(row));
            self.outliers += u64::from(outliers.value(row));
            self.displaced += u64::from(natural.value(row) != cluster);
            self.confidence += f64::from(confidence.value(row));
            *self.shares.entry(((at - self.axis.start) / self.axis.step, cluster)).or_default() += 1;
            let used = self.versions.entry(versions.value(row)).or_insert(at);
            *used = at.max(*used);
            let label = labels.as_ref().and_then(|labels| labels[row].as_ref());
            if let Some(label) = label.filter(|label| !warmup.value(row) && !run.ignored.contains(&label.to_string())) {
                *self.labels.entry((cluster, label.clone())).or_default() += 1;
            }
        }
        Ok(())
    }

    pub(super) fn mean_confidence(&self) -> Option<f64> {
        (self.rows > 0).then(|| self.confidence / self.rows as f64)
    }

    /// Rows of each cluster that occurs.
    pub(super) fn sizes(&self) -> BTreeMap<i32, u64> {
        let mut sizes = BTreeMap::new();
        for ((_, cluster), rows) in &self.shares {
            *sizes.entry(*cluster).or_default() += rows;
        }
        sizes
    }

    pub(super) fn contingency(&self) -> Contingency<i32, Label> {
        self.labels.iter().flat_map(|(pair, &rows)| std::iter::repeat_n(pair.clone(), rows as usize)).collect()
    }

    /// The first and the last model version.
    pub(super) fn versions(&self) -> Option<(i64, i64)> {
        Some((*self.versions.first_key_value()?.0, *self.versions.last_key_value()?.0))
    }

    /// The first and the last position.
    pub(super) fn extent(&self) -> Option<(Position, Position)> {
        (self.rows > 0).then(|| (self.axis.position(self.axis.rows.0), self.axis.position(self.axis.rows.1)))
    }

    /// Where an event stands: by its time if that is the axis, else where its model version was last used.
    pub(super) fn position(&self, time: Option<i64>, version: i64) -> Position {
        let used = || self.versions.range(..=version).next_back().map_or(self.axis.start, |(_, at)| *at);
        self.axis.position(time.filter(|_| self.axis.time).unwrap_or_else(used))
    }

    pub(super) fn shares(&self) -> Vec<SharePoint> {
        let mut points: Vec<SharePoint> = Vec::new();
        for (&(interval, cluster), &rows) in &self.shares {
            let from = self.axis.position(self.axis.start + interval * self.axis.step);
            match points.last_mut().filter(|point| point.from == from) {
                Some(point) => point.rows.push((cluster, rows)),
                None => points.push(SharePoint {
                    from,
                    until: self.axis.position(self.axis.start + (interval + 1) * self.axis.step),
                    rows: vec![(cluster, rows)],
                }),
            }
        }
        points
    }
}

impl Axis {
    fn at(&self, places: &Places<'_>, row: usize) -> i64 {
        match places.time(row).filter(|_| self.time) {
            Some(time) => time,
            None => self.base.get(&places.partition(row)).copied().unwrap_or(0) + places.offsets.value(row),
        }
    }

    fn position(&self, at: i64) -> Position {
        if self.time { Position::Time(at) } else { Position::Row(at.max(0) as u64) }
    }
}

/// How far the rows reach, seen before they are counted.
#[derive(Debug, Default)]
struct Extent {
    rows: u64,
    partitions: BTreeMap<(String, i32), PartitionExtent>,
    without_time: bool,
}

#[derive(Debug)]
struct PartitionExtent {
    offsets: (i64, i64),
    times: Option<(i64, i64)>,
    /// Offset and latest time so far while offsets ascend; another worker's files begin anew.
    reached: (i64, i64),
    /// The furthest that time went back while offsets ascended.
    back: i64,
}

impl Extent {
    fn add(&mut self, batch: &Batch<'_>) -> Result<(), ReportError> {
        let places = Places::of(batch)?;
        for row in 0..batch.rows() {
            let (offset, time) = (places.offsets.value(row), places.time(row));
            let partition = self.partitions.entry(places.partition(row)).or_insert(PartitionExtent {
                offsets: (offset, offset),
                times: None,
                reached: (i64::MIN, i64::MIN),
                back: 0,
            });
            self.rows += 1;
            partition.offsets = (partition.offsets.0.min(offset), partition.offsets.1.max(offset));
            let Some(time) = time else {
                self.without_time = true;
                continue;
            };
            let (first, last) = partition.times.unwrap_or((time, time));
            partition.times = Some((first.min(time), last.max(time)));
            let latest = if offset < partition.reached.0 { time } else { partition.reached.1.max(time) };
            partition.back = partition.back.max(latest.saturating_sub(time));
            partition.reached = (offset, latest);
        }
        Ok(())
    }

    fn axis(self) -> Axis {
        let intervals = ((self.rows / INTERVAL_ROWS) as i64).clamp(1, INTERVALS);
        let times = self.partitions.values().filter_map(|partition| partition.times);
        let (first, last) = times.fold((i64::MAX, i64::MIN), |all, own| (all.0.min(own.0), all.1.max(own.1)));
        let span = last.saturating_sub(first);
        let back = self.partitions.values().map(|partition| partition.back).max().unwrap_or(0);
        if self.rows > 0 && !self.without_time && back <= span / 10 {
            let step = time::step(span, intervals);
            let start = first - first.rem_euclid(step);
            return Axis { time: true, start, step, rows: (first, last), base: BTreeMap::new() };
        }
        let mut end = 0;
        let mut base = BTreeMap::new();
        for (partition, extent) in self.partitions {
            base.insert(partition, end - extent.offsets.0);
            end += extent.offsets.1 - extent.offsets.0 + 1;
        }
        let step = row_step(end as u64, intervals as u64) as i64;
        Axis { time: false, start: 0, step, rows: (0, (end - 1).max(0)), base }
    }
}

/// The columns that say where a row stands.
struct Places<'a> {
    sources: &'a StringArray,
    partitions: &'a arrow_array::Int32Array,
    offsets: &'a arrow_array::Int64Array,
    times: &'a arrow_array::TimestampNanosecondArray,
}

impl<'a> Places<'a> {
    fn of(batch: &Batch<'a>) -> Result<Self, ReportError> {
        Ok(Self {
            sources: batch.texts("source")?,
            partitions: batch.numbers("partition")?,
            offsets: batch.numbers("offset")?,
            times: batch.numbers::<TimestampNanosecondType>("event_time")?,
        })
    }

    fn partition(&self, row: usize) -> (String, i32) {
        (self.sources.value(row).to_owned(), self.partitions.value(row))
    }

    fn time(&self, row: usize) -> Option<i64> {
        self.times.is_valid(row).then(|| self.times.value(row))
    }
}

/// The labels of a batch, whatever type they have in the input.
pub(super) fn labels(batch: &Batch<'_>, name: &str, column: &dyn Array) -> Result<Vec<Option<Label>>, ReportError> {
    macro_rules! numbers {
        ($type:ty) => {
            column.as_primitive::<$type>().iter().map(|value| value.map(|value| Label::Number(value.into()))).collect()
        };
    }
    let text = |text: Option<&str>| text.map(|text| Label::Text(text.to_owned()));
    Ok(match column.data_type() {
        DataType::Int8 => numbers!(Int8Type),
        DataType::Int16 => numbers!(Int16Type),
        DataType::Int32 => numbers!(Int32Type),
        DataType::Int64 => numbers!(Int64Type),
        DataType::UInt8 => numbers!(UInt8Type),
        DataType::UInt16 => numbers!(UInt16Type),
        DataType::UInt32 => numbers!(UInt32Type),
        DataType::Utf8 => column.as_string::<i32>().iter().map(text).collect(),
        DataType::LargeUtf8 => column.as_string::<i64>().iter().map(text).collect(),
        DataType::Utf8View => column.as_string_view().iter().map(text).collect(),
        DataType::Boolean => {
            column.as_boolean().iter().map(|value| value.map(|value| Label::Text(value.to_string()))).collect()
        }
        DataType::Dictionary(_, _) => {
            let dictionary = column.as_any_dictionary();
            let values = labels(batch, name, dictionary.values())?;
            let keys = dictionary.normalized_keys();
            let value = |row: usize| values.get(keys[row]).cloned().flatten().filter(|_| column.is_valid(row));
            (0..column.len()).map(value).collect()
        }
        other => return Err(batch.fault(name, format!("labels of type {other} cannot be compared with clusters"))),
    })
}
