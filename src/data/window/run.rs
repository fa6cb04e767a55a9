//! One key: its waiting readings and its open series.

use std::sync::Arc;

use super::super::columns::Flaw;
use super::super::{Coordinates, Row, Statistics};
use super::cut::{Cut, Pushed, Shape};
use super::labels::majority;
use super::reorder::{Kept, Reorder, Stamp};

/// What stays open of a key between batches.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) key: Arc<str>,
    /// Name of the open series: the value of the series column, or its running number.
    pub(super) series: Arc<str>,
    /// Running number of the open series where gaps make series.
    pub(super) number: u64,
    /// Newest event time seen in this order of time.
    pub(super) newest: Option<i64>,
    /// Event time of the last reading that was released; only gaps are measured from it.
    pub(super) last: Option<i64>,
    pub(super) cut: Cut,
    pub(super) waiting: Reorder,
}

/// The rules by which readings become windows, and what came out.
pub(super) struct Cutter {
    pub(super) shape: Shape,
    pub(super) lateness_ns: i64,
    /// `None` where a column tells the series.
    pub(super) max_gap_ns: Option<i64>,
    pub(super) label_share: f64,
    pub(super) statistics: Statistics,
    /// Values of the reading that is being released.
    pub(super) released: Vec<f32>,
    /// How many readings of all keys wait.
    pub(super) waiting: usize,
    pub(super) windows: Windows,
}

/// Windows of one call, not yet in order.
#[derive(Default)]
pub(super) struct Windows {
    pub(super) rows: Vec<Arc<Row>>,
    pub(super) labels: Vec<u32>,
    pub(super) kept: Vec<Kept>,
    pub(super) unwindowed: u64,
}

impl Run {
    /// A key without readings; `series` is empty where gaps make series, which are then numbered from 0.
    pub(super) fn new(key: &str, series: &str, gaps: bool) -> Self {
        Self {
            key: Arc::from(key),
            series: if gaps { Arc::from("0") } else { Arc::from(series) },
            number: 0,
            newest: None,
            last: None,
            cut: Cut::default(),
            waiting: Reorder::default(),
        }
    }

    /// The series column has another value: whatever is open ends, and time may start anew.
    pub(super) fn change_series(&mut self, series: &str, cutter: &mut Cutter) {
        self.end(cutter);
        self.series = Arc::from(series);
        self.newest = None;
    }

    /// Ends the open series with everything that waits for it.
    pub(super) fn end(&mut self, cutter: &mut Cutter) {
        self.release(Some(i64::MAX), cutter);
        cutter.windows.unwindowed += self.cut.end();
    }

    /// Whether a reading of that time comes too late to be put in order; if not, that time has been seen.
    ///
    /// # Errors
    /// If it is more than `lateness_s` behind the newest.
    pub(super) fn observe(&mut self, time: Option<i64>, lateness_ns: i64) -> Result<(), Flaw> {
        let Some(time) = time else { return Ok(()) };
        if let Some(newest) = self.newest
            && newest.saturating_sub(time) > lateness_ns
        {
            let detail = format!(
                "event time {time} is {:.3} s behind {newest}, the newest of key `{}`: raise `lateness_s`, or name a \
                 `series` column if the clock starts anew",
                newest.saturating_sub(time) as f64 / 1e9,
                self.key
            );
            return Err(Flaw::new("late", detail));
        }
        self.newest = self.newest.max(Some(time));
        Ok(())
    }

    /// Takes an [`observe`](Self::observe)d reading.
    pub(super) fn take(&mut self, stamp: Stamp, values: &[f32], cutter: &mut Cutter) {
        let due = stamp.time.is_none() || cutter.lateness_ns == 0;
        if due {
            // Nothing can overtake it, so nothing waits before it either.
            self.place(&stamp, values, cutter);
        } else {
            self.waiting.insert(stamp, values);
            cutter.waiting += 1;
            self.release(self.newest.map(|newest| newest.saturating_sub(cutter.lateness_ns)), cutter);
        }
    }

    fn release(&mut self, until: Option<i64>, cutter: &mut Cutter) {
        if self.waiting.is_empty() {
            return;
        }
        let mut values = std::mem::take(&mut cutter.released);
        while let Some(stamp) = self.waiting.release(until, &mut values) {
            cutter.waiting -= 1;
            self.place(&stamp, &values, cutter);
        }
        cutter.released = values;
    }

    /// The next reading in the order of time.
    fn place(&mut self, stamp: &Stamp, values: &[f32], cutter: &mut Cutter) {
        if let (Some(max_gap), Some(time), Some(last)) = (cutter.max_gap_ns, stamp.time, self.last)
            && time.saturating_sub(last) > max_gap
        {
            cutter.windows.unwindowed += self.cut.end();
            self.number += 1;
            self.series = Arc::from(self.number.to_string());
        }
        self.last = stamp.time;
        match self.cut.push(cutter.shape, values, stamp.label) {
            Pushed::Skipped => cutter.windows.unwindowed += 1,
            Pushed::Open => {}
            Pushed::Full => {
                cutter.window(&self.key, &self.series, stamp, &self.cut);
                self.cut.advance(cutter.shape);
            }
        }
    }
}

impl Cutter {
    fn window(&mut self, key: &Arc<str>, series: &Arc<str>, last: &Stamp, cut: &Cut) {
        self.windows.rows.push(Arc::new(Row {
            coordinates: Coordinates {
                source: Arc::clone(&last.source),
                partition: last.partition,
                offset: last.offset,
            },
            sequence: last.sequence,
            key: Arc::clone(key),
            series: Arc::clone(series),
            event_time: last.time,
            features: self.statistics.extract(cut.values()).into(),
        }));
        self.windows.labels.push(majority(cut.labels(), self.label_share));
        self.windows.kept.push(last.kept);
    }
}
