//! Resident memory while a pipeline learns from a topic. Linux only: it reads `/proc/self/status`.

use std::process::Command;
use std::sync::{Arc, Mutex};

use super::end_to_end::pipeline;
use super::kafka::{fresh_topic, shared};
use super::support::arguments::argument;
use super::support::program::Program;
use super::topic::Topic;

/// What the process that is measured has to know.
pub struct Given {
    folder: String,
    rows: u64,
}

impl Given {
    /// From the command line, if this is that process.
    pub fn from_arguments() -> Option<Self> {
        let folder: String = argument("memory-of", String::new());
        (!folder.is_empty()).then(|| Self { folder, rows: argument("rows", 0) })
    }
}

/// Memory over all rows of a topic, learned from in a process of its own.
pub fn of(topic: &Topic) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = fresh_topic(shared().bootstrap(), "out", 1);
    // Little is learned from a row, so that two million are done in minutes.
    let rest = format!(
        "[learning]\nchunk_rows = 1024\nsteps = 1\nreplay_ratio = 1\nwarmup_steps = 100\nrefresh_steps = 0\n\
         [sink.kafka]\ntopic = {output:?}\nformat = \"arrow-ipc\"\n"
    );
    std::fs::write(folder.path().join("text.toml"), pipeline(topic, &format!("{}-memory", topic.name), &rest)).unwrap();
    let mut measured = Command::new(std::env::current_exe().unwrap());
    measured.arg("--memory-of").arg(folder.path()).args(["--rows", &topic.total().to_string()]);
    let output = measured.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Runs the pipeline and prints the median of every tenth of the rows.
pub fn measure(given: &Given) {
    let folder = std::path::Path::new(&given.folder);
    let text = std::fs::read_to_string(folder.join("text.toml")).unwrap();
    let readings = Arc::new(Mutex::new(vec![Vec::new(); 10]));
    let (kept, rows) = (Arc::clone(&readings), given.rows);
    Program::new(folder, &text).watched_run_for(
        rows,
        Arc::new(move |seen| kept.lock().unwrap()[(seen * 10 / rows).min(9) as usize].push(resident())),
    );
    let median = |tenth: &Vec<u64>| {
        let mut tenth = tenth.clone();
        tenth.sort_unstable();
        tenth.get(tenth.len() / 2).copied().unwrap_or(0)
    };
    let tenths: Vec<u64> = readings.lock().unwrap().iter().map(median).collect();
    let change = 100.0 * (tenths[9] as f64 / tenths[1] as f64 - 1.0);
    println!("resident over {rows} rows, KiB, median of each tenth: {tenths:?}; last against second: {change:+.1} %");
}

/// Resident memory of this process in KiB.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
