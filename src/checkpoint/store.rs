//! The folder of the checkpoints.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use super::format::{self, Header, Reader};
use super::{Checkpoint, CheckpointError, Found, Verdict};
use crate::telemetry::failpoint;

fn file_name(id: u64) -> String {
    format!("checkpoint-{id:08}.ek")
}

fn parse(name: &str) -> Option<u64> {
    let id = name.strip_prefix("checkpoint-")?.strip_suffix(".ek")?.parse().ok()?;
    (file_name(id) == name).then_some(id)
}

/// The id that a file's name gives, if it is that of a checkpoint.
fn name_of(file: &Path) -> Option<u64> {
    parse(file.file_name()?.to_str()?)
}

fn read_error(path: &Path) -> impl FnOnce(io::Error) -> CheckpointError + '_ {
    |source| CheckpointError::Read { path: path.to_owned(), source }
}

fn write_error(path: &Path) -> impl FnOnce(io::Error) -> CheckpointError + '_ {
    |source| CheckpointError::Write { path: path.to_owned(), source }
}

/// Writes and reads the checkpoints of one run.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
    keep: usize,
}

impl Store {
    /// Opens the folder, creates it if needed, and removes what a crash left half-written.
    ///
    /// # Errors
    /// If the folder cannot be created, listed or written.
    pub fn open(dir: &Path, keep: usize) -> Result<Self, CheckpointError> {
        let missing: Vec<&Path> = dir.ancestors().take_while(|folder| !folder.exists()).collect();
        fs::create_dir_all(dir).map_err(|source| CheckpointError::Create { path: dir.to_owned(), source })?;
        for above in missing.into_iter().filter_map(Path::parent) {
            sync_folder(above)?;
        }
        for name in names(dir)? {
            if name.strip_suffix(".tmp").and_then(parse).is_some() {
                let path = dir.join(name);
                fs::remove_file(&path).map_err(write_error(&path))?;
            }
        }
        Ok(Self { dir: dir.to_owned(), keep: keep.max(1) })
    }

    /// The file of a checkpoint.
    pub fn path(&self, id: u64) -> PathBuf {
        self.dir.join(file_name(id))
    }

    /// Makes a checkpoint durable, then removes those beyond the newest `keep` up to it. Returns its file.
    ///
    /// # Errors
    /// If it cannot be written; the older ones are then untouched.
    pub fn write(&self, checkpoint: &Checkpoint) -> Result<PathBuf, CheckpointError> {
        if checkpoint.locals.len() != checkpoint.workers as usize {
            return Err(CheckpointError::Invalid {
                id: checkpoint.id,
                problem: format!("it has states of {} workers of {}", checkpoint.locals.len(), checkpoint.workers),
            });
        }
        let path = self.path(checkpoint.id);
        save(&path, checkpoint)?;
        self.prune(checkpoint.id)?;
        Ok(path)
    }

    fn prune(&self, newest: u64) -> Result<(), CheckpointError> {
        let ids: Vec<u64> = ids(&self.dir)?.into_iter().filter(|id| *id <= newest).collect();
        for id in &ids[..ids.len().saturating_sub(self.keep)] {
            let path = self.path(*id);
            if let Err(error) = fs::remove_file(&path) {
                // The new checkpoint is durable: an old one too many is no reason to stop.
                tracing::warn!(file = %path.display(), %error, "cannot remove an old checkpoint");
            }
        }
        Ok(())
    }

    /// Reads a checkpoint and verifies every byte of it.
    ///
    /// # Errors
    /// If it cannot be read, is damaged, or is of a later format.
    pub fn load(&self, id: u64) -> Result<Checkpoint, CheckpointError> {
        let path = self.path(id);
        let checkpoint = load(&path)?;
        check_id(&path, id, checkpoint.id)?;
        Ok(checkpoint)
    }

    /// Checks all checkpoints, see [`verify`].
    ///
    /// # Errors
    /// If the folder or a file cannot be opened.
    pub fn verify(&self) -> Result<Vec<Found>, CheckpointError> {
        verify(&self.dir)
    }

    /// Takes a damaged checkpoint out of the way, to `checkpoint-00000042.ek.damaged`, so that it is not the newest any more
    /// but can still be looked at. Returns the new name.
    ///
    /// # Errors
    /// If it cannot be renamed.
    pub fn set_aside(&self, id: u64) -> Result<PathBuf, CheckpointError> {
        let path = self.path(id);
        let aside = self.dir.join(format!("{}.damaged", file_name(id)));
        fs::rename(&path, &aside).map_err(write_error(&path))?;
        sync_folder(&self.dir)?;
        Ok(aside)
    }

    /// Removes a checkpoint that nothing was committed with.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn discard(&self, id: u64) -> Result<(), CheckpointError> {
        let path = self.path(id);
        fs::remove_file(&path).map_err(write_error(&path))?;
        sync_folder(&self.dir)
    }
}

/// A checkpoint and what it says about itself.
#[derive(Debug)]
pub struct Listed {
    /// The checkpoint, by its file name.
    pub id: u64,
    /// The file.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Its header, or what is wrong with it.
    pub header: Result<Header, CheckpointError>,
}

/// The checkpoints of a folder, oldest first; only headers are read and checked.
///
/// # Errors
/// If the folder or a file cannot be opened.
pub fn list(dir: &Path) -> Result<Vec<Listed>, CheckpointError> {
    ids(dir)?.into_iter().map(|id| look(&dir.join(file_name(id)))).collect()
}

/// One checkpoint file, under whatever name; only its header is read and checked.
///
/// # Errors
/// If it cannot be opened.
pub fn look(file: &Path) -> Result<Listed, CheckpointError> {
    let (input, bytes) = open(file)?;
    let header = Reader::new(input, bytes, file).header();
    // A file that was renamed has the id that is in it; one of a name that gives another id is not what was written.
    let named = name_of(file);
    let header = header.and_then(|header| check_id(file, named.unwrap_or(header.id), header.id).map(|()| header));
    let id = named.or(header.as_ref().ok().map(|header| header.id)).unwrap_or_default();
    Ok(Listed { id, bytes, header, path: file.to_owned() })
}

/// Writes one checkpoint file, under whatever name: whole and durable, or not at all.
///
/// # Errors
/// If it cannot be written; a file of that name is then untouched.
pub fn save(file: &Path, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
    let mut temporary = file.as_os_str().to_owned();
    temporary.push(".tmp");
    let write = || {
        let mut output = File::create(&temporary)?;
        format::write(checkpoint, &mut output)?;
        failpoint("half-checkpoint");
        output.sync_all()?;
        fs::rename(&temporary, file)
    };
    if let Err(source) = write() {
        // A full disk needs the room; that this may fail as well is not the error to report.
        fs::remove_file(&temporary).ok();
        return Err(CheckpointError::Write { path: file.to_owned(), source });
    }
    file.parent().map_or(Ok(()), sync_folder)
}

/// Reads one checkpoint file and verifies every byte of it.
///
/// # Errors
/// If it cannot be read, is damaged, or is of a later format.
pub fn load(file: &Path) -> Result<Checkpoint, CheckpointError> {
    let (input, length) = open(file)?;
    Reader::new(input, length, file).checkpoint()
}

/// What one checkpoint file says about itself. Checks the header, not the sections.
///
/// # Errors
/// If it cannot be read, its header is damaged, or it is of a later format.
pub fn inspect(file: &Path) -> Result<Header, CheckpointError> {
    let (input, length) = open(file)?;
    Reader::new(input, length, file).header()
}

/// Checks every byte of every checkpoint of a folder, oldest first, without holding one in memory.
///
/// # Errors
/// If the folder or a file cannot be opened; damage is not an error but a [`Verdict`].
pub fn verify(dir: &Path) -> Result<Vec<Found>, CheckpointError> {
    ids(dir)?.into_iter().map(|id| verify_file(&dir.join(file_name(id)))).collect()
}

/// Checks every byte of one checkpoint file, under whatever name, without holding it in memory.
///
/// # Errors
/// If it cannot be opened; damage is not an error but a [`Verdict`].
pub fn verify_file(file: &Path) -> Result<Found, CheckpointError> {
    let (input, length) = open(file)?;
    let mut reader = Reader::new(input, length, file);
    let mut id = name_of(file);
    let checked = reader.header().and_then(|header| {
        reader.check(&header)?;
        check_id(file, *id.get_or_insert(header.id), header.id)?;
        Ok((header.digest, header.position.map(|position| position.run)))
    });
    let verdict = match checked {
        Ok((digest, run)) => Verdict::Whole { digest, run },
        Err(CheckpointError::Newer { found, supported, .. }) => Verdict::Newer { found, supported },
        Err(error @ CheckpointError::Damaged { .. }) => Verdict::Damaged { reason: error.to_string() },
        Err(error) => return Err(error),
    };
    Ok(Found { id: id.unwrap_or_default(), path: file.to_owned(), verdict })
}

/// Deletes all checkpoints of a folder, damaged and half-written ones too, and nothing else.
///
/// # Errors
/// If the folder cannot be listed or a file cannot be deleted.
pub fn clear(dir: &Path) -> Result<(), CheckpointError> {
    if !dir.exists() {
        return Ok(());
    }
    for name in names(dir)? {
        let stem = name.strip_suffix(".tmp").or_else(|| name.strip_suffix(".damaged")).unwrap_or(&name);
        if parse(stem).is_some() {
            let path = dir.join(&name);
            fs::remove_file(&path).map_err(write_error(&path))?;
        }
    }
    sync_folder(dir)
}

fn check_id(path: &Path, name: u64, inside: u64) -> Result<(), CheckpointError> {
    if name == inside {
        return Ok(());
    }
    Err(CheckpointError::Damaged {
        file: path.to_owned(),
        section: "name".to_owned(),
        problem: format!("it holds checkpoint {inside}, call it {}", file_name(inside)),
    })
}

fn open(path: &Path) -> Result<(BufReader<File>, u64), CheckpointError> {
    let file = File::open(path).map_err(read_error(path))?;
    let length = file.metadata().map_err(read_error(path))?.len();
    Ok((BufReader::new(file), length))
}

/// Ids in ascending order.
fn ids(dir: &Path) -> Result<Vec<u64>, CheckpointError> {
    let mut ids: Vec<u64> = names(dir)?.iter().filter_map(|name| parse(name)).collect();
    ids.sort_unstable();
    Ok(ids)
}

fn names(dir: &Path) -> Result<Vec<String>, CheckpointError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(read_error(dir))? {
        // A name that is not UTF-8 is not ours.
        if let Ok(name) = entry.map_err(read_error(dir))?.file_name().into_string() {
            found.push(name);
        }
    }
    Ok(found)
}

/// Makes the names in a folder durable. Only Unix lets a program open a folder.
fn sync_folder(dir: &Path) -> Result<(), CheckpointError> {
    if !cfg!(unix) {
        return Ok(());
    }
    // The parent of a relative name is the empty path.
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    File::open(dir).and_then(|folder| folder.sync_all()).map_err(write_error(dir))
}

#[cfg(test)]
mod tests;
