//! One run per run directory.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::CheckpointError;

/// Holds `<run_dir>/lock` until it is dropped or the process ends, however it ends.
///
/// The file stays: removing it would let two processes hold a lock each, on files of one name.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

impl RunLock {
    /// Takes the lock and writes this process's id into it; creates the directory if needed.
    ///
    /// # Errors
    /// If another process holds it (named by its id), or the file cannot be created or locked.
    pub fn acquire(run_dir: &Path) -> Result<Self, CheckpointError> {
        fs::create_dir_all(run_dir).map_err(|source| CheckpointError::Create { path: run_dir.to_owned(), source })?;
        let path = run_dir.join("lock");
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|source| CheckpointError::Create { path: path.clone(), source })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(CheckpointError::Locked { run_dir: run_dir.to_owned(), holder: holder(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(CheckpointError::Lock { path, source }),
        }
        let mut write = || {
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(format!("{}\n", std::process::id()).as_bytes())?;
            file.sync_all()
        };
        write().map_err(|source| CheckpointError::Write { path, source })?;
        Ok(Self { _file: file })
    }
}

/// Who holds the lock. The id is missing for the moment between locking and writing, and where a locked file cannot be
/// read.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let id = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse::<u32>().ok());
    id.map_or_else(|| "another process".to_owned(), |id| format!("process {id}"))
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;

    #[test]
    fn a_second_holder_is_told_who_holds_the_lock() {
        let dir = tempdir().unwrap();
        let run_dir = dir.path().join("runs/har");
        let lock = RunLock::acquire(&run_dir).unwrap();
        let error = RunLock::acquire(&run_dir).unwrap_err();
        assert!(matches!(error, CheckpointError::Locked { .. }));
        let text = error.to_string();
        assert!(text.contains(&format!("process {}:", std::process::id())), "{text}");
        assert!(text.contains("runs/har") && text.contains("pipeline.run_dir"), "{text}");
        drop(lock);
        RunLock::acquire(&run_dir).unwrap();
    }

    #[test]
    fn the_id_of_a_process_that_is_gone_does_not_matter() {
        let dir = tempdir().unwrap();
        fs::write(dir.path().join("lock"), "4194304999\n").unwrap();
        let _lock = RunLock::acquire(dir.path()).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("lock")).unwrap(), format!("{}\n", std::process::id()));
    }

    #[test]
    fn a_holder_that_has_not_written_its_id_is_another_process() {
        let dir = tempdir().unwrap();
        let file = File::create(dir.path().join("lock")).unwrap();
        file.try_lock().unwrap();
        let error = RunLock::acquire(dir.path()).unwrap_err();
        assert!(error.to_string().contains("another process"), "{error}");
    }

    #[test]
    fn a_run_directory_that_cannot_be_created_is_named() {
        let dir = tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let error = RunLock::acquire(&dir.path().join("file/run")).unwrap_err();
        assert!(matches!(error, CheckpointError::Create { .. }));
        assert!(error.to_string().contains("file/run"), "{error}");
    }
}
