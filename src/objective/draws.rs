//! Normal numbers that belong to a row: the same on whichever worker computes it.

use crate::stats::random::mix;

/// Standard normal numbers by Box and Muller (1958) from a counter that starts at each row's seed.
///
/// # Shapes
/// - output: `[seeds, width]`, row-major
pub(super) fn normals(seeds: &[u64], width: usize) -> Vec<f32> {
    // 53 bits as a number above 0, at most 1.
    let uniform = |bits: u64| ((bits >> 11) + 1) as f64 / (1u64 << 53) as f64;
    let mut draws = Vec::with_capacity(seeds.len() * width);
    for seed in seeds {
        let mut state = mix(*seed);
        for _ in 0..width.div_ceil(2) {
            let (first, second) = (mix(state), mix(state ^ 0x5851_f42d_4c95_7f2d));
            state = mix(first ^ second.rotate_left(32));
            let radius = (-2.0 * uniform(first).ln()).sqrt();
            let (sine, cosine) = (std::f64::consts::TAU * uniform(second)).sin_cos();
            draws.push((radius * cosine) as f32);
            draws.push((radius * sine) as f32);
        }
        if !width.is_multiple_of(2) {
            draws.pop();
        }
    }
    draws
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_standard_normal_and_of_their_row_alone() {
        let seeds: Vec<u64> = (0..4_000).collect();
        let draws = normals(&seeds, 5);
        assert_eq!(draws.len(), 20_000);
        assert_eq!(normals(&seeds[7..9], 5), draws[35..45]);
        let moment = |power: i32| draws.iter().map(|x| f64::from(*x).powi(power)).sum::<f64>() / 20_000.0;
        for (power, expected, error) in [(1, 0.0, 0.03), (2, 1.0, 0.04), (3, 0.0, 0.1), (4, 3.0, 0.25)] {
            assert!((moment(power) - expected).abs() < error, "{power}: {}", moment(power));
        }
        let lag = draws.windows(2).map(|w| f64::from(w[0] * w[1])).sum::<f64>() / 20_000.0;
        assert!(lag.abs() < 0.03, "{lag}");
    }
}
