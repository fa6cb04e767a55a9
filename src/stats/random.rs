//! One seed, one stream of randomness per component.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// A generator that depends on the run's seed, the component's name and a counter, and on nothing else: components can be
/// added, left out or run in another order without changing what the others draw.
#[must_use]
pub fn stream(seed: u64, component: &str, index: u64) -> ChaCha8Rng {
    let mut state = mix(seed ^ 0x9e37_79b9_7f4a_7c15);
    for byte in component.bytes() {
        state = mix(state ^ u64::from(byte));
    }
    ChaCha8Rng::seed_from_u64(mix(state ^ index.wrapping_mul(0xbf58_476d_1ce4_e5b9)))
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every input bit moves every output bit.
#[must_use]
pub fn mix(mut value: u64) -> u64 {
    value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::RngCore;

    use super::*;

    #[test]
    fn streams_differ_by_seed_component_and_index() {
        let first = |seed, name, index| stream(seed, name, index).next_u64();
        let all = [first(1, "a", 0), first(2, "a", 0), first(1, "b", 0), first(1, "a", 1), first(1, "ab", 0)];
        for (i, x) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|y| x != y));
        }
        assert_eq!(first(1, "a", 0), all[0]);
    }
}
