//! The progress bar of a run: only on a terminal.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::pipeline::Progress;

/// Draws the bar until it is dropped.
pub struct Bar {
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Bar {
    /// Shows rows, rows per second, time left and shares; nothing if standard error is not a terminal.
    pub fn start(progress: &Arc<Progress>, total_rows: u64) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        if !std::io::stderr().is_terminal() {
            return Self { done, thread: None };
        }
        let (progress, stop) = (Arc::clone(progress), Arc::clone(&done));
        let thread = std::thread::spawn(move || {
            let bar = ProgressBar::new(total_rows);
            let style = "{bar:30} {human_pos}/{human_len} rows  {per_sec}  {eta} left  {msg}";
            if let Ok(style) = ProgressStyle::with_template(style) {
                bar.set_style(style);
            }
            while !stop.load(Ordering::Acquire) {
                let totals = progress.totals();
                bar.set_position(totals.input_rows);
                bar.set_message(if totals.status.warming {
                    "warming up".to_owned()
                } else {
                    let shares: Vec<String> =
                        totals.status.shares.iter().map(|s| format!("{:.0}", 100.0 * s)).collect();
                    format!("shares % [{}]", shares.join(" "))
                });
                std::thread::sleep(Duration::from_millis(100));
            }
            bar.finish_and_clear();
        });
        Self { done, thread: Some(thread) }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // Its panic would already be on standard error, and a bar is no reason to fail a run.
            let _ = thread.join();
        }
    }
}
