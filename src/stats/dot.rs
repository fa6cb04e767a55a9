//! Inner products that the compiler keeps in vector registers.

/// `Σ a_i·b_i` of two slices of equal length, as eight sums side by side: one sum would have to be added in order.
#[must_use]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let (a, b) = (a.chunks_exact(8).remainder(), b.chunks_exact(8).remainder());
    let tail: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_summed_to_its_end() {
        for length in 0..40 {
            let a: Vec<f32> = (0..length).map(|i| i as f32).collect();
            let exact: f32 = a.iter().map(|x| x * x).sum();
            assert_eq!(dot(&a, &a), exact);
        }
    }
}
