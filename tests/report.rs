//! `evenkeel report` on runs as they are found: finished, in warm-up, without a model, moved, and not there.

mod synthetic;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

fn evenkeel(arguments: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_evenkeel")).args(arguments).env_remove("RUST_LOG").output().unwrap()
}

fn err(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// The folder and its run of 240 rows.
fn finished_run() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let (input, run) = (folder.path().join("blobs.parquet"), folder.path().join("run"));
    synthetic::write_blobs(&input, 240);
    let pipeline = folder.path().join("blobs.toml");
    std::fs::write(&pipeline, synthetic::pipeline(&input, &run)).unwrap();
    let output = evenkeel(&["run".as_ref(), &pipeline]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    (folder, run)
}

fn report(run: &Path, page: &Path) -> String {
    let output = evenkeel(&["report".as_ref(), run, "-o".as_ref(), page]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.starts_with(page.to_str().unwrap()) && told.ends_with(" kB)\n"), "{told}");
    std::fs::read_to_string(page).unwrap()
}

/// Dots of the scatter's view `name`.
fn dots(page: &str, name: &str) -> usize {
    let layer =
        page.split(&format!("<g class=\"layer-{name}\"")).nth(1).map_or("", |rest| rest.split("</g>").next().unwrap());
    layer.matches("h0").count()
}

#[test]
fn a_finished_run_is_shown_with_its_reservoir_and_the_names_of_its_labels() {
    let (folder, run) = finished_run();
    let page = report(&run, &folder.path().join("page.html"));
    assert_eq!((dots(&page, "cluster"), dots(&page, "label")), (120, 120));
    assert!(["low", "middle", "high"].iter().all(|name| page.contains(&format!(">{name}<"))));
    assert!(page.contains("<h1>blobs</h1>") && page.contains("<dd>240</dd>"));

    // Elsewhere, and without its input.
    let moved = folder.path().join("moved");
    std::fs::rename(&run, &moved).unwrap();
    std::fs::remove_file(folder.path().join("blobs.parquet")).unwrap();
    let page = report(&moved, &folder.path().join("page.html"));
    assert_eq!(dots(&page, "label"), 120);
    assert!(page.contains("<dd>240</dd>") && !page.contains(">middle<"));
}

#[test]
fn before_there_is_a_model_the_page_says_why_there_is_no_embedding() {
    let (folder, run) = finished_run();
    let mut checkpoints: Vec<PathBuf> =
        std::fs::read_dir(run.join("checkpoints")).unwrap().map(|entry| entry.unwrap().path()).collect();
    checkpoints.sort();
    assert!(checkpoints.len() > 3, "{checkpoints:?}");
    // The first one covers 32 rows of a warm-up of 96.
    for later in checkpoints.drain(1..) {
        std::fs::remove_file(later).unwrap();
    }
    for _ in ["a checkpoint of the warm-up", "no checkpoint"] {
        let page = report(&run, &folder.path().join("page.html"));
        assert_eq!(dots(&page, "cluster"), 0);
        assert!(page.contains("no sound checkpoint from after its warm-up") && page.contains("<dd>240</dd>"));
        checkpoints.drain(..).for_each(|first| std::fs::remove_file(first).unwrap());
    }
}

#[test]
fn a_damaged_checkpoint_is_passed_over_and_named() {
    let (folder, run) = finished_run();
    let newest = std::fs::read_dir(run.join("checkpoints")).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    let mut bytes = std::fs::read(&newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&newest, bytes).unwrap();
    let page = folder.path().join("page.html");
    let output = evenkeel(&["report".as_ref(), &run, "-o".as_ref(), &page]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(err(&output).contains("damaged") && err(&output).contains(newest.to_str().unwrap()), "{}", err(&output));
    assert_eq!(dots(&std::fs::read_to_string(page).unwrap(), "cluster"), 120);
}

#[test]
fn what_is_no_run_exits_with_66_and_a_page_that_cannot_be_written_with_73() {
    let folder = TempDir::new().unwrap();
    for none in [folder.path().join("none"), folder.path().to_owned()] {
        let output = evenkeel(&["report".as_ref(), &none]);
        assert_eq!(output.status.code(), Some(66), "{}", err(&output));
        assert!(err(&output).contains("run_dir"), "{}", err(&output));
    }
    let pipeline = synthetic::pipeline(&folder.path().join("blobs.parquet"), folder.path());
    std::fs::write(folder.path().join("pipeline.toml"), pipeline).unwrap();
    let output = evenkeel(&["report".as_ref(), folder.path(), "-o".as_ref(), &folder.path().join("no/page.html")]);
    assert_eq!(output.status.code(), Some(73), "{}", err(&output));
}
