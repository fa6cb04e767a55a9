//! Resident memory after 0.2 and after 2 million rows of the same stream, learning all the time.
//!
//! ```text
//! cargo bench --bench memory
//! ```
//!
//! Linux only: it reads `/proc/self/status`. Each size runs in a process of its own.

#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use arrow_array::types::Float32Type;
use arrow_array::{ArrayRef, FixedSizeListArray, Int32Array, RecordBatch};
use evenkeel::stats::random;
use rand::Rng;
use support::arguments::argument;
use support::program::Program;
use support::stream;

/// Rows of the file that is repeated.
const ROWS: usize = 20_000;
const WIDTH: usize = 16;

fn main() {
    let copies: usize = argument("copies", 0);
    if copies > 0 {
        return measure(copies);
    }
    println!("| rows | resident at the end (KiB) | highest (KiB) |\n|---|---|---|");
    let lines: Vec<Vec<f64>> = [10, 100].into_iter().map(child).collect();
    println!("\nat the end: {:+.1} %, highest: {:+.1} %", change(&lines, 1), change(&lines, 2));
}

fn change(lines: &[Vec<f64>], column: usize) -> f64 {
    100.0 * (lines[1][column] / lines[0][column] - 1.0)
}

/// Runs this program again with so many copies; returns rows and memory.
fn child(copies: usize) -> Vec<f64> {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).args(["--copies", &copies.to_string()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let line = String::from_utf8(output.stdout).unwrap();
    print!("{line}");
    line.split('|').filter_map(|cell| cell.trim().parse().ok()).collect()
}

fn measure(copies: usize) {
    let scratch = tempfile::tempdir().unwrap();
    let input = scratch.path().join("input");
    std::fs::create_dir(&input).unwrap();
    let first = input.join("00000.parquet");
    stream::write(&first, &rows());
    for copy in 1..copies {
        std::fs::hard_link(&first, input.join(format!("{copy:05}.parquet"))).unwrap();
    }
    let text = format!(
        "[pipeline]\nname = \"memory\"\nworkers = 1\n[source.parquet]\npaths = [{:?}]\n[features]\ncolumns = [\"features\"]\n\
         key = \"device\"\nlabel = \"label\"\n[model]\nclusters = 8\n[learning]\nsteps = 1\nreplay_ratio = 1\n",
        input.join("*.parquet").display().to_string()
    );
    let program = Program::new(&scratch.path().join("run"), &text);
    // The newest readings, of which the median is taken: a checkpoint in progress would show in the last one.
    let readings = Arc::new(Mutex::new(Vec::new()));
    let (kept, epochs) = (Arc::clone(&readings), AtomicU64::new(0));
    let ended = program.run(Arc::new(move |_| {
        if epochs.fetch_add(1, Ordering::Relaxed).is_multiple_of(64) {
            kept.lock().unwrap().push(status("VmRSS:"));
        }
    }));
    let mut last = readings.lock().unwrap().clone();
    last.drain(..last.len() / 2);
    last.sort_unstable();
    println!("| {} | {} | {} |", ended.totals.input_rows, last[last.len() / 2], status("VmHWM:"));
}

/// A line of this process's status, in KiB.
fn status(name: &str) -> u64 {
    let text = std::fs::read_to_string(Path::new("/proc/self/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Eight groups of 16 features on 20 devices, each row near the one before.
fn rows() -> RecordBatch {
    let mut rng = random::stream(1, "memory", 0);
    let group = |row: usize| (row / 50) % 8;
    let features = (0..ROWS).map(|row| {
        let values: Vec<Option<f32>> =
            (0..WIDTH).map(|d| Some(((d + group(row)) % 8) as f32 + rng.random_range(-1.0..1.0))).collect();
        Some(values)
    });
    let features = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(features, WIDTH as i32);
    let devices = Int32Array::from_iter_values((0..ROWS).map(|row| (row / 1000) as i32));
    let labels = Int32Array::from_iter_values((0..ROWS).map(|row| group(row) as i32));
    let columns: [(&str, ArrayRef); 3] =
        [("features", Arc::new(features)), ("device", Arc::new(devices)), ("label", Arc::new(labels))];
    RecordBatch::try_from_iter(columns).unwrap()
}
