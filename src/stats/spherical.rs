//! Spherical k-means: k-means of directions.

use rand_chacha::ChaCha8Rng;

use super::{dot, kmeans};

/// A clustering of directions.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// `[clusters, width]`, row-major, each of length one.
    pub centroids: Vec<f32>,
    /// Cluster of each row.
    pub labels: Vec<u32>,
    /// Sum of the cosines with the own centroid.
    pub cosine: f64,
}

/// Dhillon and Modha (2001): each row goes to the centroid with the largest cosine, each centroid is the direction of its rows'
/// sum. The best sum of cosines wins, of `starts` and of `restarts` starts from k-means++ seeds. A cluster that loses its last
/// row is re-seated on the row with the smallest cosine.
///
/// # Shapes
/// - `rows`: `[rows, width]`, row-major, each of length one, at least one row
/// - `starts`: each `[clusters, width]`
#[must_use]
pub fn fit(
    rows: &[f32],
    width: usize,
    clusters: usize,
    starts: Vec<Vec<f32>>,
    restarts: usize,
    rng: &mut ChaCha8Rng,
) -> Solution {
    let seeds = (0..restarts.max(usize::from(starts.is_empty()))).map(|_| kmeans::seed(rows, width, clusters, rng));
    let mut best: Option<Solution> = None;
    for start in starts.into_iter().chain(seeds) {
        let solution = from(rows, width, start);
        if best.as_ref().is_none_or(|b| solution.cosine > b.cosine) {
            best = Some(solution);
        }
    }
    best.expect("at least one start")
}

/// Index of the centroid with the largest cosine, and that; the lowest index wins a tie.
#[must_use]
pub fn nearest(direction: &[f32], centroids: &[f32]) -> (usize, f32) {
    let mut best = (0, f32::NEG_INFINITY);
    for (k, centroid) in centroids.chunks_exact(direction.len()).enumerate() {
        let cosine = dot(direction, centroid);
        if cosine > best.1 {
            best = (k, cosine);
        }
    }
    best
}

/// Scales `vector` to length one; a vector without a length stays.
pub fn normalise(vector: &mut [f32]) {
    let length = dot(vector, vector).sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|v| *v /= length);
    }
}

fn from(rows: &[f32], width: usize, mut centroids: Vec<f32>) -> Solution {
    let clusters = centroids.len() / width;
    let mut labels = vec![u32::MAX; rows.len() / width];
    loop {
        let (mut sums, mut counts) = (vec![0.0f32; clusters * width], vec![0usize; clusters]);
        let (mut moved, mut total, mut farthest) = (0, 0.0, (0, f32::INFINITY));
        for (i, row) in rows.chunks_exact(width).enumerate() {
            let (k, cosine) = nearest(row, &centroids);
            moved += usize::from(labels[i] != k as u32);
            labels[i] = k as u32;
            total += f64::from(cosine);
            counts[k] += 1;
            sums[k * width..].iter_mut().zip(row).for_each(|(s, v)| *s += v);
            if cosine < farthest.1 {
                farthest = (i, cosine);
            }
        }
        // A thousandth of the rows changes nothing that a review could see.
        if moved * 1_000 <= labels.len() {
            return Solution { centroids, labels, cosine: total };
        }
        for (k, (centroid, sum)) in centroids.chunks_exact_mut(width).zip(sums.chunks_exact_mut(width)).enumerate() {
            if counts[k] == 0 {
                sum.copy_from_slice(&rows[farthest.0 * width..(farthest.0 + 1) * width]);
            }
            normalise(sum);
            centroid.copy_from_slice(sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::random::stream;

    #[test]
    fn directions_are_told_apart_and_centroids_have_length_one() {
        let mut rows: Vec<f32> = Vec::new();
        for i in 0..90 {
            let angle = (i % 3) as f32 * 2.0 + (i / 3) as f32 * 0.005;
            rows.extend([angle.cos(), angle.sin()]);
        }
        let solution = fit(&rows, 2, 3, Vec::new(), 5, &mut stream(1, "spherical", 0));
        for i in 3..90 {
            assert_eq!(solution.labels[i], solution.labels[i % 3]);
        }
        assert!(solution.centroids.chunks(2).all(|c| (dot(c, c) - 1.0).abs() < 1e-5));
        assert!(solution.cosine > 89.5);
    }

    #[test]
    fn a_good_start_is_kept_and_its_numbering_too() {
        let rows: Vec<f32> = (0..40).flat_map(|i| if i % 2 == 0 { [1.0, 0.0] } else { [0.0, 1.0] }).collect();
        let start = vec![0.0, 1.0, 1.0, 0.0];
        let solution = fit(&rows, 2, 2, vec![start.clone()], 0, &mut stream(1, "spherical", 0));
        assert_eq!(solution.centroids, start);
        assert_eq!(solution.labels[..4], [1, 0, 1, 0]);
    }

    #[test]
    fn equal_rows_end() {
        let solution = fit(&[0.6, 0.8].repeat(7), 2, 3, Vec::new(), 2, &mut stream(1, "spherical", 0));
        assert_eq!(solution.labels, vec![0; 7]);
    }
}
