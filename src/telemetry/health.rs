//! Whether the run is alive and ready, and why not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use metrics::Gauge;

/// Shared by the pipeline, which knows, and the server, which tells. Starts alive and not ready.
#[derive(Clone, Debug)]
pub struct Health(Arc<State>);

#[derive(Debug)]
struct State {
    live: AtomicBool,
    ready: AtomicBool,
    reason: Mutex<String>,
    gauge: Gauge,
}

impl Default for Health {
    fn default() -> Self {
        Self::shown(Gauge::noop())
    }
}

impl Health {
    /// Shows in `gauge` whether it is ready.
    pub fn shown(gauge: Gauge) -> Self {
        gauge.set(0.0);
        let reason = Mutex::new("starting".to_owned());
        Self(Arc::new(State { live: AtomicBool::new(true), ready: AtomicBool::new(false), reason, gauge }))
    }

    /// Input and output are connected and no restore is running.
    pub fn ready(&self) {
        self.set_ready(true);
    }

    /// Rows cannot be processed now.
    pub fn not_ready(&self, reason: impl Into<String>) {
        self.explain(reason.into());
        self.set_ready(false);
    }

    /// The run is beyond recovery: whoever supervises the process should restart it.
    pub fn dead(&self, reason: impl Into<String>) {
        self.explain(reason.into());
        self.set_ready(false);
        self.0.live.store(false, Ordering::Release);
    }

    /// Whether the process should be left running.
    ///
    /// # Errors
    /// With the reason if not.
    pub fn liveness(&self) -> Result<(), String> {
        self.verdict(&self.0.live)
    }

    /// Whether rows are being processed.
    ///
    /// # Errors
    /// With the reason if not.
    pub fn readiness(&self) -> Result<(), String> {
        self.verdict(&self.0.ready)
    }

    fn set_ready(&self, ready: bool) {
        self.0.ready.store(ready, Ordering::Release);
        self.0.gauge.set(f64::from(u8::from(ready)));
    }

    fn verdict(&self, flag: &AtomicBool) -> Result<(), String> {
        if flag.load(Ordering::Acquire) { Ok(()) } else { Err(self.reason().clone()) }
    }

    fn explain(&self, reason: String) {
        *self.reason() = reason;
    }

    fn reason(&self) -> std::sync::MutexGuard<'_, String> {
        // A string is whole whatever its writer died of.
        self.0.reason.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
