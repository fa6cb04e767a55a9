//! Who a row is from and when: key, series, event time.

use arrow_array::RecordBatch;

use super::super::Features;
use super::super::error::FeatureError;
use super::extras::column;
use super::times::Times;
use super::{Flaw, Scalars, scalars};

/// The identifying columns of one batch.
pub(in crate::data) struct Identity<'a> {
    key: Vec<Named<'a>>,
    series: Option<Named<'a>>,
    time: Option<Times<'a>>,
}

struct Named<'a> {
    name: &'a str,
    values: Box<dyn Scalars + 'a>,
}

impl<'a> Identity<'a> {
    /// Finds and downcasts the columns.
    ///
    /// # Errors
    /// If one is missing or of another type.
    pub(in crate::data) fn bind(batch: &'a RecordBatch, features: &'a Features) -> Result<Self, FeatureError> {
        Ok(Self {
            key: Self::bind_key(batch, features)?,
            series: features.series().map(|name| Named::bind(batch, "features.series", name)).transpose()?,
            time: features.time().map(|name| Times::bind(batch, name)).transpose()?,
        })
    }

    /// Key and event time by their columns.
    ///
    /// # Errors
    /// If one is missing or of another type.
    pub(in crate::data) fn of(
        batch: &'a RecordBatch,
        key: &'a [String],
        time: Option<&'a str>,
    ) -> Result<Self, FeatureError> {
        Ok(Self {
            key: key.iter().map(|name| Named::bind(batch, "key", name)).collect::<Result<_, _>>()?,
            series: None,
            time: time.map(|name| Times::bind(batch, name)).transpose()?,
        })
    }

    /// Only the key: enough to tell who owns a row.
    ///
    /// # Errors
    /// If a key column is missing or of another type.
    pub(in crate::data) fn key_only(batch: &'a RecordBatch, features: &'a Features) -> Result<Self, FeatureError> {
        Ok(Self { key: Self::bind_key(batch, features)?, series: None, time: None })
    }

    fn bind_key(batch: &'a RecordBatch, features: &'a Features) -> Result<Vec<Named<'a>>, FeatureError> {
        features.key().iter().map(|name| Named::bind(batch, "features.key", name)).collect()
    }

    /// Writes the key into the emptied `out`: the key columns joined by `/`, as they are.
    ///
    /// # Errors
    /// If one of them is null; `out` is then empty.
    pub(in crate::data) fn key(&self, row: usize, out: &mut String) -> Result<(), Flaw> {
        out.clear();
        for (place, part) in self.key.iter().enumerate() {
            if place > 0 {
                out.push('/');
            }
            if let Err(flaw) = part.write(row, "null_key", out) {
                out.clear();
                return Err(flaw);
            }
        }
        Ok(())
    }

    /// Equal for rows of the same key, and mostly different for others; `None` where a key column is null.
    pub(in crate::data) fn key_fingerprint(&self, row: usize) -> Option<u64> {
        let mut parts = self.key.iter().map(|part| part.fingerprint(row));
        parts.try_fold(0_u64, |whole, part| Some(whole.rotate_left(29) ^ part?))
    }

    /// Whether two rows whose keys are not null surely have the same key.
    pub(in crate::data) fn same_key(&self, one: usize, other: usize) -> bool {
        self.key.iter().all(|part| !part.values.is_null(other) && part.values.same(one, other))
    }

    /// Writes the series into the emptied `out`; empty without a series column.
    ///
    /// # Errors
    /// If it is null.
    pub(in crate::data) fn series(&self, row: usize, out: &mut String) -> Result<(), Flaw> {
        out.clear();
        match &self.series {
            Some(series) => series.write(row, "null_series", out),
            None => Ok(()),
        }
    }

    /// As [`key_fingerprint`](Self::key_fingerprint), of the series.
    pub(in crate::data) fn series_fingerprint(&self, row: usize) -> Option<u64> {
        self.series.as_ref().map_or(Some(0), |series| series.fingerprint(row))
    }

    /// Whether two rows surely are of the same series, the first of which is not null.
    pub(in crate::data) fn same_series(&self, one: usize, other: usize) -> bool {
        self.series.as_ref().is_none_or(|series| !series.values.is_null(other) && series.values.same(one, other))
    }

    /// The event time; `None` without a time column.
    ///
    /// # Errors
    /// If it is null or out of range.
    pub(in crate::data) fn time(&self, row: usize) -> Result<Option<i64>, Flaw> {
        self.time.as_ref().map(|times| times.value(row)).transpose()
    }
}

impl<'a> Named<'a> {
    fn bind(batch: &'a RecordBatch, key: &'static str, name: &'a str) -> Result<Self, FeatureError> {
        let array = column(batch, name)?;
        let values = scalars(array.as_ref()).ok_or_else(|| FeatureError::WrongType {
            key,
            column: name.to_owned(),
            found: array.data_type().clone(),
            wanted: "a scalar column is needed",
        })?;
        Ok(Self { name, values })
    }

    fn fingerprint(&self, row: usize) -> Option<u64> {
        (!self.values.is_null(row)).then(|| self.values.fingerprint(row))
    }

    fn write(&self, row: usize, reason: &'static str, out: &mut String) -> Result<(), Flaw> {
        if self.values.is_null(row) {
            return Err(Flaw::new(reason, format!("column `{}` is null, a value is needed", self.name)));
        }
        self.values.write(row, out);
        Ok(())
    }
}
