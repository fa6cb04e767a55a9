//! Every change a sink makes to the disk, one function each, so that tests can stop a sink after any of them.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use crate::connector::ConnectorError;

fn create_error(path: &Path, source: io::Error) -> ConnectorError {
    ConnectorError::Create { path: path.to_owned(), source }
}

/// The error of a write to `path`.
pub(super) fn write_error(path: &Path, source: io::Error) -> ConnectorError {
    ConnectorError::Write { path: path.to_owned(), source }
}

/// Creates a folder and those above it, and makes their names durable.
pub(super) fn create_folder(path: &Path) -> Result<(), ConnectorError> {
    let missing: Vec<&Path> = path.ancestors().take_while(|folder| !folder.exists()).collect();
    fs::create_dir_all(path).map_err(|e| create_error(path, e))?;
    for folder in missing {
        match folder.parent() {
            Some(above) if above.as_os_str().is_empty() => sync_folder(Path::new("."))?,
            Some(above) => sync_folder(above)?,
            None => {}
        }
    }
    Ok(())
}

/// Creates an empty file, in place of an older one of this name.
pub(super) fn create(path: &Path) -> Result<File, ConnectorError> {
    step().map_err(|e| create_error(path, e))?;
    let file = File::options().read(true).write(true).create(true).truncate(true).open(path);
    #[cfg(test)]
    harness::wrote(path, 0);
    file.map_err(|e| create_error(path, e))
}

/// Writes `bytes` from position `at` on.
pub(super) fn write_at(file: &mut File, path: &Path, at: u64, bytes: &[u8]) -> Result<(), ConnectorError> {
    #[cfg(test)]
    harness::wrote(path, at);
    let mut write = || {
        file.seek(SeekFrom::Start(at))?;
        #[cfg(test)]
        if harness::is_last_step() {
            file.write_all(&bytes[..bytes.len() / 2])?;
        }
        step()?;
        file.write_all(bytes)
    };
    write().map_err(|e| write_error(path, e))
}

/// Shortens a file.
pub(super) fn truncate(file: &File, path: &Path, bytes: u64) -> Result<(), ConnectorError> {
    step().and_then(|()| file.set_len(bytes)).map_err(|e| write_error(path, e))
}

/// Makes the contents of a file durable.
pub(super) fn sync(file: &File, path: &Path) -> Result<(), ConnectorError> {
    step().map_err(|e| write_error(path, e))?;
    #[cfg(test)]
    harness::synced(path);
    #[cfg(test)]
    if harness::is_armed() {
        return Ok(());
    }
    file.sync_all().map_err(|e| write_error(path, e))
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(path: &Path) -> Result<(), ConnectorError> {
    step().map_err(|e| write_error(path, e))?;
    #[cfg(test)]
    if harness::is_armed() {
        return Ok(());
    }
    // Only Unix lets a program open a folder; elsewhere the file system keeps names in order by itself.
    if cfg!(unix) {
        File::open(path).and_then(|folder| folder.sync_all()).map_err(|e| write_error(path, e))?;
    }
    Ok(())
}

/// Gives a file its final name, in place of an older one of this name.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), ConnectorError> {
    step().and_then(|()| fs::rename(from, to)).map_err(|e| write_error(to, e))?;
    #[cfg(test)]
    harness::renamed(from, to);
    Ok(())
}

/// Deletes a file, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), ConnectorError> {
    match step().and_then(|()| fs::remove_file(path)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        outcome => outcome.map_err(|e| write_error(path, e))?,
    }
    #[cfg(test)]
    harness::synced(path);
    Ok(())
}

/// Length of a file, `None` if there is none.
pub(super) fn length(path: &Path) -> Result<Option<u64>, ConnectorError> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(ConnectorError::Unreadable { file: path.display().to_string(), problem: e.to_string() }),
    }
}

#[cfg(not(test))]
fn step() -> io::Result<()> {
    Ok(())
}
#[cfg(test)]
use harness::step;

/// Stops the sinks of this thread after a number of steps, and knows what a power failure would lose.
#[cfg(test)]
pub(super) mod harness {
    use std::cell::{Cell, RefCell};
    use std::collections::HashMap;
    use std::fs::File;
    use std::io;
    use std::path::{Path, PathBuf};

    thread_local! {
        static LEFT: Cell<Option<u64>> = const { Cell::new(None) };
        static DURABLE: RefCell<HashMap<PathBuf, u64>> = RefCell::new(HashMap::new());
    }

    /// Lets `steps` more changes happen and none after them; syncing is then only booked, not done.
    pub(crate) fn stop_after(steps: u64) {
        LEFT.set(Some(steps));
    }

    /// Lets everything happen again; returns the steps that were left.
    pub(crate) fn disarm() -> Option<u64> {
        LEFT.take()
    }

    pub(super) fn is_armed() -> bool {
        LEFT.get().is_some()
    }

    pub(super) fn is_last_step() -> bool {
        LEFT.get() == Some(0)
    }

    pub(super) fn step() -> io::Result<()> {
        match LEFT.get() {
            None => Ok(()),
            Some(0) => Err(io::Error::other("stopped by the test")),
            Some(left) => {
                LEFT.set(Some(left - 1));
                Ok(())
            }
        }
    }

    pub(super) fn wrote(path: &Path, at: u64) {
        DURABLE.with_borrow_mut(|durable| {
            let entry = durable.entry(path.to_owned()).or_insert(at);
            *entry = at.min(*entry);
        });
    }

    pub(super) fn synced(path: &Path) {
        DURABLE.with_borrow_mut(|durable| durable.remove(path));
    }

    pub(super) fn renamed(from: &Path, to: &Path) {
        DURABLE.with_borrow_mut(|durable| {
            durable.remove(to);
            if let Some(bytes) = durable.remove(from) {
                durable.insert(to.to_owned(), bytes);
            }
        });
    }

    /// Forgets what was not synced: the machine goes on after a kill.
    pub(crate) fn survive() {
        DURABLE.with_borrow_mut(HashMap::clear);
    }

    /// Cuts every file back to what was synced.
    pub(crate) fn lose_power() {
        for (path, bytes) in DURABLE.with_borrow_mut(std::mem::take) {
            if let Ok(file) = File::options().write(true).open(&path) {
                file.set_len(bytes.min(file.metadata().unwrap().len())).unwrap();
            }
        }
    }
}
