//! Cleans up after this process, however it ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A child that waits for our end: it kills the service that is named in a file, then removes its folder.
pub struct Janitor {
    folder: PathBuf,
    /// Its standard input is a pipe from us, which the system closes when we are gone.
    shell: Child,
}

impl Janitor {
    /// Watches over a folder.
    pub fn hire(folder: &Path) -> Self {
        let script =
            r#"cat >/dev/null; [ ! -s "$1/pid" ] || kill -9 "$(cat "$1/pid")" 2>/dev/null; sleep 0.2; rm -rf "$1""#;
        let mut shell = Command::new("sh");
        shell.args(["-c", script, "janitor"]).arg(folder).stdin(Stdio::piped()).stdout(Stdio::null());
        let shell = shell.stderr(Stdio::null()).spawn().unwrap();
        Self { folder: folder.to_owned(), shell }
    }

    /// The service runs now under this number, or not at all.
    pub fn watch(&self, process: Option<u32>) {
        fs::write(self.folder.join("pid"), process.map(|id| id.to_string()).unwrap_or_default()).unwrap();
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}
