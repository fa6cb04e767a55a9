//! What a worker has committed: the list that makes the output exactly-once for readers.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::disk;
use super::place::{self, Place};
use crate::connector::{ConnectorError, SCHEMA_VERSION};

const FORMAT: u32 = 1;

/// Offsets of one source partition in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffsetRange {
    /// File or topic the rows came from.
    pub source: String,
    /// Kafka partition; 0 for files.
    pub partition: i32,
    /// Smallest offset.
    pub min_offset: i64,
    /// Largest offset; those between need not all be here, other workers have theirs.
    pub max_offset: i64,
}

/// A complete Parquet file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartFile {
    /// Its name in the output folder.
    pub name: String,
    /// Rows in it.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
    /// CRC-32 (IEEE) of its contents.
    pub crc32: u32,
    /// What it covers of each source; empty for rows without coordinates (drift events).
    pub ranges: Vec<OffsetRange>,
}

/// `_manifest-wNN.json`: all files that worker NN has committed, in the order of their rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this file's own layout.
    pub format: u32,
    /// Version of the columns, see [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The worker.
    pub worker: usize,
    /// Rows of all files together.
    pub rows: u64,
    /// The files.
    pub files: Vec<PartFile>,
}

impl Manifest {
    /// Reads the manifests of all workers in an output folder; none if nothing was ever committed there.
    ///
    /// # Errors
    /// If the folder or a manifest cannot be read.
    pub fn read_all(dir: &Path) -> Result<Vec<Self>, ConnectorError> {
        place::manifests(dir)?.iter().filter_map(|path| Self::read(path).transpose()).collect()
    }

    /// Reads one manifest, `None` if there is no such file.
    fn read(path: &Path) -> Result<Option<Self>, ConnectorError> {
        let unreadable = |problem: String| ConnectorError::Unreadable { file: path.display().to_string(), problem };
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(unreadable(e.to_string())),
        };
        let manifest: Self = serde_json::from_slice(&text).map_err(|e| unreadable(format!("not a manifest: {e}")))?;
        if manifest.format > FORMAT {
            return Err(unreadable(format!(
                "it has format {} and this program knows {FORMAT}: use the newer program that wrote it",
                manifest.format
            )));
        }
        Ok(Some(manifest))
    }

    /// This worker's manifest, or an empty one.
    pub(super) fn open(place: &Place) -> Result<Self, ConnectorError> {
        Ok(Self::read(&place.manifest())?.unwrap_or_else(|| Self {
            format: FORMAT,
            schema_version: SCHEMA_VERSION,
            worker: place.worker,
            rows: 0,
            files: Vec::new(),
        }))
    }

    /// The entry of a file. Searched from the end: what is asked for is nearly always recent.
    pub(super) fn find(&self, name: &str) -> Option<&PartFile> {
        self.files.iter().rev().find(|file| file.name == name)
    }

    /// Forgets the files from `number` on; whether there were any.
    pub(super) fn forget_from(&mut self, number: u64) -> bool {
        let before = self.files.len();
        self.files.retain(|file| place::part_number(&file.name).is_some_and(|n| n < number));
        self.files.len() < before
    }

    /// Replaces the manifest on disk in one step.
    pub(super) fn write(&mut self, place: &Place) -> Result<(), ConnectorError> {
        self.schema_version = SCHEMA_VERSION;
        self.rows = self.files.iter().map(|file| file.rows).sum();
        let (temporary, path) = (place.temporary_manifest(), place.manifest());
        let text =
            serde_json::to_vec_pretty(self).map_err(|e| disk::write_error(&temporary, std::io::Error::other(e)))?;
        let mut file = disk::create(&temporary)?;
        disk::write_at(&mut file, &temporary, 0, &text)?;
        disk::sync(&file, &temporary)?;
        disk::rename(&temporary, &path)?;
        disk::sync_folder(&place.dir)
    }
}
