//! An input that is ready to be read.

use std::sync::Arc;

use super::brokers::Started;
use crate::connector::{Pace, ParquetCatalog, ParquetSource, Share, Source};
use crate::flow::FlowError;

/// Where the rows of a job come from.
pub(super) enum Feed {
    Files(Arc<ParquetCatalog>),
    Topics(Box<Started>),
}

impl Feed {
    /// One worker's view of `columns`. `pace` is for files; topics have theirs.
    pub(super) fn source(&self, columns: &[String], share: Share, pace: Pace) -> Result<Box<dyn Source>, FlowError> {
        Ok(match self {
            Self::Files(catalog) => Box::new(ParquetSource::open(Arc::clone(catalog), columns.to_vec(), share, pace)?),
            Self::Topics(started) => {
                let source = started.input.open(share.index, columns)?;
                // Pairs are taken by one worker and travel to all with its rows.
                match started.pairs.as_ref().filter(|_| share.index == 0) {
                    Some(pairs) => Box::new(source.with_pairs(pairs.open()?)),
                    None => Box::new(source),
                }
            }
        })
    }

    /// The topics, if it is topics.
    pub(super) fn topics(&self) -> Option<&Started> {
        match self {
            Self::Files(_) => None,
            Self::Topics(started) => Some(started),
        }
    }
}
