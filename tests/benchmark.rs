//! `evenkeel benchmark`: small suites on small data, and the suites that ship.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use evenkeel::benchmark::Suite;
use tempfile::TempDir;

const SUITE: &str = r#"
title = "Small"
about = "Nobody's paper."
seeds = 2

[data.blocks]
set.features = { columns = ["features"], key = "key", time = "time", label = "label" }
set.model = { clusters = 3 }

[data.elsewhere]
title = "Elsewhere-10K"
set.features = { columns = ["features"], label = "label" }
set.model = { clusters = 3 }

[method.even]
set.model = { encoder = [16], embedding = 8 }
set.learning = { warmup_rows = 60, warmup_steps = 30, refresh_steps = 0, reservoir_rows = 100 }

[method.k-means]
baseline = { kind = "k-means", restarts = 3 }

[[line]]
method = "k-means"
data = "blocks"
published = { acc = 99.5, nmi = 98.25, source = "Table 1" }

[[line]]
method = "even"
data = "blocks"

[[line]]
method = "even"
data = "blocks"
orders = ["shuffled"]
set.learning = { warmup_steps = 20 }

[[line]]
method = "even"
data = "elsewhere"
published = { acc = 82.8, source = "Table 1" }
"#;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("small.toml"), SUITE).unwrap();
        common::write_columns(&folder.path().join("blocks.parquet"), common::columns(&common::blocks(240, 1)));
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
        command.current_dir(self.0.path()).args(["benchmark", "small.toml"]).args(more);
        command.args(["--log-format", "text"]).env_remove("RUST_LOG").output().unwrap()
    }

    fn done(&self, more: &[&str]) -> String {
        let output = self.run(more);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, more: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.done(&[more, &["--json"]].concat())).unwrap()
    }
}

#[test]
fn without_data_nothing_is_run_and_the_table_says_so() {
    let folder = Folder::new();
    let expected = "\
method     data     order      ACC  published  published NMI
k-means  blocks            not run      99.50          98.25
even     blocks            not run
even     blocks  shuffled  not run
k-means on blocks: not run (no data, give --data blocks=FILE)
even on blocks: not run (no data, give --data blocks=FILE)
even on blocks shuffled: not run (no data, give --data blocks=FILE)
";
    assert_eq!(folder.done(&["--only", "blocks"]), expected);
    assert!(!folder.path("runs/benchmark/small.parquet").exists());
    let document = std::fs::read_to_string(folder.path("docs/results.md")).unwrap();
    assert!(document.contains("| even | Elsewhere-10K |  | not run | 82.80 |"), "{document}");
}

#[test]
fn what_is_there_is_measured_and_compared() {
    let folder = Folder::new();
    let lines = folder.json(&["--data", "."]);
    let line = &lines[0];
    assert_eq!((line["method"].as_str(), line["seeds"].as_u64()), (Some("k-means"), Some(2)));
    let (acc, difference) = (line["acc"]["mean"].as_f64().unwrap(), line["acc"]["difference"].as_f64().unwrap());
    assert!(acc > 90.0 && (acc - 99.5 - difference).abs() < 1e-9, "{line}");
    assert_eq!(line["not_run"], serde_json::Value::Null);
    assert_eq!((lines[1]["order"].as_str(), lines[1]["steps"].as_u64()), (Some(""), Some(30)));
    let streamed = &lines[2];
    assert_eq!(streamed["order"], "shuffled");
    assert!(streamed["prequential"]["mean"].is_f64() && streamed["steps"].as_u64() > Some(20), "{streamed}");
    assert_eq!(lines[3]["not_run"], "no data, give --data elsewhere=FILE");
    assert!(folder.path("runs/benchmark/small.parquet").exists());
    let document = std::fs::read_to_string(folder.path("docs/results.md")).unwrap();
    assert!(document.contains("<!-- benchmark small: begin -->\n## Small\n\nNobody's paper.\n"), "{document}");
    assert!(document.contains("| k-means | blocks |  | 2 |"), "{document}");
}

#[test]
fn what_is_on_record_is_not_run_again() {
    let folder = Folder::new();
    let data = ["--data", "blocks=blocks.parquet"];
    folder.done(&[&data[..], &["--only", "even blocks shuffled", "--seeds", "1"]].concat());
    let record = || std::fs::read(folder.path("runs/benchmark/small.parquet")).unwrap();
    let first = record();
    let runs = |more: &[&str]| {
        let said = String::from_utf8(folder.run(&[&data[..], more].concat()).stderr).unwrap();
        let count = said.split_once("runs=").and_then(|(_, rest)| rest.split_whitespace().next().map(str::to_owned));
        count.unwrap_or_else(|| panic!("{said}"))
    };
    assert_eq!(runs(&["--only", "even blocks shuffled", "--seeds", "1"]), "0");
    assert_eq!(record(), first);
    assert_eq!(runs(&["--jobs", "2"]), "5", "two lines of two seeds, and the second seed of the streamed one");
    assert_eq!(runs(&[]), "0");
    assert_eq!(runs(&["--only", "k-means", "--fresh"]), "2");
    // Another setting, other rows: both are other results.
    std::fs::write(folder.path("small.toml"), SUITE.replace("warmup_steps = 20", "warmup_steps = 21")).unwrap();
    assert_eq!(runs(&[]), "2");
    common::write_columns(&folder.path("blocks.parquet"), common::columns(&common::blocks(240, 2)));
    assert_eq!(runs(&[]), "6");
    // Data that is not there any more does not take its results away.
    let left = folder.json(&[]);
    assert_eq!((left[0]["seeds"].as_u64(), left[3]["seeds"].as_u64()), (Some(2), Some(0)));
}

#[test]
fn pictures_show_what_the_first_seed_embedded_and_are_drawn_once() {
    let folder = Folder::new();
    let data = ["--data", "blocks=blocks.parquet"];
    folder.done(&data);
    let runs = || {
        let said = String::from_utf8(folder.run(&[&data[..], &["--pictures", "drawn"]].concat()).stderr).unwrap();
        said.split_once("runs=").unwrap().1.split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!(runs(), "3", "the first seed of every line that is on record, for its picture");
    let names = ["small-even-blocks-shuffled.svg", "small-even-blocks.svg", "small-k-means-blocks.svg"];
    let mut found: Vec<_> = std::fs::read_dir(folder.path("drawn")).unwrap().map(|e| e.unwrap().file_name()).collect();
    found.sort();
    assert_eq!(found, names);
    let read = |name: &str| std::fs::read_to_string(folder.path("drawn").join(name)).unwrap();
    for (name, rows) in names.into_iter().zip([100, 240, 240]) {
        let image = read(name);
        assert_eq!(image.matches("h0").count(), rows, "{name}: the reservoir of a stream, or all rows");
        let classes: Vec<&str> = image.split("class=\"badge\"").skip(1).collect();
        assert_eq!(classes.len(), 3, "{name}");
        assert!(image.contains("on blocks: embedded rows coloured by class\""), "{image}");
    }
    assert_eq!(runs(), "0");
    let before = read(names[1]);
    std::fs::remove_file(folder.path("drawn").join(names[1])).unwrap();
    assert_eq!(runs(), "1");
    assert_eq!(read(names[1]), before, "the same seed draws the same picture");
}

#[test]
fn the_same_seed_scores_the_same_on_any_number_of_jobs() {
    let (one, two) = (Folder::new(), Folder::new());
    let figures = |mut lines: serde_json::Value| {
        for line in lines.as_array_mut().unwrap() {
            line.as_object_mut().unwrap().remove("seconds");
        }
        lines
    };
    let (first, second) = (one.json(&["--data", "."]), two.json(&["--data", ".", "--jobs", "3"]));
    assert_eq!(figures(first), figures(second));
}

#[test]
fn faults_have_their_exit_codes_and_say_what_to_do() {
    let folder = Folder::new();
    let fault = |more: &[&str]| {
        let output = folder.run(more);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = fault(&["--data", "block=blocks.parquet"]);
    assert_eq!(code, Some(64));
    assert!(said.contains("--data block=…: the suite has no data set `block`; did you mean `blocks`?"), "{said}");
    let (code, said) = fault(&["--data", "blocks=nowhere.parquet"]);
    assert_eq!(code, Some(66));
    assert!(said.contains("no input: --data nowhere.parquet: no such file or folder"), "{said}");
    std::fs::write(folder.path("small.toml"), SUITE.replace("encoder = [16]", "objective = \"evn\"")).unwrap();
    let (code, said) = fault(&[]);
    assert_eq!(code, Some(78));
    assert!(said.contains("small.toml: even on blocks: `model.objective` \"evn\" is unknown"), "{said}");
    std::fs::remove_file(folder.path("small.toml")).unwrap();
    assert_eq!(fault(&[]).0, Some(66));
}

#[test]
fn every_suite_that_ships_is_valid_and_says_where_figures_are_from() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/suites");
    let files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        let suite = Suite::load(&file).unwrap_or_else(|error| panic!("{error}"));
        assert!(!suite.about.is_empty(), "{}", file.display());
        for line in &suite.lines {
            let published = &line.published;
            let figures = [published.acc, published.nmi, published.ari, published.ne];
            let place = format!("{}: {:?}", file.display(), line.identity());
            assert!(figures.iter().flatten().all(|figure| (0.0..=100.0).contains(figure)), "{place}");
            assert!(figures.iter().all(Option::is_none) || !published.source.is_empty(), "{place}");
        }
    }
}
