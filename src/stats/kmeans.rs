//! Plain k-means: seats centroids after pretraining and is the baseline everything is compared with.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// A k-means solution.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// `[clusters, width]`, row-major.
    pub centroids: Vec<f32>,
    /// Cluster of each row.
    pub labels: Vec<u32>,
    /// Sum of squared distances to the own centroid.
    pub inertia: f64,
}

/// Lloyd's algorithm from k-means++ seeds (Arthur and Vassilvitskii 2007), the best inertia of `restarts` starts.
/// A cluster that loses its last row is re-seated on the row that is farthest from its centroid.
///
/// # Shapes
/// - `rows`: `[rows, width]`, row-major, at least one row
#[must_use]
pub fn fit(rows: &[f32], width: usize, clusters: usize, restarts: usize, rng: &mut ChaCha8Rng) -> Solution {
    let mut best: Option<Solution> = None;
    for _ in 0..restarts.max(1) {
        let solution = lloyd(rows, width, seed(rows, width, clusters, rng));
        if best.as_ref().is_none_or(|b| solution.inertia < b.inertia) {
            best = Some(solution);
        }
    }
    best.expect("at least one start")
}

/// Squared distance, as eight sums side by side that the compiler keeps in one register.
fn squared(a: &[f32], b: &[f32]) -> f64 {
    let mut sums = [0.0f32; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for lane in 0..8 {
            sums[lane] += (a[lane] - b[lane]) * (a[lane] - b[lane]);
        }
    }
    let (a, b) = (a.chunks_exact(8).remainder(), b.chunks_exact(8).remainder());
    let tail: f32 = a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum();
    (sums.iter().sum::<f32>() + tail).into()
}

pub(super) fn seed(rows: &[f32], width: usize, clusters: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let count = rows.len() / width;
    let row = |i: usize| &rows[i * width..(i + 1) * width];
    let mut centroids = row(rng.random_range(0..count)).to_vec();
    let mut nearest: Vec<f64> = (0..count).map(|i| squared(row(i), &centroids)).collect();
    while centroids.len() < clusters * width {
        let total: f64 = nearest.iter().sum();
        let mut ticket = rng.random::<f64>() * total;
        let chosen = nearest
            .iter()
            .position(|d| {
                ticket -= d;
                ticket < 0.0
            })
            .unwrap_or_else(|| rng.random_range(0..count));
        let start = centroids.len();
        centroids.extend_from_slice(row(chosen));
        for (i, d) in nearest.iter_mut().enumerate() {
            *d = d.min(squared(row(i), &centroids[start..]));
        }
    }
    centroids
}

/// Index of the nearest centroid and the squared distance to it; the lowest index wins a tie.
#[must_use]
pub fn nearest(row: &[f32], centroids: &[f32]) -> (usize, f64) {
    let mut best = (0, f64::INFINITY);
    for (k, centroid) in centroids.chunks_exact(row.len()).enumerate() {
        let distance = squared(row, centroid);
        if distance < best.1 {
            best = (k, distance);
        }
    }
    best
}

/// Lloyd's algorithm from given centroids.
pub(super) fn lloyd(rows: &[f32], width: usize, mut centroids: Vec<f32>) -> Solution {
    let clusters = centroids.len() / width;
    let mut labels = vec![u32::MAX; rows.len() / width];
    for _ in 0..300 {
        let (mut sums, mut counts) = (vec![0.0f64; clusters * width], vec![0usize; clusters]);
        let (mut moved, mut inertia, mut farthest) = (false, 0.0, (0, -1.0));
        for (i, row) in rows.chunks_exact(width).enumerate() {
            let (k, distance) = nearest(row, &centroids);
            moved |= labels[i] != k as u32;
            labels[i] = k as u32;
            inertia += distance;
            counts[k] += 1;
            for (s, v) in sums[k * width..].iter_mut().zip(row) {
                *s += f64::from(*v);
            }
            if distance > farthest.1 {
                farthest = (i, distance);
            }
        }
        if !moved {
            return Solution { centroids, labels, inertia };
        }
        for k in 0..clusters {
            for d in 0..width {
                centroids[k * width + d] = match counts[k] {
                    0 => rows[farthest.0 * width + d],
                    n => (sums[k * width + d] / n as f64) as f32,
                };
            }
        }
    }
    let inertia = rows.chunks_exact(width).map(|row| nearest(row, &centroids).1).sum();
    Solution { centroids, labels, inertia }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::random::stream;

    #[test]
    fn separated_groups_are_found() {
        let rows: Vec<f32> = (0..60).flat_map(|i| [(i % 3) as f32 * 10.0, (i / 3) as f32 * 0.01]).collect();
        let solution = fit(&rows, 2, 3, 5, &mut stream(1, "kmeans", 0));
        for i in 3..60 {
            assert_eq!(solution.labels[i], solution.labels[i % 3]);
        }
        assert!(solution.inertia < 0.5);
    }

    #[test]
    fn equal_rows_do_not_panic() {
        let solution = fit(&[1.0; 8], 2, 3, 2, &mut stream(1, "kmeans", 0));
        assert_eq!(solution.labels, vec![0; 4]);
        assert!(solution.inertia < 1e-12);
    }
}
