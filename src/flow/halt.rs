//! How a flow is stopped: at the end of an epoch when asked to, at once when it breaks.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::FlowError;

/// Shared by all workers and whoever supervises them.
#[derive(Debug)]
pub struct Control {
    halted: AtomicBool,
    error: Mutex<Option<FlowError>>,
    stop: AtomicBool,
    last_epoch: AtomicU64,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            halted: AtomicBool::new(false),
            error: Mutex::new(None),
            stop: AtomicBool::new(false),
            last_epoch: AtomicU64::new(u64::MAX),
        }
    }
}

impl Control {
    /// Asks the flow to end after the current epoch, with a checkpoint.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    /// Whether a stop was asked for.
    #[must_use]
    pub fn stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Worker 0 has decided that this epoch is the last one.
    pub(super) fn end_after(&self, epoch: u64) {
        self.last_epoch.store(epoch, Ordering::Release);
    }

    /// The last epoch; the largest number while none is known.
    pub(super) fn last_epoch(&self) -> u64 {
        self.last_epoch.load(Ordering::Acquire)
    }

    /// Stops everything; the first error is kept.
    pub(super) fn halt(&self, error: FlowError) {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.halted.store(true, Ordering::Release);
    }

    pub(super) fn halted(&self) -> bool {
        self.halted.load(Ordering::Acquire)
    }

    pub(super) fn take_error(&self) -> Option<FlowError> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Halts the other workers when the thread that holds it panics.
pub(super) struct PanicGuard(pub(super) Arc<Control>);

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.halt(FlowError::Panicked);
        }
    }
}
