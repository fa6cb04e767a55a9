//! The whole input in memory, for what looks at rows more than once.

use std::sync::Arc;

use super::setup::{self, Inlet};
use crate::config::Plan;
use crate::connector::{Pace, ParquetSource, Polled, Share, Source};
use crate::data::Minibatch;
use crate::error::Error;
use crate::learner::Settings;
use crate::replica::Arrival;

/// Input rows that are read at once.
const ROWS: usize = 8_192;

/// Every row of the input, featurised, in the order of the input.
///
/// # Errors
/// If the input cannot be read, or one of its rows cannot be used.
pub fn load(plan: &Plan) -> Result<Vec<Arrival>, Error> {
    let ends = setup::open(plan)?;
    let Inlet::Files(catalog) = &ends.inlet else {
        return Err(Error::Usage("a topic has no end and cannot be read as a whole: use [source.parquet]".to_owned()));
    };
    let (share, pace) = (Share { index: 0, peers: 1 }, Pace::Ordered { rows: ROWS });
    let mut source = ParquetSource::open(Arc::clone(catalog), ends.columns.clone(), share, pace)?;
    let mut featurizer = plan.features().open();
    let mut arrivals = Vec::new();
    for epoch in 0.. {
        match source.read(epoch)? {
            Polled::Rows(records) => {
                for records in &records {
                    take(featurizer.featurize(records), &mut arrivals)?;
                }
            }
            Polled::Exhausted | Polled::Pending => break,
        }
    }
    take(featurizer.finish(), &mut arrivals)?;
    arrivals.sort_by_key(|arrival| arrival.row.sequence);
    Ok(arrivals)
}

/// The learner's share of a plan, with what it is taught.
///
/// # Errors
/// If the input or the pairs of the supervision cannot be read.
pub fn taught_settings(plan: &Plan) -> Result<Settings, Error> {
    let ends = setup::open(plan)?;
    Ok(Settings { supervision: setup::supervision(plan, &ends.inlet.digest())?, ..setup::settings(plan) })
}

fn take(batch: Minibatch, arrivals: &mut Vec<Arrival>) -> Result<(), Error> {
    if let Some(letter) = batch.rejected.first() {
        let place = &letter.coordinates;
        return Err(Error::BadData(format!("{}: row {}: {}", place.source, place.offset, letter.detail)));
    }
    let extras = batch.extras.map(Arc::new);
    let rows = batch.rows.into_iter().enumerate();
    arrivals.extend(rows.map(|(i, row)| Arrival { row, extras: extras.clone().map(|batch| (batch, i)) }));
    Ok(())
}
