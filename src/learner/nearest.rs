//! The nearest of all rows, where all are there from the start.

use std::sync::Arc;

use super::reservoir::{NEAREST, billionths};
use super::sample::Sample;
use super::trainer::Item;
use crate::stats::dots;

/// Rows whose products with all others are computed at once, because going through all others for each would be going through memory.
const BLOCK: usize = 256;

/// Every row with the nearest others by cosine: what a reservoir that has room for all finds as they come.
///
/// # Shapes
/// One direction, of unit length, for each item.
#[must_use]
pub fn nearest(items: &[Item], directions: &[Vec<f32>]) -> Vec<Sample> {
    let mut samples: Vec<Sample> = items.iter().map(|(row, key)| Sample::new(Arc::clone(row), *key, 0)).collect();
    // What is not nearer than this need not be offered.
    let mut limits = vec![i64::MAX; items.len()];
    let all: Vec<&[f32]> = directions.iter().map(Vec::as_slice).collect();
    let mut cosines = Vec::new();
    for start in (0..all.len()).step_by(BLOCK) {
        let end = (start + BLOCK).min(all.len());
        cosines.resize((end - start) * end, 0.0);
        dots(&all[start..end], &all[..end], &mut cosines);
        for (one, line) in (start..end).zip(cosines.chunks_exact(end)) {
            for (other, cosine) in line[..one].iter().enumerate() {
                let distance = billionths(*cosine);
                for (of, near) in [(one, other), (other, one)] {
                    if distance < limits[of] {
                        samples[of].befriend(distance, &items[near].0, NEAREST);
                        limits[of] = samples[of].before.get(NEAREST - 1).map_or(i64::MAX, |(worst, _)| *worst);
                    }
                }
            }
        }
    }
    samples
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;
    use crate::data::{Coordinates, Row};
    use crate::learner::reservoir::{Nearness, Reservoir};
    use crate::stats::random::stream;

    #[test]
    fn rows_have_the_neighbours_that_a_reservoir_finds_one_by_one() {
        let mut rng = stream(3, "directions", 0);
        // Some are equally far from several others.
        let draw =
            |rng: &mut rand_chacha::ChaCha8Rng| (0..3).map(|_| rng.random_range(-2_i8..3)).map(f32::from).collect();
        let directions: Vec<Vec<f32>> = (0..600).map(|_| draw(&mut rng)).collect();
        let item = |offset: i64| {
            let coordinates = Coordinates { source: "s".into(), partition: 0, offset };
            let (key, series, features) = ("".into(), "".into(), vec![0.0].into());
            let row = Row { coordinates, sequence: offset as u64, key, series, event_time: None, features };
            (Arc::new(row), 0)
        };
        let items: Vec<Item> = (0..600).map(item).collect();
        let mut reservoir = Reservoir::new(items.len(), Nearness::Features, None);
        for ((row, key), direction) in items.iter().zip(&directions) {
            reservoir.insert(Sample::new(Arc::clone(row), *key, 0), Some(direction.clone()), &mut rng);
        }
        assert_eq!(nearest(&items, &directions), reservoir.anchors());
    }
}
