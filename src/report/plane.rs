//! Embeddings in two dimensions.

use crate::stats::principal::Principal;
use crate::stats::random;

/// Embeddings along their two principal components.
///
/// # Shapes
/// - `embeddings`: `[rows, width]`, row-major
#[must_use]
pub fn flatten(embeddings: &[f32], width: usize, seed: u64) -> Vec<(f32, f32)> {
    if width == 0 {
        return Vec::new();
    }
    // Half as many components as dimensions are found: dimensions in which nothing varies make it at least two.
    let widened = width.max(4);
    let mut rows = vec![0.0; embeddings.len() / width * widened];
    for (wide, row) in rows.chunks_exact_mut(widened).zip(embeddings.chunks_exact(width)) {
        wide[..width].copy_from_slice(row);
    }
    let principal = Principal::fit(&rows, widened, &mut random::stream(seed, "portrait", 0));
    let place = |row: &[f32]| {
        let along = principal.project(row);
        (along.first().copied().unwrap_or(0.0), along.get(1).copied().unwrap_or(0.0))
    };
    rows.chunks_exact(widened).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embeddings_are_seen_along_the_directions_in_which_they_differ_most() {
        for width in [1, 2, 3, 8] {
            // All variance along the last dimension, a little along the first.
            let rows = 200;
            let mut embeddings = vec![0.5; rows * width];
            for (i, row) in embeddings.chunks_exact_mut(width).enumerate() {
                row[0] += (i % 2) as f32;
                row[width - 1] += i as f32;
            }
            let places = flatten(&embeddings, width, 7);
            assert_eq!(places.len(), rows);
            let spread = |of: fn(&(f32, f32)) -> f32| {
                let values = places.iter().map(of);
                values.clone().fold(f32::MIN, f32::max) - values.fold(f32::MAX, f32::min)
            };
            assert!((198.0..202.0).contains(&spread(|place| place.0)), "width {width}: {}", spread(|place| place.0));
            let across = if width == 1 { 0.0..1e-3 } else { 0.9..1.1 };
            assert!(across.contains(&spread(|place| place.1)), "width {width}: {}", spread(|place| place.1));
        }
        assert!(flatten(&[], 0, 7).is_empty());
    }
}
