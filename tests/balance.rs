//! Bounds on the shares: kept over the horizon by moving rows at a price, and without a trace where there are none.

mod common;

use common::{PIPELINE, Reading, Scene, floats, integers, stream, truths};

const ROWS: usize = 2400;

/// Three classes with shares of 70, 20 and 10 per cent in every 200 rows.
fn uneven(rows: usize, spread: f32) -> Vec<Reading> {
    let class = |row: usize| match row % 200 {
        0..140 => 0,
        140..180 => 1,
        _ => 2,
    };
    stream((0..rows).map(class), spread, 11)
}

/// Settings with which the model itself finds the large class, over a horizon of the whole stream.
const NATURAL: [&str; 5] = [
    "balance.target=[0.7, 0.2, 0.1]",
    "learning.reservoir_rows=5000",
    "learning.warmup_rows=200",
    "learning.warmup_steps=150",
    "balance.per_key=off",
];

struct Shown {
    clusters: Vec<i32>,
    natural: Vec<i32>,
    costs: Vec<f32>,
    warmup: Vec<bool>,
}

fn run(rows: &[Reading], sets: &[&str]) -> Shown {
    let scene = Scene::new(PIPELINE, rows);
    scene.succeed(&[&NATURAL[..], sets].concat());
    let table = scene.assignments();
    Shown {
        clusters: integers(&table, "cluster"),
        natural: integers(&table, "natural_cluster"),
        costs: floats(&table, "balance_cost"),
        warmup: truths(&table, "warmup"),
    }
}

impl Shown {
    /// Shares of the rows after the warm-up, smallest first.
    fn shares(&self, of: &[i32]) -> [f64; 3] {
        let mut counts = [0.0; 3];
        let later = of.iter().zip(&self.warmup).filter(|(_, warmup)| !**warmup);
        later.for_each(|(cluster, _)| counts[*cluster as usize] += 1.0);
        let sum: f64 = counts.iter().sum();
        let mut shares = counts.map(|count| count / sum);
        shares.sort_by(f64::total_cmp);
        shares
    }
}

#[test]
fn without_bounds_rows_stay_where_the_model_puts_them() {
    let shown = run(&uneven(ROWS, 0.5), &[]);
    assert_eq!(shown.clusters, shown.natural);
    assert!(shown.costs.iter().all(|cost| *cost == 0.0));
    let shares = shown.shares(&shown.natural);
    assert!(shares[0] < 0.1 && (shares[2] - 0.7).abs() < 0.02, "{shares:?}: the stream would not test the bounds");
}

#[test]
fn bounds_that_bind_are_kept_over_the_horizon() {
    for (spread, bounds, min, max) in [
        (0.5, &["balance.max_share=0.5"][..], 0.0, 0.5),
        (0.5, &["balance.min_share=0.15"], 0.15, 1.0),
        (0.5, &["balance.min_share=0.15", "balance.max_share=0.5"], 0.15, 0.5),
        (1.0, &["balance.min_share=0.15", "balance.max_share=0.5", "pipeline.workers=2"], 0.15, 0.5),
    ] {
        let shown = run(&uneven(ROWS, spread), bounds);
        let shares = shown.shares(&shown.clusters);
        assert!(shares[0] > min - 0.01 && shares[2] < max + 0.01, "{bounds:?}: {shares:?}");
        // They do bind, and every price paid is for a move.
        let moved: Vec<bool> = shown.clusters.iter().zip(&shown.natural).map(|(ours, own)| ours != own).collect();
        assert!(moved.iter().filter(|moved| **moved).count() > ROWS / 50);
        assert!(moved.iter().zip(&shown.costs).all(|(moved, cost)| *cost >= 0.0 && (*moved || *cost == 0.0)));
        assert!(moved.iter().zip(&shown.costs).any(|(moved, cost)| *moved && *cost > 0.0));
    }
}

#[test]
fn bounds_that_do_not_bind_change_nothing() {
    let rows = uneven(1000, 0.5);
    let free = run(&rows, &[]);
    let bounded = run(&rows, &["balance.min_share=0.02", "balance.max_share=0.95"]);
    assert_eq!(free.clusters, bounded.clusters);
    assert_eq!(free.costs, bounded.costs);
}
