//! Files in folders that may not be there yet.

use std::path::Path;

use crate::connector::ConnectorError;

/// Makes the folder that a file belongs in.
///
/// # Errors
/// If it cannot be made.
pub(super) fn make_folder_of(file: &Path) -> Result<(), ConnectorError> {
    match file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(|source| ConnectorError::Create { path: folder.into(), source })
        }
        None => Ok(()),
    }
}

/// Writes a file of text, in place of what is there.
///
/// # Errors
/// If its folder or the file cannot be written.
pub fn write_text(file: &Path, text: &str) -> Result<(), ConnectorError> {
    make_folder_of(file)?;
    std::fs::write(file, text).map_err(|source| ConnectorError::Write { path: file.into(), source })
}
