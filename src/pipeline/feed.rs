//! An input that is ready to be read.

use std::sync::Arc;

use super::brokers::Started;
use crate::connector::{Pace, ParquetCatalog, ParquetSource, Share, Source};
use crate::flow::FlowError;

/// Where the rows of a job come from.
pub(super) enum Feed {
    Files(Arc<ParquetCatalog>),
    Topics(Started),
}

impl Feed {
    /// One worker's view of `columns`. `pace` is for files; topics have theirs.
    pub(super) fn source(&self, columns: &[String], share: Share, pace: Pace) -> Result<Box<dyn Source>, FlowError> {
        Ok(match self {
            Self::Files(catalog) => Box::new(ParquetSource::open(Arc::clone(catalog), columns.to_vec(), share, pace)?),
            Self::Topics(started) => Box::new(started.input.open(share.index, columns)?),
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
