//! One input row, one row.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, UInt32Array};
use arrow_schema::{Field, Schema};
use arrow_select::take::take;
use serde::{Deserialize, Serialize};

use super::columns::{FeatureColumns, Flaw, Identity, column, keep_type};
use super::error::FeatureError;
use super::missing::Imputer;
use super::texts::Texts;
use super::{Features, Featurize, Minibatch, Missing, Records, Row};

/// First bytes of a snapshot: what it is and how it is laid out.
const KIND: &str = "vector 1";

/// Makes every usable input row a row of its feature columns.
///
/// Any worker may take any row. The length of `List` columns is learned from the first row that this worker sees, so
/// [`width`](Featurize::width) is 0 until then unless the types tell it.
pub struct VectorFeaturizer {
    features: Features,
    state: State,
    fields: Vec<Field>,
    keys: Texts,
    series: Texts,
}

#[derive(Serialize, Deserialize)]
struct State {
    kind: String,
    /// Features of each column, as far as known.
    widths: Vec<Option<usize>>,
    imputer: Imputer,
}

impl VectorFeaturizer {
    /// A fresh featuriser.
    pub fn new(features: Features) -> Self {
        let widths = vec![None; features.columns().len()];
        let state = State { kind: KIND.to_owned(), widths, imputer: Imputer::new(features.missing()) };
        Self { features, state, fields: Vec::new(), keys: Texts::new(), series: Texts::new() }
    }

    fn rows(&mut self, records: &Records, out: &mut Minibatch) -> Result<(), FeatureError> {
        let features = &self.features;
        let batch = &records.batch;
        let columns = FeatureColumns::bind(batch, features.columns())?;
        let identity = Identity::bind(batch, features)?;
        let extras = extras(batch, features, &mut self.fields)?;
        let strict = features.missing() == Missing::Reject;
        self.keys.next_batch();
        self.series.next_batch();
        let mut taken: Vec<u32> = Vec::with_capacity(records.len());
        out.rows.reserve(records.len());
        for row in records.indices() {
            let (mut key, mut time) = (None, None);
            let State { widths, imputer, .. } = &mut self.state;
            let mut read = || {
                // The key first, so that a row with another fault is still reported under its key.
                let (print, same) = (identity.key_fingerprint(row), |other| identity.same_key(other, row));
                key = Some(self.keys.of(row, print, same, |text| identity.key(row, text))?);
                time = identity.time(row)?;
                let (print, same) = (identity.series_fingerprint(row), |other| identity.same_series(other, row));
                let series = self.series.of(row, print, same, |text| identity.series(row, text))?;
                if strict {
                    return Ok((series, columns.whole(row, widths)?));
                }
                let mut features = Vec::with_capacity(widths.iter().flatten().sum());
                columns.read(row, widths, false, &mut features)?;
                imputer.fill(&mut features);
                Ok((series, features.into()))
            };
            let read: Result<_, Flaw> = read();
            let key = key.unwrap_or_default();
            match read {
                Ok((series, features)) => {
                    taken.push(row as u32);
                    let (coordinates, sequence) = (records.coordinates(row), records.first_sequence + row as u64);
                    out.rows.push(Arc::new(Row { coordinates, sequence, key, series, event_time: time, features }));
                }
                Err(flaw) => {
                    let time = time.or_else(|| identity.time(row).ok().flatten());
                    out.rejected.push(flaw.dead_letter(records, row, &key, time));
                }
            }
        }
        out.extras = pick(&self.fields, &extras, taken);
        Ok(())
    }
}

impl Featurize for VectorFeaturizer {
    fn featurize(&mut self, records: &Records) -> Minibatch {
        let mut out = Minibatch { input_rows: records.len() as u64, ..Minibatch::default() };
        if let Err(error) = self.rows(records, &mut out) {
            out.rejected = Flaw::new("schema", error.to_string()).dead_letters(records);
        }
        out
    }

    fn finish(&mut self) -> Minibatch {
        Minibatch::default()
    }

    fn snapshot(&self) -> Vec<u8> {
        postcard::to_allocvec(&self.state).expect("numbers and short texts always serialise")
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), String> {
        let state: State =
            postcard::from_bytes(snapshot).map_err(|error| format!("not a snapshot of rows: {error}"))?;
        if state.kind != KIND {
            return Err(format!("the snapshot is of kind `{}`, `{KIND}` is needed", state.kind));
        }
        let (found, wanted) = (state.widths.len(), self.features.columns().len());
        if found != wanted {
            return Err(format!("the snapshot is of {found} feature columns, the pipeline has {wanted}"));
        }
        if state.imputer.policy() != self.features.missing() {
            return Err("`features.missing` is not what it was when the snapshot was taken".to_owned());
        }
        self.state = state;
        Ok(())
    }

    fn owners(&self, _records: &Records, _peers: usize) -> Option<Vec<u32>> {
        None
    }

    fn width(&self) -> usize {
        let widths: Option<Vec<usize>> = self.state.widths.iter().copied().collect();
        widths.map_or(0, |widths| widths.iter().sum())
    }
}

/// Label and kept columns, in output order.
fn extras(batch: &RecordBatch, features: &Features, fields: &mut Vec<Field>) -> Result<Vec<ArrayRef>, FeatureError> {
    let named = features.label().map(|label| (label, "label")).into_iter();
    let kept = features.keep().iter().map(|name| (name.as_str(), name.as_str()));
    named
        .chain(kept)
        .enumerate()
        .map(|(place, (name, output))| {
            let array = column(batch, name)?;
            keep_type(fields, place, output, array.as_ref())?;
            Ok(Arc::clone(array))
        })
        .collect()
}

fn pick(fields: &[Field], columns: &[ArrayRef], rows: Vec<u32>) -> Option<RecordBatch> {
    if columns.is_empty() || rows.is_empty() {
        return None;
    }
    let rows = UInt32Array::from(rows);
    let picked = columns
        .iter()
        .map(|column| take(column.as_ref(), &rows, None).expect("the rows were read from this batch"))
        .collect();
    let schema = Arc::new(Schema::new(fields.to_vec()));
    Some(RecordBatch::try_new(schema, picked).expect("columns taken with the same rows have one length"))
}

#[cfg(test)]
mod tests;
