//! What networks are compared by, without labels.

use std::sync::Arc;

use rand::Rng;

use super::sample::Sample;
use super::scaler::Scaler;
use super::trainer::{Item, Workbench};
use crate::stats::{coherence, dots};

/// Rows that are judged.
const ROWS: usize = 2_000;
/// Of these, the ones that look for relatives on other devices: the search grows with the square.
const SEEKERS: usize = 1_000;
/// Relatives of a row.
const RELATIVES: usize = 5;

/// Rows of a reservoir, each with a random neighbour in time, and some with relatives: the nearest rows of other devices.
///
/// ```text
/// score = within-device MI(label of a row, label of its neighbour) + MI(label of a row, label of its relative)
/// ```
///
/// A network that has learned online from the very pairs that the first term reads is more sure of them than a fresh one is
/// that clusters better; no network has ever been trained on relatives. Source: online-recipe.md, Part II, sections 2.8 and
/// 4. Difference: the second term weighs 1 instead of 0.5, which is too little to outweigh that lead (HAPT).
#[derive(Clone, Debug)]
pub struct Jury {
    rows: Vec<Item>,
    neighbours: Vec<Item>,
    /// Places in `rows`.
    relatives: Vec<(usize, usize)>,
}

impl Jury {
    /// Draws rows from `pool`; `scaler` decides who is near. With a single device there are no relatives.
    pub fn draw(pool: &[Sample], scaler: &Scaler, rng: &mut impl Rng) -> Self {
        let (rows, neighbours): (Vec<Item>, Vec<Item>) = (0..pool.len().min(ROWS))
            .map(|_| {
                let sample = &pool[rng.random_range(0..pool.len())];
                let pick = if sample.degree() == 0 { 0 } else { rng.random_range(0..sample.degree()) };
                ((Arc::clone(&sample.row), sample.key), (Arc::clone(sample.neighbour(pick)), sample.key))
            })
            .unzip();
        let relatives = relatives(&rows[..rows.len().min(SEEKERS)], scaler);
        Self { rows, neighbours, relatives }
    }

    /// The judged rows.
    #[must_use]
    pub fn rows(&self) -> &[Item] {
        &self.rows
    }

    /// The score of a network and its labels of the judged rows.
    #[must_use]
    pub fn score(&self, bench: &Workbench, parameters: &[f32], scaler: &Scaler) -> (f64, Vec<u32>) {
        let clusters = bench.objective.clusters();
        let here = bench.labels(parameters, &self.rows, scaler);
        let there = bench.labels(parameters, &self.neighbours, scaler);
        let keys: Vec<u32> = self.rows.iter().map(|(_, key)| *key).collect();
        let (seekers, found): (Vec<u32>, Vec<u32>) =
            self.relatives.iter().map(|(row, relative)| (here[*row], here[*relative])).unzip();
        let within = coherence::score(&keys, &here, &there, clusters);
        let across = coherence::score(&vec![0; seekers.len()], &seekers, &found, clusters);
        (within + across, here)
    }
}

/// Each row with the rows of other keys that have the largest cosine with it.
fn relatives(rows: &[Item], scaler: &Scaler) -> Vec<(usize, usize)> {
    let directions: Vec<Vec<f32>> = rows.iter().map(|(row, key)| scaler.direction(*key, &row.features)).collect();
    let lines: Vec<&[f32]> = directions.iter().map(Vec::as_slice).collect();
    let mut cosines = vec![0.0; lines.len() * lines.len()];
    dots(&lines, &lines, &mut cosines);
    let mut pairs = Vec::with_capacity(rows.len() * RELATIVES);
    for (i, cosines) in cosines.chunks_exact(lines.len().max(1)).enumerate() {
        let mut nearest: Vec<(f32, usize)> = Vec::with_capacity(RELATIVES + 1);
        for (j, &cosine) in cosines.iter().enumerate().filter(|(j, _)| rows[*j].1 != rows[i].1) {
            let at = nearest.partition_point(|(best, _)| *best >= cosine);
            if at < RELATIVES {
                nearest.truncate(RELATIVES - 1);
                nearest.insert(at, (cosine, j));
            }
        }
        pairs.extend(nearest.into_iter().map(|(_, j)| (i, j)));
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Coordinates, Row, ScaleMethod, ScaleParameters};

    fn item(key: u32, features: [f32; 2]) -> Item {
        let coordinates = Coordinates { source: "s".into(), partition: 0, offset: 0 };
        let (name, series) = (key.to_string().into(), "".into());
        let row =
            Row { coordinates, sequence: 0, key: name, series, event_time: None, features: features.to_vec().into() };
        (Arc::new(row), key)
    }

    fn scaler() -> Scaler {
        let parameters = ScaleParameters { method: ScaleMethod::None, ..ScaleParameters::default() };
        Scaler::new(parameters, &[(0, &[0.0, 0.0])])
    }

    #[test]
    fn relatives_are_the_nearest_rows_of_other_devices() {
        let up = (0..7).map(|i| item(1, [0.01 * i as f32, 1.0]));
        let rows: Vec<Item> = [item(0, [0.0, 1.0]), item(0, [0.0, 1.0])].into_iter().chain(up).collect();
        let found = relatives(&rows, &scaler());
        let of_first: Vec<usize> = found.iter().filter(|(i, _)| *i == 0).map(|(_, j)| *j).collect();
        assert_eq!(of_first, [2, 3, 4, 5, 6]);
        assert!(found.iter().all(|(i, j)| rows[*i].1 != rows[*j].1));
    }

    #[test]
    fn a_single_device_has_no_relatives() {
        let rows: Vec<Item> = (0..9).map(|i| item(3, [1.0, i as f32])).collect();
        assert!(relatives(&rows, &scaler()).is_empty());
    }
}
