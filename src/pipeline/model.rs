//! Models that earlier runs have left.

use std::path::Path;

use super::setup;
use crate::checkpoint::{self, Checkpoint, Verdict};
use crate::config::Plan;
use crate::error::Error;

/// The newest sound checkpoint of a folder. Only reads: a run may be writing there.
///
/// # Errors
/// If the folder or a file in it cannot be read.
pub(super) fn newest(folder: &Path) -> Result<Option<Checkpoint>, Error> {
    if !folder.is_dir() {
        return Ok(None);
    }
    for found in checkpoint::verify(folder)?.into_iter().rev() {
        match found.verdict {
            Verdict::Whole { .. } => return Ok(Some(checkpoint::load(&found.path)?)),
            Verdict::Damaged { reason } => {
                tracing::warn!(checkpoint = found.id, reason, "checkpoint is damaged and passed over");
            }
            Verdict::Newer { found: format, supported } => {
                tracing::warn!(checkpoint = found.id, format, supported, "checkpoint is of a later program");
            }
        }
    }
    Ok(None)
}

/// Refuses a model that was made with settings it cannot be used without.
///
/// # Errors
/// If a setting differs, with its name.
pub(super) fn check(plan: &Plan, checkpoint: &Checkpoint) -> Result<(), Error> {
    let wanted = setup::modelled(plan)?;
    let differing = checkpoint.digest.differences(&wanted);
    match differing.iter().find(|d| wanted.iter().any(|(name, _)| *name == d.setting)) {
        Some(difference) => {
            Err(Error::Usage(format!("the model in the checkpoint was made with another setting: {difference}")))
        }
        None => Ok(()),
    }
}
