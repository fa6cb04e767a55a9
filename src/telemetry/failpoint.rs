//! Places where tests let the program die.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Kills the process as `kill -9` would when it comes here, if the environment variable `EVENKEEL_FAILPOINT` says so: `name`, or
/// `name*3` for the third time. The places lie between the steps of a checkpoint, so the question costs nothing; it is asked in
/// every build, because the optimised one is what users run and what is to be tested.
pub fn failpoint(name: &str) {
    static WANTED: OnceLock<Option<(String, AtomicU64)>> = OnceLock::new();
    let wanted = WANTED.get_or_init(|| {
        let text = std::env::var("EVENKEEL_FAILPOINT").ok()?;
        let (name, times) = text.split_once('*').unwrap_or((text.as_str(), "1"));
        Some((name.to_owned(), AtomicU64::new(times.parse().unwrap_or(1))))
    });
    if let Some((place, left)) = wanted
        && place == name
        && left.fetch_sub(1, Ordering::AcqRel) == 1
    {
        // A handler is never run for this signal, and what could not be sent needs no answer.
        let _ = signal_hook::low_level::raise(signal_hook::consts::SIGKILL);
    }
}
