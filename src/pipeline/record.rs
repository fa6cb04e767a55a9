//! Checkpoints as files.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::progress::Progress;
use crate::checkpoint::{Checkpoint, Digest, Local, Store};
use crate::flow::Record;
use crate::replica::Status;

/// Writes each checkpoint to the store. On workers other than 0 it is never called.
pub(super) struct Files {
    pub(super) store: Option<Store>,
    pub(super) next_id: u64,
    pub(super) digest: Digest,
    pub(super) epochs_per_pass: u64,
    pub(super) progress: Arc<Progress>,
    pub(super) on_kept: Arc<dyn Fn(f64) + Send + Sync>,
}

impl Files {
    /// Keeps nothing: for runs that change no state.
    pub(super) fn none() -> Self {
        Self {
            store: None,
            next_id: 0,
            digest: Digest::default(),
            epochs_per_pass: u64::MAX,
            progress: Arc::default(),
            on_kept: Arc::new(|_| {}),
        }
    }
}

impl Record for Files {
    fn keep(
        &mut self,
        epoch: u64,
        replica: Vec<u8>,
        locals: &[Local],
        finished: bool,
        status: &Status,
    ) -> Result<(), String> {
        let Some(store) = &mut self.store else { return Ok(()) };
        let started = std::time::Instant::now();
        let checkpoint = Checkpoint {
            id: self.next_id,
            epoch: epoch + 1,
            pass: epoch / self.epochs_per_pass,
            digest: self.digest.clone(),
            model_version: status.model_version,
            rows: status.rows,
            workers: locals.len() as u32,
            finished,
            created_unix_s: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            replica,
            locals: locals.to_vec(),
        };
        store.write(&checkpoint).map_err(|error| error.to_string())?;
        self.next_id += 1;
        self.progress.checkpoint();
        (self.on_kept)(started.elapsed().as_secs_f64());
        Ok(())
    }
}
