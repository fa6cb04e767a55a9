//! Which answers are confident, class by class.

/// Adaptive positive and negative thresholds.
///
/// ```text
/// A[c] ← m_c·A[c] + (1-m_c)·mean_{i: c_i = c} p_i        c_i = argmax p_i,   m_c = m^(n_c·K/B)
/// τ⁺(c) = A[c,c]        τ⁻(c,j) = A[c,j],  j ≠ c
/// ```
///
/// Source: Wu et al. 2025 by way of their code, which keeps the off-diagonal of `A` and its row sum `τ_g` and writes
/// `τ⁻(c,j) = A[c,j]/Σ_j A[c,j]·τ_g(c)`, `τ⁺(c) = 1 - Σ_j τ⁻(c,j)`: with `p_i` summing to one this is the above. Difference:
/// only rows of classes that are in the batch move, in proportion to their number; theirs decay where a class is absent, which
/// would end all learning of a class that a stream does not show for a while.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Thresholds {
    confusion: Vec<f32>,
    clusters: usize,
}

impl Thresholds {
    pub(super) fn new(confusion: &[f32], clusters: usize) -> Self {
        Self { confusion: confusion.to_vec(), clusters }
    }

    /// Moves towards the probabilities of rows, `[clusters]` each, given their classes.
    pub(super) fn renew<'a>(&mut self, rows: impl Iterator<Item = (usize, &'a [f32])>, momentum: f32) {
        let clusters = self.clusters;
        let (mut sums, mut counts) = (vec![0.0f32; clusters * clusters], vec![0usize; clusters]);
        for (class, probabilities) in rows {
            counts[class] += 1;
            sums[class * clusters..].iter_mut().zip(probabilities).for_each(|(s, p)| *s += p);
        }
        let even = counts.iter().sum::<usize>() as f32 / clusters as f32;
        let lines = self.confusion.chunks_exact_mut(clusters).zip(sums.chunks_exact(clusters));
        for ((old, sum), count) in lines.zip(&counts).filter(|(_, count)| **count > 0) {
            let keep = momentum.powf(*count as f32 / even);
            old.iter_mut().zip(sum).for_each(|(a, s)| *a = keep * *a + (1.0 - keep) * s / *count as f32);
        }
    }

    pub(super) fn confusion(&self) -> &[f32] {
        &self.confusion
    }

    /// From which probability an answer `class` is confident.
    pub(super) fn positive(&self, class: usize) -> f32 {
        self.confusion[class * self.clusters + class]
    }

    /// Below which probability a row of `class` is surely not in `other`.
    pub(super) fn negative(&self, class: usize, other: usize) -> f32 {
        self.confusion[class * self.clusters + other]
    }
}
