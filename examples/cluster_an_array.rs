//! Clusters rows in memory, assigns new ones, and keeps the model.
//!
//! ```text
//! cargo run --release --example cluster_an_array
//! ```

use std::error::Error;

use evenkeel::learner::{Fit, Model, Nearness, Rows};
use evenkeel::stats::Contingency;

/// Readings of 8 features from 3 devices that go through 4 states; and the state of each row.
fn readings(rows: usize, seed: usize) -> Result<(Rows, Vec<usize>), Box<dyn Error>> {
    let (mut features, mut devices, mut states) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..rows {
        let (device, state) = (i % 3, i / 60 % 4);
        let noise = |d: usize| ((i * 7919 + d * 104_729 + seed * 31) % 1013) as f32 / 1013.0 - 0.5;
        let level = |d: usize| if d % 4 == state { 2.0 } else { 0.0 };
        features.extend((0..8).map(|d| (level(d) + noise(d)) * (1 + device) as f32));
        devices.push(["left wrist", "right wrist", "belt"][device]);
        states.push(state);
    }
    Ok((Rows::new(&features, 8)?.with_keys(&devices)?, states))
}

/// Fits, saves, loads and assigns.
pub fn main() -> Result<(), Box<dyn Error>> {
    let (rows, _) = readings(2_400, 1)?;
    let fit = Fit {
        clusters: 4,
        encoder: vec![32],
        embedding: 8,
        steps: 200,
        seed: 7,
        // The rows of a device stand in the order of time: the next ones are most likely of the same state.
        neighbours: Some(Nearness::Arrival),
        ..Fit::default()
    };
    let model = fit.run(&rows)?;

    let file = std::env::temp_dir().join(format!("cluster-an-array-{}.ek", std::process::id()));
    model.save(&file)?;
    let model = Model::load(&file)?;
    std::fs::remove_file(&file)?;

    let (new, states) = readings(240, 2)?;
    let assignment = model.assign(&new)?;
    println!("row 0: cluster {}, confidence {:.3}", assignment.clusters[0], assignment.confidences[0]);
    let table: Contingency<u32, usize> = assignment.clusters.iter().copied().zip(states).collect();
    println!("{:.1} % of the new rows are in the cluster of their state", 100.0 * table.accuracy());
    assert!(table.accuracy() > 0.9);
    Ok(())
}
