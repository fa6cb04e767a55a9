//! Time on a processor: what a thread takes of it is the same on a busy machine. Linux only: it reads `/proc`.

use std::fs;
use std::path::Path;

/// Seconds that this thread has been on a processor.
pub fn of_this_thread() -> f64 {
    seconds(Path::new("/proc/thread-self")).expect("this is Linux")
}

/// The same of all threads whose names begin with `name`.
pub fn of_threads(name: &str) -> f64 {
    let threads = fs::read_dir("/proc/self/task").expect("this is Linux").filter_map(Result::ok);
    let named = |folder: &Path| fs::read_to_string(folder.join("comm")).is_ok_and(|comm| comm.starts_with(name));
    threads.map(|thread| thread.path()).filter(|path| named(path)).filter_map(|path| seconds(&path)).sum()
}

fn seconds(thread: &Path) -> Option<f64> {
    let text = fs::read_to_string(thread.join("schedstat")).ok()?;
    Some(text.split(' ').next()?.parse::<f64>().ok()? / 1e9)
}
