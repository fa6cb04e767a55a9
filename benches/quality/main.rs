//! The quality table: every line is the whole program on a stream in a given order.
//!
//! ```text
//! cargo bench --bench quality -- [--data DIR] [--seeds 3] [--only TEXT] [--output FILE] [--reference "PYTHON SCRIPT"]
//! ```
//!
//! `--only`: lines whose data, order and settings contain the text. `--reference`: also runs the PyTorch recipe on HAR.

mod cases;
mod report;
mod score;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use arrow_array::RecordBatch;
use cases::{CASES, Case, Set};
use report::Report;
use score::Score;
use support::arguments::{argument, data_folder};
use support::program::{Program, assignments};
use support::stream;

fn main() {
    let (data, seeds, only) = (data_folder(), argument("seeds", 3u64), argument("only", String::new()));
    let default = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/quality.md");
    let mut report = Report::open(&argument("output", default));
    let mut compared = BTreeSet::new();
    for case in CASES {
        let (name, order, settings) = (case.set.name, case.order.to_string(), describe(case));
        if !format!("{name} {order} {settings}").contains(&only) {
            continue;
        }
        let rows = stream::read(&data.join(name).with_extension("parquet"));
        let devices = stream::devices(&rows, case.set.key);
        let scores: Vec<Score> = (0..seeds).map(|seed| measure(case, &rows, &devices, seed)).collect();
        report.add(name, &order, &settings, &scores);
        if let Some(scale) = case.set.baseline.filter(|_| case.lost == 0 && compared.insert(name)) {
            let fit = |seed| score::k_means(&rows, &devices, case.set.clusters, scale, seed);
            report.add(name, "all at once", "k-means", &(0..seeds).map(fit).collect::<Vec<_>>());
        }
    }
    let reference: String = argument("reference", String::new());
    if !reference.is_empty() {
        let topic = "PyTorch recipe, HAR natural, seed 0: ";
        report.remark(topic, &reference_run(&reference, &data.join("har_uci_561_full.parquet")));
    }
}

fn describe(case: &Case) -> String {
    let lost = (case.lost > 0).then(|| format!("devices lose {} classes", case.lost));
    let words: Vec<String> = lost.into_iter().chain(case.settings.iter().map(|text| (*text).to_owned())).collect();
    if words.is_empty() { "defaults".to_owned() } else { words.join(", ") }
}

fn pipeline(set: &Set, settings: &[&str], file: &Path, seed: u64) -> String {
    let mut text = format!(
        "[pipeline]\nname = \"quality\"\nseed = {seed}\nworkers = 1\n[source.parquet]\npaths = [{:?}]\n\
         [features]\nlabel = \"label\"\nkey = {:?}\n{}\n[model]\nclusters = {}\n",
        file.display().to_string(),
        set.key,
        set.features,
        set.clusters,
    );
    for table in ["balance", "learning"] {
        let prefix = format!("{table}.");
        text += &format!("[{table}]\n");
        for (key, value) in settings.iter().filter_map(|s| s.strip_prefix(&prefix)).filter_map(|s| s.split_once('=')) {
            let value = if value.parse::<f64>().is_ok() { value.to_owned() } else { format!("{value:?}") };
            text += &format!("{key} = {value}\n");
        }
    }
    text
}

fn measure(case: &Case, rows: &RecordBatch, devices: &[usize], seed: u64) -> Score {
    let scratch = tempfile::tempdir().unwrap();
    let (given, streamed) = (scratch.path().join("given.parquet"), scratch.path().join("stream.parquet"));
    let kept: Vec<usize> = match case.lost {
        0 => (0..rows.num_rows()).collect(),
        lost => stream::lose_labels(devices, &stream::integers(rows, "label"), lost, seed),
    };
    let rows = stream::pick(rows, &kept);
    let devices = stream::devices(&rows, case.set.key);
    stream::write(&given, &rows);
    stream::write(&streamed, &stream::pick(&rows, &case.order.of(&devices, seed)));
    let program = |name: &str, file: &Path| {
        Program::new(&scratch.path().join(name), &pipeline(&case.set, case.settings, file, seed))
    };
    let learning = program("learning", &streamed);
    let ended = learning.run(Arc::new(|_| {}));
    let labelling = program("labelling", &given);
    labelling.assign(&learning);
    let score = Score::of(&assignments(&labelling.assigned()), case.set.clusters, ended.seconds);
    score.with_stream(&assignments(&learning.assignments()), case.set.clusters)
}

/// Runs the oracle and returns the last line it prints.
fn reference_run(command: &str, file: &Path) -> String {
    let mut words = command.split_whitespace();
    let output = Command::new(words.next().unwrap_or_default())
        .args(words)
        .arg(file)
        .args(["--order", "natural", "--seed", "0"])
        .output()
        .unwrap_or_else(|error| panic!("{command}: {error}"));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    printed.lines().last().unwrap_or_default().to_owned()
}
