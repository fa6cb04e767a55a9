//! What may change a result, and what may not: workers, batches, repetition.

mod common;

use common::{PIPELINE, Scene, WINDOWS, blocks, coordinates, integers};

const ROWS: usize = 1500;

/// Settings with which the model finds some structure, so that there is something to agree on.
const LEARNS: [&str; 2] = ["learning.warmup_rows=240", "learning.warmup_steps=150"];

/// The share of rows on which two clusterings agree under the best of the 3! renumberings.
fn agreement(ours: &[i32], theirs: &[i32]) -> f64 {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let same = |order: &[i32; 3]| ours.iter().zip(theirs).filter(|(a, b)| order[**a as usize] == **b).count();
    orders.iter().map(same).max().unwrap() as f64 / ours.len() as f64
}

#[test]
fn any_number_of_workers_gives_the_same_clusters() {
    for pipeline in [PIPELINE, WINDOWS] {
        let scene = Scene::new(pipeline, &blocks(ROWS, 1));
        scene.succeed(&LEARNS);
        let alone = scene.assignments();
        let clusters = integers(&alone, "cluster");
        let largest = (0..3).map(|cluster| clusters.iter().filter(|other| **other == cluster).count()).max().unwrap();
        assert!(largest < clusters.len() * 7 / 10, "{largest} rows are in one cluster: there is nothing to agree on");
        let drift = scene.drift().map_or(0, |drift| drift.num_rows());
        for workers in ["2", "3"] {
            let scene = Scene::new(pipeline, &blocks(ROWS, 1));
            scene.succeed(&[&LEARNS[..], &[&format!("pipeline.workers={workers}")]].concat());
            let together = scene.assignments();
            assert_eq!(coordinates(&alone), coordinates(&together));
            assert_eq!(scene.drift().map_or(0, |drift| drift.num_rows()), drift);
            let agreement = agreement(&clusters, &integers(&together, "cluster"));
            assert!(agreement > 0.99, "{workers} workers agree with one on {agreement}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_whatever_the_batch() {
    for (pipeline, workers) in [(PIPELINE, 1), (PIPELINE, 3), (WINDOWS, 2)] {
        let workers = format!("pipeline.workers={workers}");
        let run = |set: &str| {
            let scene = Scene::new(pipeline, &blocks(ROWS, 2));
            scene.succeed(&[&workers, set]);
            scene.results()
        };
        let first = run("source.parquet.batch_rows=4096");
        assert_eq!(first, run("source.parquet.batch_rows=4096"));
        assert_eq!(first, run("source.parquet.batch_rows=7"));
        assert_eq!(first, run("source.parquet.batch_rows=100000"));
    }
}

#[test]
fn another_seed_gives_another_model() {
    let run = |seed: &str| {
        let scene = Scene::new(PIPELINE, &blocks(400, 2));
        scene.succeed(&[seed]);
        scene.assignments()
    };
    assert_ne!(run("pipeline.seed=1"), run("pipeline.seed=2"));
}
