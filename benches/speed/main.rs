//! How fast the parts are, and the whole; ratios where a number would be one of the machine.
//!
//! ```text
//! cargo bench --bench speed -- [--data DIR]
//! ```

mod parts;
mod whole;

#[path = "../support/mod.rs"]
mod support;

use std::time::Instant;

/// Seconds that `work` takes, and what it gave.
fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let started = Instant::now();
    let result = work();
    (started.elapsed().as_secs_f64(), result)
}

/// One line of the table.
fn line(what: &str, value: f64, unit: &str) {
    let digits = if value < 100.0 { 3 } else { 0 };
    println!("| {what} | {value:.digits$} | {unit} |");
}

fn main() {
    let data = support::arguments::data_folder();
    println!("| what | value | unit |\n|---|---|---|");
    parts::learner(&data);
    parts::input(&data);
    whole::har(&data);
    whole::watch(&data);
}
