//! How much the label of a row says about the label of its neighbour, within one device.

/// Within-key mutual information of neighbouring labels, the unlabelled score by which models are compared.
///
/// Per key `d` with pairs `(a, b)`: the table of label pairs, symmetrised and normalised to `P`, with marginals `p`:
///
/// ```text
/// I_d = Σ_kl P_kl ln( P_kl / (p_k p_l) )          score = Σ_d n_d/n · I_d
/// ```
///
/// A labelling that only tells devices apart scores 0 (online-recipe.md, Part II, sections 2.10 and 4).
#[must_use]
pub fn score(keys: &[u32], labels: &[u32], neighbours: &[u32], clusters: usize) -> f64 {
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by_key(|&i| keys[i]);
    let mut total = 0.0;
    for group in order.chunk_by(|&a, &b| keys[a] == keys[b]) {
        let mut joint = vec![0.0f64; clusters * clusters];
        let weight = 0.5 / group.len() as f64;
        for &i in group {
            let (a, b) = (labels[i] as usize, neighbours[i] as usize);
            joint[a * clusters + b] += weight;
            joint[b * clusters + a] += weight;
        }
        let margin: Vec<f64> = joint.chunks_exact(clusters).map(|row| row.iter().sum()).collect();
        let mut information = 0.0;
        for (a, row) in joint.chunks_exact(clusters).enumerate() {
            for (b, p) in row.iter().enumerate().filter(|(_, p)| **p > 0.0) {
                information += p * (p / (margin[a] * margin[b])).ln();
            }
        }
        total += group.len() as f64 * information;
    }
    total / keys.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_labelling_by_device_alone_scores_zero() {
        let keys = [0, 0, 0, 1, 1, 1];
        let labels = [0, 0, 0, 1, 1, 1];
        assert!(score(&keys, &labels, &labels, 2).abs() < 1e-12);
    }

    #[test]
    fn neighbours_that_agree_score_the_entropy_of_the_labels() {
        let keys = [0; 4];
        let labels = [0, 1, 0, 1];
        assert!((score(&keys, &labels, &labels, 2) - std::f64::consts::LN_2).abs() < 1e-12);
    }

    #[test]
    fn independent_neighbours_score_zero() {
        assert!(score(&[0; 4], &[0, 0, 1, 1], &[0, 1, 0, 1], 2).abs() < 1e-12);
    }
}
