//! Vectors as wholes: sums and what holds of every element.

use super::wide;

/// Whether no value is infinite or not a number.
#[must_use]
pub fn all_finite(values: &[f32]) -> bool {
    // Without an early end: a loop that may stop anywhere is not vectorised.
    wide(
        #[inline(always)]
        || values.iter().fold(true, |all, value| all & value.is_finite()),
    )
}

/// The sum of vectors of equal length, added in their order; nothing if there are none.
#[must_use]
pub fn sum(vectors: &[&[f32]]) -> Vec<f32> {
    match vectors {
        [] => Vec::new(),
        [only] => only.to_vec(),
        [first, second, rest @ ..] => {
            let mut total: Vec<f32> = first.iter().zip(*second).map(|(a, b)| a + b).collect();
            for vector in rest {
                total.iter_mut().zip(*vector).for_each(|(sum, value)| *sum += value);
            }
            total
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_that_is_not_finite_is_found_wherever_it_stands() {
        assert!(all_finite(&[]) && all_finite(&[f32::MAX; 67]));
        for place in 0..67 {
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut values = [1.0; 67];
                values[place] = bad;
                assert!(!all_finite(&values), "{bad} at {place}");
            }
        }
    }

    #[test]
    fn vectors_are_added_in_their_order() {
        let (large, small) = (vec![1e8f32; 5], vec![4.0f32; 5]);
        assert!(sum(&[]).is_empty());
        assert_eq!(sum(&[&small]), small);
        assert_eq!(sum(&[&large, &small, &small]), vec![1e8 + 4.0 + 4.0; 5]);
        assert_eq!(sum(&[&small, &small, &large]), vec![(4.0 + 4.0) + 1e8; 5]);
        assert_ne!(sum(&[&large, &small, &small]), sum(&[&small, &small, &large]), "rounding tells them apart");
    }
}
