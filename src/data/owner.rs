//! Which worker keeps the open windows of a key.

/// The worker (of `peers`) that owns `key`: the same on every machine and in every version.
///
/// ```text
/// h = FNV-1a-64(key);  h = fmix64(h);  owner = h mod peers
/// ```
///
/// FNV-1a by Fowler, Noll and Vo; its low bits only mix the low bits of the key's bytes, hence the finaliser of MurmurHash3.
pub fn owner(key: &str, peers: usize) -> u32 {
    let mut hash = key
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^= hash >> 33;
    (hash % peers.max(1) as u64) as u32
}

#[cfg(test)]
mod tests {
    use super::owner;

    #[test]
    fn similar_keys_are_spread_over_the_workers() {
        for peers in [2, 3, 4, 8] {
            let mut counts = vec![0; peers];
            for device in (0..2000).step_by(2) {
                counts[owner(&format!("device-{device}"), peers) as usize] += 1;
            }
            let fair = 1000 / peers;
            assert!(counts.iter().all(|&count| count > fair / 2 && count < fair * 2), "{peers} workers: {counts:?}");
        }
    }

    #[test]
    fn a_single_worker_owns_every_key() {
        assert!(["", "a", "7/1"].iter().all(|key| owner(key, 1) == 0));
    }
}
