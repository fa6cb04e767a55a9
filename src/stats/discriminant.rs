//! Cutting rows in two where pairs say that they are of two kinds.

use super::kmeans;
use super::mixture::{dot, inverse_cholesky};

/// As how many pairs the covariance of all rows counts.
const PRIOR: f64 = 5.0;
/// Rounds of power iteration.
const ROUNDS: usize = 100;

/// Cuts rows in two, given that some of them are known to be in different halves and some in the same: 2-means of
///
/// ```text
/// S^(-1/2)·row     S = (½·Σ_together d·dᵀ + 5·T) / (#together + 5)     T = cov(rows)
/// ```
///
/// (relevant components, Bar-Hillel et al. 2003; `d` is the difference of a pair), from the halves along the direction of greatest
/// `wᵀ·Σ_apart d·dᵀ·w` there (Fisher 1936). Nothing if nothing is apart or rows do not differ that way.
///
/// # Shapes
/// - `rows`: `[rows, width]`
/// - `apart`, `together`: `[pairs, width]`, differences between the two rows of each pair
#[must_use]
pub fn halves(rows: &[f32], apart: &[f32], together: &[f32], width: usize) -> Option<Vec<bool>> {
    let mut spread = covariance(rows, width);
    spread.iter_mut().for_each(|value| *value *= PRIOR);
    for difference in together.chunks_exact(width) {
        add_square(&mut spread, difference.iter().map(|d| f64::from(*d)), 0.5);
    }
    let count = PRIOR + (together.len() / width) as f64;
    spread.iter_mut().for_each(|value| *value /= count);
    let (factor, _) = inverse_cholesky(&mut spread, width);
    let white = |vector: &[f32]| -> Vec<f64> {
        factor.chunks_exact(width).map(|line| line.iter().zip(vector).map(|(w, x)| w * f64::from(*x)).sum()).collect()
    };
    let direction = principal(&apart.chunks_exact(width).map(white).collect::<Vec<_>>())?;
    let rows: Vec<Vec<f64>> = rows.chunks_exact(width).map(white).collect();
    let along: Vec<f64> = rows.iter().map(|row| dot(row, &direction)).collect();
    let place = cut(&along)?;
    let mut means = vec![0.0; 2 * width];
    for half in [false, true] {
        let members = || rows.iter().zip(&along).filter(|(_, value)| (**value > place) == half);
        let (mean, count) = (&mut means[usize::from(half) * width..][..width], members().count() as f64);
        members().for_each(|(row, _)| mean.iter_mut().zip(row).for_each(|(mean, x)| *mean += (x / count) as f32));
    }
    let rows: Vec<f32> = rows.iter().flatten().map(|x| *x as f32).collect();
    Some(kmeans::lloyd(&rows, width, means).labels.into_iter().map(|half| half == 1).collect())
}

/// The direction of greatest `Σ (d·w)²`, by power iteration from the longest; nothing if all are zero.
fn principal(differences: &[Vec<f64>]) -> Option<Vec<f64>> {
    let square = |d: &Vec<f64>| dot(d, d);
    let mut along = differences.iter().max_by(|a, b| square(a).total_cmp(&square(b)))?.clone();
    for _ in 0..ROUNDS {
        let mut next = vec![0.0; along.len()];
        for difference in differences {
            let weight = dot(difference, &along);
            next.iter_mut().zip(difference).for_each(|(next, d)| *next += weight * d);
        }
        let norm = dot(&next, &next).sqrt();
        if norm == 0.0 {
            return None;
        }
        along = next.into_iter().map(|x| x / norm).collect();
    }
    Some(along)
}

/// Where to cut numbers in two so that the sum of squared distances to the means of the parts is least: halfway between two of them.
/// Nothing if all are equal.
fn cut(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let total: f64 = sorted.iter().sum();
    let mut best = None;
    let mut below = 0.0;
    for (count, pair) in sorted.windows(2).enumerate() {
        below += pair[0];
        let (low, high) = ((count + 1) as f64, (sorted.len() - count - 1) as f64);
        let between = low * high * (below / low - (total - below) / high).powi(2);
        if pair[0] < pair[1] && best.is_none_or(|(most, _)| between > most) {
            best = Some((between, f64::midpoint(pair[0], pair[1])));
        }
    }
    best.map(|(_, place)| place)
}

/// The lower half of it.
fn covariance(rows: &[f32], width: usize) -> Vec<f64> {
    let count = (rows.len() / width).max(1) as f64;
    let mut mean = vec![0.0; width];
    for row in rows.chunks_exact(width) {
        mean.iter_mut().zip(row).for_each(|(mean, x)| *mean += f64::from(*x) / count);
    }
    let mut covariance = vec![0.0; width * width];
    for row in rows.chunks_exact(width) {
        add_square(&mut covariance, row.iter().zip(&mean).map(|(x, mean)| f64::from(*x) - mean), 1.0 / count);
    }
    covariance
}

/// Adds the lower half of `weight·d·dᵀ`.
fn add_square(sum: &mut [f64], difference: impl ExactSizeIterator<Item = f64>, weight: f64) {
    let width = difference.len();
    let difference: Vec<f64> = difference.collect();
    for (a, x) in difference.iter().enumerate() {
        let line = &mut sum[a * width..=a * width + a];
        line.iter_mut().zip(&difference).for_each(|(sum, y)| *sum += weight * x * y);
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;
    use crate::stats::random::stream;

    /// Two groups that differ by 1 in the second dimension, where rows hardly vary, and by nothing in the first, where they vary by 10.
    fn rows(count: usize) -> Vec<[f32; 2]> {
        let mut rng = stream(1, "rows", 0);
        (0..count).map(|i| [rng.random_range(-10.0..10.0), (i % 2) as f32 + rng.random_range(-0.2..0.2f32)]).collect()
    }

    fn differences(rows: &[[f32; 2]], step: usize) -> Vec<f32> {
        (0..rows.len() - step)
            .step_by(5)
            .flat_map(|i| [rows[i][0] - rows[i + step][0], rows[i][1] - rows[i + step][1]])
            .collect()
    }

    #[test]
    fn rows_are_cut_where_what_is_apart_differs_more_than_what_is_together() {
        let rows = rows(200);
        let upper = halves(rows.as_flattened(), &differences(&rows, 1), &differences(&rows, 2), 2).unwrap();
        assert!((0..200).all(|i| upper[i] == (upper[1] == (i % 2 == 1))), "{upper:?}");
    }

    /// One difference along the short side of four groups at the corners of a rectangle, which 2-means alone would cut across.
    #[test]
    fn a_single_pair_decides_which_way_to_cut() {
        let rows: Vec<f32> = (0..80).flat_map(|i| [(i % 2) as f32 * 2.0, (i / 2 % 2) as f32 * 1.8]).collect();
        for (apart, bit) in [([2.0, 0.0], 0), ([0.0, 1.8], 1)] {
            let upper = halves(&rows, &apart, &[], 2).unwrap();
            assert!((0..80).all(|i| (upper[i] == upper[0]) == (i >> bit & 1 == 0)), "{apart:?}: {upper:?}");
        }
    }

    /// Few pairs point a little the wrong way: what the rows themselves show puts it right.
    #[test]
    fn halves_follow_the_rows_where_pairs_are_few() {
        let rows = rows(200);
        let together = differences(&rows, 2);
        let upper = halves(rows.as_flattened(), &[3.0, 1.0], &together, 2).unwrap();
        assert!((0..200).all(|i| upper[i] == (upper[1] == (i % 2 == 1))), "{upper:?}");
    }

    #[test]
    fn numbers_are_cut_where_the_squares_are_least() {
        assert_eq!(cut(&[5.0, 0.0, 1.0, 6.0, 0.5]), Some(3.0));
        assert_eq!(cut(&[2.0, 2.0, 2.0]), None);
        assert_eq!(cut(&[]), None);
        assert_eq!(cut(&[1.0, 1.0, 3.0]), Some(2.0));
    }

    #[test]
    fn rows_that_are_all_alike_are_not_cut() {
        let rows = [1.0f32, 2.0, 3.0, 5.0, 0.0, 1.0];
        assert_eq!(halves(&rows, &[], &[1.0, 1.0], 2), None);
        assert_eq!(halves(&rows, &[0.0, 0.0], &[], 2), None);
        assert_eq!(halves(&[1.0; 8], &[1.0, 0.0], &[], 2), None);
        assert_eq!(halves(&[], &[1.0, 0.0], &[], 2), None);
    }
}
