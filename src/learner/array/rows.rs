//! An array of rows with what is known about them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};

use super::error::ArrayError;
use crate::data::{Coordinates, Row};
use crate::replica::Arrival;

/// Rows in memory: features, and for each row its device, its unbroken series and its event time where there are any.
#[derive(Clone, Debug)]
pub struct Rows {
    rows: Vec<Arrival>,
    width: usize,
}

impl Rows {
    /// Rows of `width` features.
    ///
    /// # Shapes
    /// - `features`: `[rows, width]`, row-major
    ///
    /// # Errors
    /// If the values do not fill rows or one is not finite.
    pub fn new(features: &[f32], width: usize) -> Result<Self, ArrayError> {
        if width == 0 || !features.len().is_multiple_of(width) {
            return Err(ArrayError::Width { values: features.len(), width });
        }
        if let Some(at) = features.iter().position(|value| !value.is_finite()) {
            return Err(ArrayError::NotFinite { row: at / width, feature: at % width, value: features[at] });
        }
        let (source, empty): (Arc<str>, Arc<str>) = ("array".into(), "".into());
        let row = |(number, features): (u64, &[f32])| {
            let row = Row {
                coordinates: Coordinates { source: Arc::clone(&source), partition: 0, offset: number as i64 },
                sequence: number,
                key: Arc::clone(&empty),
                series: Arc::clone(&empty),
                event_time: None,
                features: features.to_vec().into(),
            };
            Arrival { row: Arc::new(row), extras: None }
        };
        Ok(Self { rows: (0..).zip(features.chunks_exact(width)).map(row).collect(), width })
    }

    /// Rows as a featuriser made them.
    ///
    /// # Errors
    /// If they are not all as wide as the first, or one has a value that is not finite.
    pub fn from_arrivals(rows: Vec<Arrival>) -> Result<Self, ArrayError> {
        let width = rows.first().map_or(0, |arrival| arrival.row.features.len());
        for (number, Arrival { row, .. }) in rows.iter().enumerate() {
            if row.features.len() != width || width == 0 {
                return Err(ArrayError::OtherWidth { found: row.features.len(), expected: width });
            }
            if let Some(at) = row.features.iter().position(|value| !value.is_finite()) {
                return Err(ArrayError::NotFinite { row: number, feature: at, value: row.features[at] });
            }
        }
        Ok(Self { rows, width })
    }

    /// Says which device each row belongs to: what per-key scaling, neighbours in time and device balance go by.
    ///
    /// # Errors
    /// If there is not one for each row.
    pub fn with_keys(self, keys: &[impl AsRef<str>]) -> Result<Self, ArrayError> {
        self.name(keys, "keys", |row, key| row.key = key)
    }

    /// Says which unbroken series of its device each row belongs to: rows of different series are no neighbours.
    ///
    /// # Errors
    /// If there is not one for each row.
    pub fn with_series(self, series: &[impl AsRef<str>]) -> Result<Self, ArrayError> {
        self.name(series, "series", |row, series| row.series = series)
    }

    /// Says when each row was measured, in nanoseconds.
    ///
    /// # Errors
    /// If there is not one for each row.
    pub fn with_times(mut self, times: &[i64]) -> Result<Self, ArrayError> {
        self.one_each("times", times.len())?;
        for (arrival, time) in self.rows.iter_mut().zip(times) {
            Arc::make_mut(&mut arrival.row).event_time = Some(*time);
        }
        Ok(self)
    }

    /// Says what each row is known to be, where that is known. Nothing looks at it unless [`Fit::supervision`] says so.
    ///
    /// # Errors
    /// If there is not one for each row.
    ///
    /// [`Fit::supervision`]: super::Fit::supervision
    pub fn with_labels(mut self, labels: &[Option<&str>]) -> Result<Self, ArrayError> {
        self.one_each("labels", labels.len())?;
        let column: ArrayRef = Arc::new(StringArray::from(labels.to_vec()));
        let batch = RecordBatch::try_from_iter_with_nullable([("label", column, true)]).expect("one column is a table");
        let batch = Arc::new(batch);
        for (place, arrival) in self.rows.iter_mut().enumerate() {
            arrival.extras = Some((Arc::clone(&batch), place));
        }
        Ok(self)
    }

    fn name(
        mut self,
        names: &[impl AsRef<str>],
        what: &'static str,
        set: fn(&mut Row, Arc<str>),
    ) -> Result<Self, ArrayError> {
        self.one_each(what, names.len())?;
        let mut known = HashMap::<&str, Arc<str>>::new();
        for (arrival, name) in self.rows.iter_mut().zip(names) {
            let name = known.entry(name.as_ref()).or_insert_with(|| name.as_ref().into());
            set(Arc::make_mut(&mut arrival.row), Arc::clone(name));
        }
        Ok(self)
    }

    fn one_each(&self, what: &'static str, found: usize) -> Result<(), ArrayError> {
        let rows = self.rows.len();
        if found == rows { Ok(()) } else { Err(ArrayError::Length { what, found, rows }) }
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Number of features.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The rows, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Row>> {
        self.rows.iter().map(|arrival| &arrival.row)
    }

    pub(super) fn arrivals(&self) -> &[Arrival] {
        &self.rows
    }
}
