//! One file of the input: what it is called, where its bytes are, and what its folder names say.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::Result as ParquetResult;
use parquet::file::reader::{ChunkReader, Length};

use super::ConnectorError;
#[cfg(feature = "s3")]
use super::object_storage::{RemoteFile, RemoteObject};

/// One file of the input.
#[derive(Clone, Debug)]
pub struct InputFile {
    /// Its path as text: the `source` of its rows.
    pub name: Arc<str>,
    /// Its `key=value` folders, outermost first; the value is `None` for Hive's null.
    pub partitions: Vec<(String, Option<String>)>,
    pub(super) place: Place,
}

/// Where the bytes of a file are.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// In the file system.
    Local(PathBuf),
    /// In an object store.
    #[cfg(feature = "s3")]
    Remote(RemoteObject),
}

impl InputFile {
    /// Opens the file for one reader. Readers do not share it: duplicates of a descriptor share its position.
    ///
    /// # Errors
    /// If the system refuses.
    pub(super) fn open(&self) -> Result<OpenFile, ConnectorError> {
        match &self.place {
            Place::Local(path) => {
                let file = File::open(path).map_err(|error| self.unreadable(error))?;
                let length = file.metadata().map_err(|error| self.unreadable(error))?.len();
                Ok(OpenFile::Local { file, length })
            }
            #[cfg(feature = "s3")]
            Place::Remote(object) => Ok(OpenFile::Remote(object.open())),
        }
    }

    /// An error that names this file.
    pub(super) fn unreadable(&self, problem: impl ToString) -> ConnectorError {
        ConnectorError::Unreadable { file: self.name.to_string(), problem: problem.to_string() }
    }
}

/// A file that can be read.
pub(super) enum OpenFile {
    /// In the file system.
    Local {
        /// The descriptor.
        file: File,
        /// Bytes in it when it was opened.
        length: u64,
    },
    /// In an object store.
    #[cfg(feature = "s3")]
    Remote(RemoteFile),
}

impl OpenFile {
    /// Announces that these bytes are going to be read: one request each instead of one a page. Local files ignore it.
    ///
    /// # Errors
    /// If they cannot be fetched.
    pub(super) fn prefetch(&mut self, ranges: &[Range<u64>]) -> ParquetResult<()> {
        match self {
            Self::Local { .. } => {
                debug_assert!(ranges.iter().all(|range| range.start <= range.end));
                Ok(())
            }
            #[cfg(feature = "s3")]
            Self::Remote(file) => file.prefetch(ranges),
        }
    }
}

impl Length for OpenFile {
    fn len(&self) -> u64 {
        match self {
            Self::Local { length, .. } => *length,
            #[cfg(feature = "s3")]
            Self::Remote(file) => file.len(),
        }
    }
}

impl ChunkReader for OpenFile {
    type T = Box<dyn Read + Send>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        match self {
            Self::Local { file, .. } => Ok(Box::new(file.get_read(start)?)),
            #[cfg(feature = "s3")]
            Self::Remote(file) => Ok(Box::new(file.get_read(start)?)),
        }
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        match self {
            Self::Local { file, .. } => file.get_bytes(start, length),
            #[cfg(feature = "s3")]
            Self::Remote(file) => file.get_bytes(start, length),
        }
    }
}
