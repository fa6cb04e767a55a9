//! A run as Prometheus sees it, from its start over the warm-up to the first models.

mod synthetic;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Names and labels that users rely on, without the label `pipeline` of all series.
const PROMISED: [(&str, &[&str]); 21] = [
    ("rows_total", &["stage"]),
    ("batches_total", &[]),
    ("dead_letters_total", &["reason"]),
    ("batch_duration_seconds_bucket", &["le", "stage"]),
    ("batch_duration_seconds_sum", &["stage"]),
    ("batch_duration_seconds_count", &["stage"]),
    ("cluster_share_ratio", &["cluster"]),
    ("balance_entropy_ratio", &[]),
    ("balance_imbalance_factor", &[]),
    ("balance_violation_ratio", &[]),
    ("displaced_rows_ratio", &[]),
    ("active_clusters", &[]),
    ("reconstruction_error", &[]),
    ("embedding_variance", &[]),
    ("centroid_shift", &["cluster"]),
    ("drift_score", &["signal"]),
    ("drift_alarms_total", &["signal"]),
    ("model_version", &[]),
    ("checkpoint_last_success_timestamp_seconds", &[]),
    ("checkpoint_duration_seconds", &[]),
    ("ready", &[]),
];

/// Copies of the input; their footers are read before the first row is, which takes long enough to look in before.
const FILES: usize = 300;
const ROWS: usize = 120;
const PATIENCE: Duration = Duration::from_secs(120);

/// Ends the program with the test, however that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Starts a run that serves at a port of its own, and reads from its log where.
fn start(folder: &Path) -> (Running, String) {
    let input = folder.join("input");
    std::fs::create_dir(&input).unwrap();
    let first = input.join("0000.parquet");
    synthetic::write_blobs(&first, ROWS);
    for copy in 1..FILES {
        std::fs::hard_link(&first, input.join(format!("{copy:04}.parquet"))).unwrap();
    }
    let pipeline = synthetic::pipeline(&input, &folder.join("run"));
    let pipeline = pipeline.replace("every_rows = 32", "every_rows = 320") + "[serve]\nlisten = \"127.0.0.1:0\"\n";
    let file = folder.join("pipeline.toml");
    std::fs::write(&file, pipeline).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_evenkeel"))
        .args(["--log-format", "json", "run"])
        .arg(&file)
        .env_remove("RUST_LOG")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let running = Running(child);
    let mut told = String::new();
    let address = log.by_ref().map(Result::unwrap).find_map(|line| {
        told += &line;
        let line: serde_json::Value = serde_json::from_str(&line).ok()?;
        line["address"].as_str().map(str::to_owned)
    });
    // A full pipe would stop the program.
    std::thread::spawn(move || log.for_each(drop));
    (running, address.unwrap_or_else(|| panic!("no address in the log: {told}")))
}

/// Status and body.
fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// Series by name and labels.
type Series = BTreeMap<(String, BTreeMap<String, String>), f64>;

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Reads an exposition and holds it to the format: every family has a type before its samples, no series comes twice.
fn parse(text: &str) -> Series {
    let (mut series, mut families) = (Series::new(), BTreeMap::new());
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(comment) = line.strip_prefix("# ") {
            let words: Vec<&str> = comment.splitn(3, ' ').collect();
            assert!(is_name(words[1]) && ["HELP", "TYPE"].contains(&words[0]), "{line}");
            if words[0] == "TYPE" {
                assert!(["counter", "gauge", "histogram"].contains(&words[2]), "{line}");
                assert!(families.insert(words[1].to_owned(), words[2].to_owned()).is_none(), "typed twice: {line}");
            }
            continue;
        }
        let (key, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) =
            key.split_once('{').map_or((key, ""), |(name, rest)| (name, rest.strip_suffix('}').unwrap()));
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let histogram = family.filter(|family| families.get(*family).is_some_and(|kind| kind == "histogram"));
        assert!(is_name(name) && families.contains_key(histogram.unwrap_or(name)), "no type before {line}");
        // No label of this program has a comma or a quote in its value.
        let labels = labels.split(',').filter(|label| !label.is_empty()).map(|label| {
            let (label, value) = label.split_once('=').unwrap();
            assert!(is_name(label), "{line}");
            (label.to_owned(), value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap().to_owned())
        });
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
        let known = series.insert((name.to_owned(), labels.collect()), value);
        assert_eq!(known, None, "{line}");
    }
    series
}

fn sum(series: &Series, name: &str) -> f64 {
    series.iter().filter(|((other, _), _)| other == name).map(|(_, value)| value).sum()
}

fn stage(series: &Series, wanted: &str) -> f64 {
    let of = |labels: &BTreeMap<String, String>| labels.get("stage").is_some_and(|stage| stage == wanted);
    series
        .iter()
        .filter(|((name, labels), _)| name == "evenkeel_rows_total" && of(labels))
        .map(|(_, value)| value)
        .sum()
}

/// Whether the evenness is that of the shares; not so while a scrape comes between the two.
fn evenness_agrees(series: &Series) -> bool {
    let shares = series.iter().filter(|((name, _), share)| name == "evenkeel_cluster_share_ratio" && **share > 0.0);
    let entropy: f64 = shares.map(|(_, share)| -share * share.ln()).sum();
    (sum(series, "evenkeel_balance_entropy_ratio") - entropy / 3f64.ln()).abs() < 1e-9
}

fn keys(series: &Series) -> BTreeSet<&(String, BTreeMap<String, String>)> {
    series.keys().collect()
}

#[test]
fn every_series_exists_from_the_start_and_counts_what_happens() {
    let folder = TempDir::new().unwrap();
    let (_running, address) = start(folder.path());

    let at_start = parse(&get(&address, "/metrics").1);
    assert_eq!(get(&address, "/readyz").0, 503, "ready before a row was read");
    assert_eq!(get(&address, "/livez"), (200, "ok\n".to_owned()));
    for (name, labels) in PROMISED {
        let name = format!("evenkeel_{name}");
        let own: Vec<_> = at_start.iter().filter(|((other, _), _)| *other == name).collect();
        assert!(!own.is_empty(), "{name} is not there from the start");
        let wanted: BTreeSet<&str> = labels.iter().copied().chain(["pipeline"]).collect();
        for ((_, labels), value) in own {
            assert_eq!(labels.keys().map(String::as_str).collect::<BTreeSet<_>>(), wanted, "{name}");
            assert_eq!((labels["pipeline"].as_str(), *value), ("blobs", 0.0), "{name} {labels:?}");
        }
    }
    assert_eq!(sum(&at_start, "evenkeel_build_info"), 1.0);

    // The warm-up takes long enough to be seen: rows are read and none is assigned.
    let started = Instant::now();
    let mut seen = (false, false);
    let after = loop {
        assert!(started.elapsed() < PATIENCE, "no model whose evenness follows from its shares after {PATIENCE:?}");
        let series = parse(&get(&address, "/metrics").1);
        assert!(keys(&at_start).is_subset(&keys(&series)), "a series has vanished");
        if sum(&series, "evenkeel_model_version") == 0.0 {
            assert_eq!((stage(&series, "assigned"), sum(&series, "evenkeel_active_clusters")), (0.0, 0.0));
            seen.0 |= stage(&series, "read") > 0.0;
            seen.1 |= sum(&series, "evenkeel_ready") == 1.0;
        } else if sum(&series, "evenkeel_checkpoint_last_success_timestamp_seconds") > 0.0 && evenness_agrees(&series) {
            break series;
        }
    };
    assert_eq!(seen, (true, true), "(rows were read, the run was ready) during the warm-up");
    assert_eq!(get(&address, "/readyz"), (200, "ok\n".to_owned()));
    assert_eq!(get(&address, "/livez").0, 200);
    assert!((sum(&after, "evenkeel_cluster_share_ratio") - 1.0).abs() < 1e-9);
    assert!(stage(&after, "assigned") >= 96.0 && stage(&after, "read") >= stage(&after, "assigned"));
    assert!(sum(&after, "evenkeel_batch_duration_seconds_count") > 0.0);
}
