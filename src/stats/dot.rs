//! Inner products that the compiler keeps in vector registers.

use super::wide;

/// Sums side by side: one sum would have to be added in order.
const LANES: usize = 8;
/// Products taken side by side: each waits for its own last sum.
const TILE: usize = 4;
/// Rows of `b` that are gone through for all of `a`, so that they stay in the cache.
const BLOCK: usize = 64;

/// `Σ a_i·b_i` of two slices of equal length.
#[must_use]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    product(a, [b])[0]
}

/// `P = A Bᵀ` into `out`; every entry has the bits that [`dot`] gives for its two rows.
///
/// # Shapes
/// `a` is `[a.len(), width]`, `b` is `[b.len(), width]`, `out` is `[a.len(), b.len()]`, row by row.
pub fn dots(a: &[&[f32]], b: &[&[f32]], out: &mut [f32]) {
    assert!(out.len() == a.len() * b.len(), "there is room for every pair");
    let columns = b.len();
    wide(
        #[inline(always)]
        || {
            for (start, block) in b.chunks(BLOCK).enumerate().map(|(i, block)| (i * BLOCK, block)) {
                let (tiles, rest) = block.as_chunks::<TILE>();
                for (i, left) in a.iter().enumerate() {
                    let out = &mut out[i * columns + start..][..block.len()];
                    let (wholes, single) = out.split_at_mut(tiles.len() * TILE);
                    for (out, right) in wholes.chunks_exact_mut(TILE).zip(tiles) {
                        out.copy_from_slice(&product(left, *right));
                    }
                    for (out, right) in single.iter_mut().zip(rest) {
                        [*out] = product(left, [right]);
                    }
                }
            }
        },
    );
}

/// The products of `a` with each of `b`.
#[inline(always)]
fn product<const M: usize>(a: &[f32], b: [&[f32]; M]) -> [f32; M] {
    let (chunks, tail) = a.as_chunks::<LANES>();
    let whole = a.len() - tail.len();
    // By index: iterators over arrays are not always unrolled, and sums that are not stay in memory.
    let others: [&[[f32; LANES]]; M] = b.map(|b| &b.as_chunks().0[..chunks.len()]);
    let mut sums = [[0.0f32; LANES]; M];
    for i in 0..chunks.len() {
        for m in 0..M {
            for lane in 0..LANES {
                sums[m][lane] += chunks[i][lane] * others[m][i][lane];
            }
        }
    }
    std::array::from_fn(|m| {
        let left: f32 = tail.iter().zip(&b[m][whole..]).map(|(a, b)| a * b).sum();
        sums[m].iter().sum::<f32>() + left
    })
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;
    use crate::stats::random::stream;

    #[test]
    fn every_length_is_summed_to_its_end() {
        for length in 0..40 {
            let a: Vec<f32> = (0..length).map(|i| i as f32).collect();
            let exact: f32 = a.iter().map(|x| x * x).sum();
            assert_eq!(dot(&a, &a), exact);
        }
    }

    #[test]
    fn many_at_once_have_the_bits_of_one_at_a_time() {
        let mut rng = stream(8, "dots", 0);
        for (rows, columns, width) in [(1, 1, 3), (2, 4, 8), (5, 70, 29), (3, 131, 64), (7, 3, 1)] {
            let mut rows_of = |count: usize| -> Vec<Vec<f32>> {
                (0..count).map(|_| (0..width).map(|_| rng.random_range(-1.0..1.0)).collect()).collect()
            };
            let (a, b) = (rows_of(rows), rows_of(columns));
            let (a, b): (Vec<&[f32]>, Vec<&[f32]>) =
                (a.iter().map(Vec::as_slice).collect(), b.iter().map(Vec::as_slice).collect());
            let mut out = vec![f32::NAN; rows * columns];
            dots(&a, &b, &mut out);
            for (i, a) in a.iter().enumerate() {
                for (j, b) in b.iter().enumerate() {
                    assert_eq!(out[i * columns + j].to_bits(), dot(a, b).to_bits());
                }
            }
        }
    }
}
