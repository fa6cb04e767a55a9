//! Principal components of a buffer of rows, and how well they explain other rows.
//!
//! A linear reconstruction is enough to notice that features no longer hang together as they did; it needs no training.

#[cfg(test)]
mod tests;

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{dots, wide};

/// Most components that are kept.
const MOST_COMPONENTS: usize = 32;
/// Passes over the rows; each one sharpens the gap between what is kept and what is not by the square of its ratio.
const PASSES: usize = 8;
/// A direction of which less than this part remains beside the others is not one of its own.
const LEAST_PART: f64 = 1e-5;

/// The mean of a buffer of rows and the directions in which they vary most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Principal {
    mean: Vec<f32>,
    /// `[rank, dims]`, orthonormal rows.
    components: Vec<f32>,
}

impl Principal {
    /// Finds the `min(32, dims / 2, rows - 1)` first principal components of `rows` by subspace iteration from random
    /// directions; fewer if the rows vary in fewer.
    ///
    /// ```text
    /// repeat: P <- orthonormalise( P X^T X ),   X = rows - mean
    /// ```
    ///
    /// # Shapes
    /// `rows` is `[rows, dims]`, row by row.
    ///
    /// Source: Halko, Martinsson, Tropp, *Finding structure with randomness* (2011), algorithm 4.4, without oversampling:
    /// directions of nearly equal variance may be mixed up, which changes the reconstruction by as little.
    pub fn fit(rows: &[f32], dims: usize, rng: &mut impl Rng) -> Self {
        assert!(dims > 0 && rows.len().is_multiple_of(dims), "a buffer holds whole rows");
        let count = rows.len() / dims;
        let mean = mean(rows, dims);
        let centred: Vec<f32> =
            rows.chunks_exact(dims).flat_map(|row| row.iter().zip(&mean).map(|(x, m)| x - m)).collect();
        let rank = MOST_COMPONENTS.min(dims / 2).min(count.saturating_sub(1));
        let mut components: Vec<f32> = (0..rank * dims).map(|_| rng.random_range(-1.0..1.0)).collect();
        orthonormalise(&mut components, dims);
        let lines: Vec<&[f32]> = centred.chunks_exact(dims).collect();
        for _ in 0..PASSES {
            let directions: Vec<&[f32]> = components.chunks_exact(dims).collect();
            let mut along = vec![0.0; lines.len() * directions.len()];
            dots(&lines, &directions, &mut along);
            let mut next = vec![0.0; components.len()];
            gather(&lines, &along, &mut next);
            orthonormalise(&mut next, dims);
            components = next;
        }
        Self { mean, components }
    }

    /// Length of a row.
    pub fn dims(&self) -> usize {
        self.mean.len()
    }

    /// How many components there are.
    pub fn rank(&self) -> usize {
        self.components.len() / self.mean.len()
    }

    /// The components, `[rank, dims]`, orthonormal, by falling variance.
    pub fn components(&self) -> &[f32] {
        &self.components
    }

    /// Where a row lies along each component, seen from the mean.
    ///
    /// ```text
    /// P (x - m)
    /// ```
    pub fn project(&self, row: &[f32]) -> Vec<f32> {
        self.along(&self.centred(row)).into_iter().map(|along| along as f32).collect()
    }

    /// Mean squared difference between a row and its reconstruction.
    ///
    /// ```text
    /// (||x - m||^2 - ||P (x - m)||^2) / dims
    /// ```
    pub fn reconstruction_error(&self, row: &[f32]) -> f32 {
        let centred = self.centred(row);
        let length = centred.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
        let explained: f64 = self.along(&centred).into_iter().map(|along| along.powi(2)).sum();
        ((length - explained).max(0.0) / self.mean.len() as f64) as f32
    }

    /// Squared difference between a row and its reconstruction, per feature; its mean is the reconstruction error.
    ///
    /// ```text
    /// ((x - m) - P^T P (x - m))_j^2
    /// ```
    pub fn residuals(&self, row: &[f32]) -> Vec<f32> {
        let mut left = self.centred(row);
        let along = self.along(&left);
        wide(
            #[inline(always)]
            || {
                for (component, along) in self.components.chunks_exact(self.mean.len()).zip(along) {
                    let along = along as f32;
                    left.iter_mut().zip(component).for_each(|(left, p)| *left -= along * p);
                }
                left.iter_mut().for_each(|left| *left *= *left);
            },
        );
        left
    }

    fn centred(&self, row: &[f32]) -> Vec<f32> {
        row.iter().zip(&self.mean).map(|(x, m)| x - m).collect()
    }

    /// Where a centred row lies along each component.
    fn along(&self, centred: &[f32]) -> Vec<f64> {
        let dims = self.mean.len();
        let mut along = Vec::with_capacity(self.rank());
        wide(
            #[inline(always)]
            || {
                for components in self.components.chunks(4 * dims) {
                    if components.len() == 4 * dims {
                        // Four at a time: each waits for its own last sum.
                        along.extend(exact_dots(centred, std::array::from_fn::<_, 4, _>(|i| &components[i * dims..])));
                    } else {
                        along.extend(components.chunks_exact(dims).flat_map(|one| exact_dots(centred, [one])));
                    }
                }
            },
        );
        along
    }
}

/// Adds up rows, each times its number for each direction: `next = alongᵀ rows`.
fn gather(rows: &[&[f32]], along: &[f32], next: &mut [f32]) {
    let Some(dims) = rows.first().map(|row| row.len()) else { return };
    let rank = next.len() / dims;
    wide(
        #[inline(always)]
        || {
            for (row, along) in rows.iter().zip(along.chunks_exact(rank.max(1))) {
                for (next, along) in next.chunks_exact_mut(dims).zip(along) {
                    next.iter_mut().zip(*row).for_each(|(next, x)| *next += along * x);
                }
            }
        },
    );
}

/// Mean per feature; zeros if there are no rows.
fn mean(rows: &[f32], dims: usize) -> Vec<f32> {
    let mut sums = vec![0.0f64; dims];
    for row in rows.chunks_exact(dims) {
        sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x));
    }
    let count = (rows.len() / dims).max(1) as f64;
    sums.iter().map(|sum| (sum / count) as f32).collect()
}

/// Modified Gram-Schmidt, each direction twice; directions that the ones before already span are left out.
fn orthonormalise(directions: &mut Vec<f32>, dims: usize) {
    let mut kept = 0;
    for at in 0..directions.len() / dims {
        let (before, rest) = directions.split_at_mut(at * dims);
        let direction = &mut rest[..dims];
        let length = exact_dot(direction, direction).sqrt();
        for _ in 0..2 {
            for other in before[..kept * dims].chunks_exact(dims) {
                let along = exact_dot(direction, other) as f32;
                direction.iter_mut().zip(other).for_each(|(x, o)| *x -= along * o);
            }
        }
        let left = exact_dot(direction, direction).sqrt();
        if left > LEAST_PART * length && left > 0.0 {
            direction.iter_mut().for_each(|x| *x = (f64::from(*x) / left) as f32);
            directions.copy_within(at * dims..(at + 1) * dims, kept * dims);
            kept += 1;
        }
    }
    directions.truncate(kept * dims);
}

fn exact_dot(a: &[f32], b: &[f32]) -> f64 {
    exact_dots(a, [b])[0]
}

/// Eight sums side by side, like [`dot`](super::dot), in double precision, of `a` with the first elements of each of `b`.
#[inline(always)]
fn exact_dots<const M: usize>(a: &[f32], b: [&[f32]; M]) -> [f64; M] {
    let (chunks, tail) = a.as_chunks::<8>();
    let whole = a.len() - tail.len();
    // By index: iterators over arrays are not always unrolled, and sums that are not stay in memory.
    let others: [&[[f32; 8]]; M] = b.map(|b| &b.as_chunks().0[..chunks.len()]);
    let mut sums = [[0.0f64; 8]; M];
    for i in 0..chunks.len() {
        for m in 0..M {
            for lane in 0..8 {
                sums[m][lane] += f64::from(chunks[i][lane]) * f64::from(others[m][i][lane]);
            }
        }
    }
    std::array::from_fn(|m| {
        let left: f64 = tail.iter().zip(&b[m][whole..]).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
        sums[m].iter().sum::<f64>() + left
    })
}
