//! How fast every objective trains, beside ClustPy's PyTorch implementations of three of them.
//!
//! ```text
//! cargo bench --bench objectives -- [--python PATH] [--rounds N] [--steps N] [--only TEXT] [--widths 561-500-500-2000-10]
//! ```
//!
//! A step is what a fresh fit does: forward, loss, gradient, Adam, state; 256 random rows, one thread. Reading, scaling, drawing rows
//! and views, and seating clusters are left out on both sides. What is compared is measured in turns; the table has the median of the
//! rounds, in rows per second of the thread's time on a processor, which is the same on a busy machine, and by the clock.
//!
//! `--python` names a Python with `torch` and `clustpy`. It is started without `OPENBLAS_CORETYPE` and `OPENBLAS_L2_SIZE`, which some
//! machines set to older processors than they have.

mod ours;
mod theirs;

#[path = "../support/mod.rs"]
mod support;

use evenkeel::objective::{Shape, Stage};
use ours::{Candidate, Training};
use support::arguments::argument;
use theirs::Clustpy;

/// Rows of a step.
const ROWS: usize = 256;
const CLUSTERS: usize = 6;

/// Rows per second.
#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    wall: f64,
    cpu: f64,
}

impl Rate {
    fn of(steps: usize, wall: f64, cpu: f64) -> Self {
        let rows = (steps * ROWS) as f64;
        Self { wall: rows / wall, cpu: rows / cpu }
    }

    /// The medians of each.
    fn median(rates: &[Self]) -> Self {
        let median = |of: fn(&Self) -> f64| {
            let mut values: Vec<f64> = rates.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        Self { wall: median(|rate| rate.wall), cpu: median(|rate| rate.cpu) }
    }
}

/// What ClustPy has that does the same in this stage.
fn counterpart(name: &str, stage: Stage) -> Option<(&'static str, &'static str)> {
    match (name, stage) {
        ("idec", Stage::Pretraining) => Some(("autoencoder", "its autoencoder")),
        ("idec", Stage::Clustering) => Some(("idec", "IDEC")),
        ("vade", Stage::Pretraining) => Some(("vade-autoencoder", "VaDE's autoencoder")),
        ("vade", Stage::Clustering) => Some(("vade", "VaDE")),
        ("ae-k-means", Stage::Clustering) => Some(("dcn", "DCN")),
        _ => None,
    }
}

fn shape(widths: &str) -> Shape {
    let widths: Vec<usize> = widths.split('-').map(|width| width.parse().expect("--widths: numbers")).collect();
    let [features, encoder @ .., embedding] = widths.as_slice() else { panic!("--widths: at least two numbers") };
    Shape { features: *features, encoder: encoder.to_vec(), embedding: *embedding, clusters: CLUSTERS }
}

fn main() {
    let widths: String = argument("widths", "561-500-500-2000-10".to_owned());
    let (rounds, steps): (usize, usize) = (argument("rounds", 5), argument("steps", 20));
    let (only, shape): (String, Shape) = (argument("only", String::new()), shape(&widths));
    let mut clustpy = Clustpy::start(&argument("python", String::new()), &widths);
    println!("{widths}, batches of {ROWS} rows, {CLUSTERS} clusters, medians of {rounds} rounds of {steps} steps\n");
    println!("| objective | stage | rows/s of CPU | rows/s | ClustPy | rows/s of CPU | rows/s | ours : theirs |");
    println!("|---|---|---|---|---|---|---|---|");
    for candidate in Candidate::all().iter().filter(|candidate| candidate.title.contains(&only)) {
        let mut training = Training::new(candidate, &shape);
        for stage in training.stages() {
            let other = counterpart(&candidate.title, stage);
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            training.run(stage, 3);
            for _ in 0..rounds {
                ours.push(training.run(stage, steps));
                if let (Some(clustpy), Some((other, _))) = (clustpy.as_mut(), other) {
                    theirs.push(clustpy.run(other, steps));
                }
            }
            line(&candidate.title, stage, Rate::median(&ours), other.filter(|_| !theirs.is_empty()), &theirs);
        }
    }
}

fn line(name: &str, stage: Stage, ours: Rate, other: Option<(&str, &str)>, theirs: &[Rate]) {
    let stage = format!("{stage:?}").to_lowercase();
    let start = format!("| {name} | {stage} | {:.0} | {:.0} |", ours.cpu, ours.wall);
    match other {
        Some((_, title)) => {
            let theirs = Rate::median(theirs);
            println!("{start} {title} | {:.0} | {:.0} | {:.2} |", theirs.cpu, theirs.wall, ours.cpu / theirs.cpu);
        }
        None => println!("{start} | | | |"),
    }
}
