//! Every shipped pipeline file is valid, and so is the schema that editors check them with.

use std::path::{Path, PathBuf};

use evenkeel::config;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// `EVENKEEL_BLESS=1 cargo test --test pipeline_schema` writes the file anew.
#[test]
fn the_shipped_schema_is_that_of_the_program() {
    let file = root().join("schemas/pipeline.schema.json");
    let ours = config::json_schema();
    if std::env::var_os("EVENKEEL_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&file, format!("{ours:#}\n")).unwrap();
    }
    let shipped: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert!(shipped == ours, "schemas/pipeline.schema.json is out of date; write it with EVENKEEL_BLESS=1");
}

#[test]
fn every_shipped_pipeline_is_valid() {
    let mut found = 0;
    for entry in std::fs::read_dir(root().join("pipelines")).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|extension| extension == "toml") {
            config::open(&file, &[]).unwrap_or_else(|error| panic!("{error}"));
            found += 1;
        }
    }
    assert!(found > 0, "no pipeline is shipped");
}

/// The pipeline file of the documentation, whole: every table and key with its default.
#[test]
fn every_documented_key_is_known() {
    let documented = r#"
[pipeline]
name = "har"
seed = 7
workers = 0
run_dir = "runs/har"
shutdown_grace_s = 30
[source.parquet]
paths = ["examples/data/har.parquet"]
batch_rows = 4096
[features]
columns = ["features"]
missing = "reject"
key = "subject"
time = "timestamp_ns"
label = "label"
keep = []
series = ""
max_gap_s = 5
[features.scale]
method = "standard"
per = "key"
shrink_rows = 50
[model]
clusters = 6
objective = "even"
encoder = [256, 128]
embedding = 32
refine = "none"
backend = "flex"
[balance]
target = "uniform"
strength = 1.0
per_key = "fading"
min_share = 0.05
max_share = 0.40
[learning]
passes = 1
chunk_rows = 32
warmup_rows = 1000
warmup_steps = 500
reservoir_rows = 4000
steps = 2
replay_ratio = 4
refresh_steps = 500
refresh_growth = 1.5
candidates = 1
max_rows_per_s = 0
[drift]
alarm_budget_per_day = 1
[checkpoint]
dir = "runs/har/checkpoints"
every_rows = 5000
every_s = 10
keep = 3
[sink.parquet]
dir = "runs/har/assignments"
roll_mb = 128
roll_s = 300
[dead_letters]
on_error = "divert"
[serve]
listen = "127.0.0.1:9464"
"#;
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let whole = config::open(&write("whole.toml", documented), &[]).unwrap();
    // What is left out has the documented value.
    let sparse = "[pipeline]\nname = \"har\"\n[source.parquet]\npaths = [\"examples/data/har.parquet\"]\n\
                  [features]\ncolumns = [\"features\"]\nkey = \"subject\"\ntime = \"timestamp_ns\"\nlabel = \"label\"\n\
                  [model]\nclusters = 6\n[balance]\nmin_share = 0.05\nmax_share = 0.4\n[serve]\n";
    let sparse = config::open(&write("sparse.toml", sparse), &[]).unwrap();
    assert_eq!(
        sparse.effective(),
        &config::Config { pipeline: sparse.effective().pipeline.clone(), ..whole.effective().clone() }
    );
    assert_eq!(sparse.run_dir(), Path::new("runs/har"));
}
