//! Whole runs through the dataflow, from Parquet to Parquet.

use std::path::Path;
use std::sync::{Arc, Mutex};

use evenkeel::flow::EpochReport;
use evenkeel::pipeline::{GAP_BUCKETS, Totals};

use super::line;
use super::support::program::{Ended, Program};

/// Seconds of all workers by stage.
#[derive(Clone, Copy, Debug, Default)]
struct Stages {
    read: f64,
    featurize: f64,
    write: f64,
}

fn run(program: &Program) -> (Ended, Stages) {
    let stages = Arc::new(Mutex::new(Stages::default()));
    let sum = Arc::clone(&stages);
    let ended = program.run(Arc::new(move |report: &EpochReport| {
        let mut sum = sum.lock().unwrap();
        sum.read += report.read_seconds;
        sum.featurize += report.featurize_seconds;
        sum.write += report.write_seconds;
    }));
    let stages = *stages.lock().unwrap();
    (ended, stages)
}

fn pipeline(file: &Path, workers: usize, rest: &str) -> String {
    format!(
        "[pipeline]\nname = \"speed\"\nworkers = {workers}\n[source.parquet]\npaths = [{:?}]\n{rest}",
        file.display().to_string()
    )
}

fn shares(name: &str, ended: &Ended, stages: Stages) {
    line(&format!("{name}, one worker: input rows"), ended.totals.input_rows as f64 / ended.seconds, "1/s");
    let share = 100.0 * (stages.read + stages.featurize) / ended.seconds;
    line(&format!("{name}: share of reading and featurising"), share, "% of wall time");
    line(&format!("{name}: share of writing"), 100.0 * stages.write / ended.seconds, "% of wall time");
}

fn gaps(name: &str, totals: &Totals) {
    let all: u64 = totals.gaps.iter().sum();
    let cells = GAP_BUCKETS.iter().zip(&totals.gaps).map(|(end, count)| format!("≤ {end}: {count}"));
    let histogram = cells.collect::<Vec<_>>().join(", ");
    line(&format!("{name}: longest time between emissions ({all} in all: {histogram})"), totals.longest_gap_s, "s");
}

/// HAR: learning with one and two workers, and a frozen model from Parquet to Parquet.
pub fn har(data: &Path) {
    let scratch = tempfile::tempdir().unwrap();
    let file = data.join("har_uci_561_full.parquet");
    let features = "[features]\ncolumns = [\"features\"]\nkey = \"subject\"\ntime = \"timestamp_ns\"\nlabel = \"label\"\n\
                    [model]\nclusters = 6\n";
    let program = |name: &str, workers, rest: &str| {
        Program::new(&scratch.path().join(name), &pipeline(&file, workers, &format!("{features}{rest}")))
    };
    let default = program("default", 1, "");
    let (ended, stages) = run(&default);
    shares("HAR run", &ended, stages);
    gaps("HAR run", &ended.totals);
    for replay in [4, 32] {
        let rest = format!("[learning]\nrefresh_steps = 0\nreplay_ratio = {replay}\n");
        let seconds = |turn, workers| run(&program(&format!("{replay} {turn} {workers}"), workers, &rest)).0.seconds;
        let mut ratios = [0, 1, 2].map(|turn| seconds(turn, 1) / seconds(turn, 2));
        ratios.sort_by(f64::total_cmp);
        let name =
            format!("HAR run, no challengers, replay_ratio = {replay}: two workers against one, median of three");
        line(&name, ratios[1], "times as fast");
    }
    // Twenty copies: one would be over before the clock is worth reading.
    let many = scratch.path().join("many");
    std::fs::create_dir(&many).unwrap();
    for copy in 0..20 {
        std::fs::copy(&file, many.join(format!("{copy:02}.parquet"))).unwrap();
    }
    let rate = |name: &str, workers| {
        let text = pipeline(&many.join("*.parquet"), workers, features);
        let ended = Program::new(&scratch.path().join(name), &text).assign(&default);
        ended.totals.assigned_rows as f64 / ended.seconds
    };
    let (one, two) = (rate("assign one", 1), rate("assign two", 2));
    line("HAR assign from Parquet to Parquet, one worker: rows", one, "1/s");
    line("HAR assign: two workers against one", two / one, "times as fast");
}

/// The raw watch stream through windows.
pub fn watch(data: &Path) {
    let scratch = tempfile::tempdir().unwrap();
    let rest = "[features]\nkey = [\"subject\", \"side\"]\ntime = \"timestamp_ns\"\nseries = \"series\"\nlabel = \"label\"\n\
                [features.window]\nsensors = [[\"ax\", \"ay\", \"az\"], [\"wx\", \"wy\", \"wz\"]]\nrate_hz = 50\n\
                length_s = 2.56\nhop_s = 1.28\n[model]\nclusters = 7\n";
    let text = pipeline(&data.join("watch_shoulder_raw.parquet"), 1, rest);
    let (ended, stages) = run(&Program::new(scratch.path(), &text));
    shares("raw watch run", &ended, stages);
    gaps("raw watch run", &ended.totals);
}
