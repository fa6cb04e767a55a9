//! Directions of embeddings, and the k-means centroids among them.

use crate::stats::spherical;

/// Where embeddings are looked at from.
///
/// ```text
/// d(z) = [z - c, l] / ‖[z - c, l]‖        c = mean z,  l = root mean ‖z - c‖²
/// ```
///
/// The cosine of plain embeddings means nothing where their origin does not, as in an autoencoder's code; from the mean alone a
/// cluster around the mean would have no direction.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Viewpoint {
    /// `c`, then `l`.
    pub(super) values: Vec<f32>,
}

impl Viewpoint {
    /// From embeddings, `[rows, width]`.
    pub(super) fn of(embeddings: &[f32], width: usize) -> Self {
        let rows = (embeddings.len() / width).max(1) as f64;
        let mut sums = vec![0.0f64; width];
        for z in embeddings.chunks_exact(width) {
            sums.iter_mut().zip(z).for_each(|(s, v)| *s += f64::from(*v));
        }
        let mut values: Vec<f32> = sums.iter().map(|s| (s / rows) as f32).collect();
        let spread: f64 = embeddings
            .chunks_exact(width)
            .flat_map(|z| z.iter().zip(&values).map(|(v, c)| f64::from(v - c) * f64::from(v - c)))
            .sum();
        values.push((spread / rows).sqrt().max(1e-6) as f32);
        Self { values }
    }

    /// Appends the direction of each embedding, `[width + 1]`.
    pub(super) fn directions(&self, embeddings: &[f32]) -> Vec<f32> {
        let width = self.values.len() - 1;
        let mut directions = Vec::with_capacity(embeddings.len() / width * (width + 1));
        for z in embeddings.chunks_exact(width) {
            let start = directions.len();
            directions.extend(z.iter().zip(&self.values).map(|(v, c)| v - c));
            directions.push(self.values[width]);
            spherical::normalise(&mut directions[start..]);
        }
        directions
    }
}

/// Radius within which the `count` rows nearest to each centroid lie, in cosine distance; below 0 for a cluster without rows.
pub(super) fn radii(labels: &[usize], distances: &[f32], clusters: usize, count: usize) -> Vec<f32> {
    let mut members = vec![Vec::new(); clusters];
    labels.iter().zip(distances).for_each(|(k, d)| members[*k].push(*d));
    let radius = |mut distances: Vec<f32>| {
        distances.sort_by(f32::total_cmp);
        distances.get(count - 1).or(distances.last()).copied().unwrap_or(-1.0)
    };
    members.into_iter().map(radius).collect()
}

/// Mini-batch k-means (Sculley 2010) on the sphere: each row moves its centroid by one over the rows that it has had, at least
/// by a thousandth. Clusters without rows stay.
pub(super) fn follow(centroids: &mut [f32], counts: &mut [f32], directions: &[f32], labels: &[usize]) {
    let width = centroids.len() / counts.len();
    for (direction, k) in directions.chunks_exact(width).zip(labels) {
        counts[*k] = (counts[*k] + 1.0).min(1e3);
        let rate = counts[*k].recip();
        let centroid = &mut centroids[k * width..(k + 1) * width];
        centroid.iter_mut().zip(direction).for_each(|(c, d)| *c += rate * (d - *c));
    }
    centroids.chunks_exact_mut(width).for_each(spherical::normalise);
}
