//! SIGTERM and SIGINT end a run in good order.

use std::sync::Arc;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::flow::Control;

/// The first signal asks the flow to end after the current epoch, with a checkpoint; the second one, or the end of `grace`,
/// ends the process at once, which loses nothing but the time since the last checkpoint.
///
/// # Errors
/// If signals cannot be caught.
pub fn stop_on_signals(control: &Arc<Control>, grace: Duration) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let control = Arc::clone(control);
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut pending = signals.forever();
        let Some(first) = pending.next() else { return };
        tracing::info!(signal = first, "stopping after the current epoch; a second signal stops at once");
        control.stop();
        std::thread::spawn(move || {
            std::thread::sleep(grace);
            tracing::error!("not drained within pipeline.shutdown_grace_s; the last checkpoint holds");
            std::process::exit(i32::from(crate::error::exit::INTERNAL));
        });
        if let Some(second) = pending.next() {
            tracing::warn!("second signal: stopping at once; the last checkpoint holds");
            std::process::exit(128 + second);
        }
    })?;
    Ok(())
}
