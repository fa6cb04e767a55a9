//! Names of everything a sink puts into its folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::connector::ConnectorError;

/// What a file of a sink is for. Only [`Part`](Kind::Part) ends in `.parquet`, so no glob of a reader finds the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A committed file: `part-w00-000001.parquet`.
    Part,
    /// A complete Parquet file that no durable checkpoint covers yet.
    Pending,
    /// The rows of a file that is still open.
    Spool,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Part, Self::Pending, Self::Spool];

    /// Folder below the output folder, first and last part of the name.
    fn pattern(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Part => ("", "part-w", ".parquet"),
            Self::Pending => ("_pending", "part-w", ".pending"),
            Self::Spool => ("_spool", "spool-w", ".spool"),
        }
    }

    fn folder(self, dir: &Path) -> PathBuf {
        match self.pattern().0 {
            "" => dir.to_owned(),
            below => dir.join(below),
        }
    }

    fn name(self, worker: usize, number: u64) -> String {
        let (_, prefix, suffix) = self.pattern();
        format!("{prefix}{worker:02}-{number:06}{suffix}")
    }

    /// Worker and number of a file name, if it is one that [`name`](Self::name) makes.
    fn parse(self, name: &str) -> Option<(usize, u64)> {
        let (_, prefix, suffix) = self.pattern();
        let (worker, number) = name.strip_prefix(prefix)?.strip_suffix(suffix)?.split_once('-')?;
        let (worker, number) = (worker.parse().ok()?, number.parse().ok()?);
        (self.name(worker, number) == name).then_some((worker, number))
    }
}

/// Number of a committed file.
pub(super) fn part_number(name: &str) -> Option<u64> {
    Kind::Part.parse(name).map(|(_, number)| number)
}

/// The output folder as one worker sees it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The output folder.
    pub dir: PathBuf,
    /// The worker whose files these are.
    pub worker: usize,
}

impl Place {
    /// Folder of the files of one kind.
    pub fn folder(&self, kind: Kind) -> PathBuf {
        kind.folder(&self.dir)
    }

    /// Name without folder.
    pub fn name(&self, kind: Kind, number: u64) -> String {
        kind.name(self.worker, number)
    }

    /// Path of a file.
    pub fn path(&self, kind: Kind, number: u64) -> PathBuf {
        self.folder(kind).join(self.name(kind, number))
    }

    /// Path of a file until it is complete.
    pub fn temporary(&self, kind: Kind, number: u64) -> PathBuf {
        self.folder(kind).join(format!("{}.tmp", self.name(kind, number)))
    }

    /// Path of the manifest.
    pub fn manifest(&self) -> PathBuf {
        self.dir.join(format!("_manifest-w{:02}.json", self.worker))
    }

    /// Path of the manifest until it is complete.
    pub fn temporary_manifest(&self) -> PathBuf {
        self.dir.join(format!("_manifest-w{:02}.json.tmp", self.worker))
    }

    /// Numbers of this worker's files of one kind.
    ///
    /// # Errors
    /// If the folder cannot be listed.
    pub fn numbers(&self, kind: Kind) -> Result<BTreeSet<u64>, ConnectorError> {
        Ok(names(&self.folder(kind))?
            .iter()
            .filter_map(|name| kind.parse(name))
            .filter_map(|(worker, number)| (worker == self.worker).then_some(number))
            .collect())
    }

    /// This worker's files that were never completed.
    ///
    /// # Errors
    /// If a folder cannot be listed.
    pub fn leftovers(&self) -> Result<Vec<PathBuf>, ConnectorError> {
        let mut found = Vec::new();
        for kind in [Kind::Pending, Kind::Spool] {
            let folder = self.folder(kind);
            for name in names(&folder)? {
                let owner = name.strip_suffix(".tmp").and_then(|complete| kind.parse(complete));
                if owner.is_some_and(|(worker, _)| worker == self.worker) {
                    found.push(folder.join(name));
                }
            }
        }
        if self.temporary_manifest().exists() {
            found.push(self.temporary_manifest());
        }
        Ok(found)
    }

    /// An error about the state of the folder.
    pub fn inconsistent(&self, problem: impl Into<String>) -> ConnectorError {
        ConnectorError::Inconsistent { path: self.dir.clone(), problem: problem.into() }
    }
}

/// Paths of all manifests in `dir`, by name.
pub(super) fn manifests(dir: &Path) -> Result<Vec<PathBuf>, ConnectorError> {
    let mut found: Vec<String> = names(dir)?.into_iter().filter(|name| is_manifest(name)).collect();
    found.sort();
    Ok(found.into_iter().map(|name| dir.join(name)).collect())
}

fn is_manifest(name: &str) -> bool {
    let worker = name.strip_prefix("_manifest-w").and_then(|rest| rest.strip_suffix(".json"));
    worker.is_some_and(|digits| digits.len() >= 2 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a sink of any worker has shown rows in `dir`. What it has not shown is lost without its checkpoint anyway.
pub(super) fn shows_rows(dir: &Path) -> Result<bool, ConnectorError> {
    Ok(names(dir)?.iter().any(|name| is_manifest(name) || Kind::Part.parse(name).is_some()))
}

/// Everything in `dir` that a sink of any worker made: manifests first, because a manifest never lists what is not there.
pub(super) fn everything(dir: &Path) -> Result<Vec<PathBuf>, ConnectorError> {
    let mut found = manifests(dir)?;
    for name in names(dir)? {
        if name.strip_suffix(".tmp").is_some_and(is_manifest) {
            found.push(dir.join(name));
        }
    }
    for kind in Kind::ALL {
        let folder = kind.folder(dir);
        for name in names(&folder)? {
            if kind.parse(name.strip_suffix(".tmp").unwrap_or(&name)).is_some() {
                found.push(folder.join(name));
            }
        }
    }
    Ok(found)
}

/// Folders that only hold files of sinks.
pub(super) fn own_folders(dir: &Path) -> [PathBuf; 2] {
    [Kind::Pending.folder(dir), Kind::Spool.folder(dir)]
}

/// Names in a folder; none if it does not exist. Names that are not UTF-8 are not ours.
fn names(folder: &Path) -> Result<Vec<String>, ConnectorError> {
    let unreadable =
        |e: io::Error| ConnectorError::Unreadable { file: folder.display().to_string(), problem: e.to_string() };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // Below a file there is nothing; creating the folder will say so.
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(e) => return Err(unreadable(e)),
    };
    let mut found = Vec::new();
    for entry in entries {
        if let Ok(name) = entry.map_err(unreadable)?.file_name().into_string() {
            found.push(name);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_a_sink_makes_are_its_own() {
        assert_eq!(Kind::Part.parse("part-w00-000001.parquet"), Some((0, 1)));
        assert_eq!(Kind::Part.parse("part-w123-1234567.parquet"), Some((123, 1_234_567)));
        for foreign in
            ["part-w0-1.parquet", "part-w00-000001.parquet.bak", "part-00000.parquet", "part-w00-+00001.parquet"]
        {
            assert_eq!(Kind::Part.parse(foreign), None, "{foreign}");
        }
    }
}
