//! Nothing but the output's `label` column ever sees a label.

mod common;

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use common::{PIPELINE, Reading, Scene, WINDOWS, blocks, columns, integers, write_columns};
use evenkeel::objective::Method;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn without_label(table: &RecordBatch) -> RecordBatch {
    let keep: Vec<usize> = (0..table.num_columns()).filter(|i| table.schema().field(*i).name() != "label").collect();
    table.project(&keep).unwrap()
}

fn run(pipeline: &str, rows: &[Reading], sets: &[&str]) -> Scene {
    let scene = Scene::new(pipeline, rows);
    scene.succeed(sets);
    scene
}

fn shuffled(rows: &[Reading]) -> Vec<Reading> {
    let mut labels: Vec<i32> = rows.iter().map(|row| row.label).collect();
    labels.shuffle(&mut ChaCha8Rng::seed_from_u64(9));
    let pairs = rows.iter().cloned().zip(labels);
    pairs.map(|(row, label)| Reading { label, ..row }).collect()
}

#[test]
fn shuffled_labels_change_nothing_but_the_label_column() {
    let rows = blocks(1200, 4);
    let refined = "model.refine=clusmatch".to_owned();
    for objective in Method::NAMES.iter().map(|name| format!("model.objective={name}")).chain([refined]) {
        for workers in ["pipeline.workers=1", "pipeline.workers=2"] {
            let truth = run(PIPELINE, &rows, &[&objective, workers]);
            let lie = run(PIPELINE, &shuffled(&rows), &[&objective, workers]);
            let (truth_rows, lie_rows) = (truth.assignments(), lie.assignments());
            assert_ne!(integers(&truth_rows, "label"), integers(&lie_rows, "label"));
            assert_eq!(without_label(&truth_rows), without_label(&lie_rows));
            assert_eq!(truth.drift(), lie.drift());
        }
    }
}

#[test]
fn supervision_looks_at_the_labels_it_was_given_and_at_no_other() {
    let rows = blocks(800, 4);
    let taught = ["model.objective=balanced", "supervision.label_fraction=0.3"];
    let truth = run(PIPELINE, &rows, &taught);
    let lie = run(PIPELINE, &shuffled(&rows), &taught);
    assert_ne!(without_label(&truth.assignments()), without_label(&lie.assignments()));
    // Renamed labels say the same about pairs.
    let renamed: Vec<Reading> = rows.iter().map(|row| Reading { label: 70 - row.label, ..row.clone() }).collect();
    assert_eq!(without_label(&truth.assignments()), without_label(&run(PIPELINE, &renamed, &taught).assignments()));
}

#[test]
fn with_a_file_of_pairs_labels_change_nothing() {
    let rows = blocks(800, 4);
    let write = |scene: &Scene| {
        let link = |i: i64| if rows[i as usize].label == rows[(i + 90) as usize].label { "must" } else { "cannot" };
        let firsts: Vec<i64> = (0..700).step_by(7).collect();
        let columns: Vec<(String, ArrayRef)> = vec![
            ("first_offset".to_owned(), Arc::new(Int64Array::from(firsts.clone()))),
            ("second_offset".to_owned(), Arc::new(firsts.iter().map(|i| Some(i + 90)).collect::<Int64Array>())),
            ("link".to_owned(), Arc::new(firsts.iter().map(|i| Some(link(*i))).collect::<StringArray>())),
        ];
        write_columns(&scene.path("pairs.parquet"), columns);
    };
    let run = |rows: &[Reading], sets: &[&str]| {
        let scene = Scene::new(PIPELINE, rows);
        write(&scene);
        scene.succeed(&[&["model.objective=balanced"], sets].concat());
        without_label(&scene.assignments())
    };
    let taught = ["supervision.pairs=pairs.parquet"];
    let truth = run(&rows, &taught);
    assert_eq!(truth, run(&shuffled(&rows), &taught));
    assert_ne!(truth, run(&rows, &[]), "the pairs are learned from");
}

#[test]
fn windows_are_the_same_whatever_their_labels() {
    let rows = blocks(1600, 4);
    let (truth, lie) = (run(WINDOWS, &rows, &[]), run(WINDOWS, &shuffled(&rows), &[]));
    assert_eq!(without_label(&truth.assignments()), without_label(&lie.assignments()));
    assert_eq!(truth.drift(), lie.drift());
}

#[test]
fn labels_that_are_null_or_not_named_change_nothing_either() {
    let rows = blocks(800, 4);
    let truth = run(PIPELINE, &rows, &[]).assignments();
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let holes: ArrayRef =
        Arc::new(rows.iter().map(|row| rng.random_bool(0.5).then_some(row.label)).collect::<Int32Array>());
    let mut holed = columns(&rows);
    holed.iter_mut().find(|column| column.0 == "label").unwrap().1 = holes;
    let scene = Scene::with_columns(PIPELINE, holed);
    scene.succeed(&[]);
    assert_eq!(without_label(&truth), without_label(&scene.assignments()));
    let unnamed = run(PIPELINE, &rows, &["features.label="]).assignments();
    assert!(unnamed.column_by_name("label").is_none());
    assert_eq!(without_label(&truth), unnamed);
}
