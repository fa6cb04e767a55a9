//! How well a clustering agrees with labels, and how even its sizes are.

use std::collections::BTreeMap;

use super::maximum_matching;

/// How often each cluster met each label: the confusion table, and every score that can be read off it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contingency<C, L> {
    clusters: Vec<C>,
    labels: Vec<L>,
    /// Row-major, one row per cluster.
    counts: Vec<u64>,
}

impl<C: Ord + Clone, L: Ord + Clone> FromIterator<(C, L)> for Contingency<C, L> {
    fn from_iter<I: IntoIterator<Item = (C, L)>>(pairs: I) -> Self {
        let mut cells: BTreeMap<(C, L), u64> = BTreeMap::new();
        for pair in pairs {
            *cells.entry(pair).or_default() += 1;
        }
        let mut clusters: Vec<C> = cells.keys().map(|(cluster, _)| cluster.clone()).collect();
        clusters.dedup();
        let mut labels: Vec<L> = cells.keys().map(|(_, label)| label.clone()).collect();
        labels.sort_unstable();
        labels.dedup();
        let mut counts = vec![0; clusters.len() * labels.len()];
        for ((cluster, label), count) in cells {
            if let (Ok(row), Ok(column)) = (clusters.binary_search(&cluster), labels.binary_search(&label)) {
                counts[row * labels.len() + column] = count;
            }
        }
        Self { clusters, labels, counts }
    }
}

impl<C, L> Contingency<C, L> {
    /// The clusters that occur, ascending.
    pub fn clusters(&self) -> &[C] {
        &self.clusters
    }

    /// The labels that occur, ascending.
    pub fn labels(&self) -> &[L] {
        &self.labels
    }

    /// Number of rows of the cluster at place `cluster` that have the label at place `label`.
    pub fn count(&self, cluster: usize, label: usize) -> u64 {
        self.counts[cluster * self.labels.len() + label]
    }

    /// Rows of each cluster.
    pub fn cluster_sizes(&self) -> Vec<u64> {
        (0..self.clusters.len()).map(|c| (0..self.labels.len()).map(|l| self.count(c, l)).sum()).collect()
    }

    /// Rows of each label.
    pub fn label_sizes(&self) -> Vec<u64> {
        (0..self.labels.len()).map(|l| (0..self.clusters.len()).map(|c| self.count(c, l)).sum()).collect()
    }

    /// All rows.
    pub fn rows(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The place of the label each cluster is matched with, one to one, so that most rows agree (Hungarian method).
    pub fn matching(&self) -> Vec<Option<usize>> {
        let gains: Vec<i64> = self.counts.iter().map(|&n| n as i64).collect();
        maximum_matching(&gains, self.clusters.len(), self.labels.len())
    }

    /// Clustering accuracy (ACC): the share of rows whose cluster is matched with their label. 0 without rows.
    ///
    /// ```text
    /// ACC = max over one-to-one m of  sum_c n(c, m(c)) / n
    /// ```
    pub fn accuracy(&self) -> f64 {
        let matched = self.matching();
        let agreeing: u64 = matched.iter().enumerate().filter_map(|(c, l)| Some(self.count(c, (*l)?))).sum();
        if self.rows() == 0 { 0.0 } else { agreeing as f64 / self.rows() as f64 }
    }

    /// Normalised mutual information with the arithmetic mean of the entropies (scikit-learn's default).
    ///
    /// ```text
    /// NMI = I(C; L) / ((H(C) + H(L)) / 2)
    /// ```
    pub fn nmi_arithmetic(&self) -> f64 {
        self.nmi(|clusters, labels| (clusters + labels) / 2.0)
    }

    /// Normalised mutual information with the larger of the entropies; never above [`nmi_arithmetic`](Self::nmi_arithmetic).
    ///
    /// ```text
    /// NMI = I(C; L) / max(H(C), H(L))
    /// ```
    pub fn nmi_max(&self) -> f64 {
        self.nmi(f64::max)
    }

    fn nmi(&self, mean: impl Fn(f64, f64) -> f64) -> f64 {
        // Both sides are one group each (or empty): they agree perfectly, as scikit-learn has it.
        if self.clusters.len() <= 1 && self.labels.len() <= 1 {
            return 1.0;
        }
        let rows = self.rows() as f64;
        let (clusters, labels) = (self.cluster_sizes(), self.label_sizes());
        let mut information = 0.0;
        for (c, &of_cluster) in clusters.iter().enumerate() {
            for (l, &of_label) in labels.iter().enumerate() {
                let both = self.count(c, l) as f64;
                if both > 0.0 {
                    information += both / rows * (both * rows / (of_cluster as f64 * of_label as f64)).ln();
                }
            }
        }
        let mean = mean(entropy(&clusters), entropy(&labels));
        if mean > 0.0 { (information / mean).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// Adjusted Rand index: agreement on pairs of rows, 0 at chance, 1 at identity (Hubert and Arabie 1985).
    ///
    /// ```text
    /// s = sum_cl (n_cl choose 2)    a = sum_c (n_c choose 2)    b = sum_l (n_l choose 2)    e = a b / (n choose 2)
    /// ARI = (s - e) / ((a + b) / 2 - e)
    /// ```
    pub fn ari(&self) -> f64 {
        let pairs = |sizes: &[u64]| sizes.iter().map(|&n| n as f64 * (n as f64 - 1.0) / 2.0).sum::<f64>();
        let same = pairs(&self.counts);
        let (clusters, labels) = (pairs(&self.cluster_sizes()), pairs(&self.label_sizes()));
        let all = pairs(&[self.rows()]);
        let expected = if all > 0.0 { clusters * labels / all } else { 0.0 };
        let most = (clusters + labels) / 2.0;
        // No pair is together on either side, or all are on both.
        if most <= expected { 1.0 } else { (same - expected) / (most - expected) }
    }
}

/// Entropy in nats of the shares that `sizes` stand for.
fn entropy(sizes: &[u64]) -> f64 {
    let rows = sizes.iter().sum::<u64>() as f64;
    let term = |&n: &u64| if n == 0 { 0.0 } else { -(n as f64 / rows) * (n as f64 / rows).ln() };
    sizes.iter().map(term).sum()
}

/// Normalised entropy (NE) of the cluster sizes, empty clusters included: 1 if all are equal, 0 if one has everything.
/// 0 for fewer than two clusters.
///
/// ```text
/// NE = -(1 / ln k) sum_c p_c ln p_c      p_c = n_c / n
/// ```
pub fn normalised_entropy(sizes: &[u64]) -> f64 {
    if sizes.len() < 2 { 0.0 } else { (entropy(sizes) / (sizes.len() as f64).ln()).clamp(0.0, 1.0) }
}

/// Imbalance factor of the cluster sizes, empty clusters included: 1 if all are equal, k if one has everything.
/// 1 without rows.
///
/// ```text
/// k sum_c n_c² / (sum_c n_c)²
/// ```
pub fn imbalance_factor(sizes: &[u64]) -> f64 {
    let rows = sizes.iter().sum::<u64>() as f64;
    let squares: f64 = sizes.iter().map(|&n| (n as f64).powi(2)).sum();
    if rows > 0.0 { sizes.len() as f64 * squares / rows.powi(2) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(ours: f64, theirs: f64) {
        assert!((ours - theirs).abs() < 1e-12, "{ours} is not {theirs}");
    }

    // The figures of the next three tests, by scikit-learn 1.9.1 and scipy:
    //   t = confusion table, clusters by labels; r, k = scipy.optimize.linear_sum_assignment(t, maximize=True)
    //   t[r, k].sum() / n; normalized_mutual_info_score(y, c, average_method="arithmetic" and "max"); adjusted_rand_score(y, c)
    //   p = s / s.sum(); -(p * np.log(p)).sum() / np.log(len(p)); len(s) * (s ** 2).sum() / s.sum() ** 2
    #[test]
    fn a_dozen_rows_score_as_in_scikit_learn() {
        let labels = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2];
        let clusters = [5, 5, 5, 7, 7, 7, 7, 9, 9, 9, 5, 9];
        let table: Contingency<_, _> = clusters.into_iter().zip(labels).collect();
        assert_eq!(table.clusters(), [5, 7, 9]);
        assert_eq!((0..3).map(|l| table.count(0, l)).collect::<Vec<_>>(), [3, 0, 1]);
        assert_eq!(table.matching(), [Some(0), Some(1), Some(2)]);
        close(table.accuracy(), 0.75);
        close(table.nmi_arithmetic(), 0.488_140_492_857_085_33);
        close(table.nmi_max(), 0.488_140_492_857_085_33);
        close(table.ari(), 0.3125);
    }

    #[test]
    fn more_clusters_than_labels_score_as_in_scikit_learn() {
        let pair = |i: i64| {
            let label = (i * 7919 % 1009) % 6;
            ((label + (i * 104_729 % 1013) % 9 / 6 * (i % 4 + 1)) % 8, label)
        };
        let table: Contingency<_, _> = (0..1000).map(pair).collect();
        assert_eq!(table.rows(), 1000);
        close(table.accuracy(), 0.669);
        close(table.nmi_arithmetic(), 0.482_363_674_344_957_8);
        close(table.nmi_max(), 0.456_558_937_570_272_2);
        close(table.ari(), 0.426_511_536_494_518_8);
    }

    #[test]
    fn evenness_is_as_in_numpy() {
        close(normalised_entropy(&[50, 30, 20]), 0.937_230_563_216_129_5);
        close(imbalance_factor(&[50, 30, 20]), 1.14);
        close(normalised_entropy(&[1722, 1544, 1406, 1777, 1906, 1944]), 0.996_502_995_914_115_8);
        close(imbalance_factor(&[1722, 1544, 1406, 1777, 1906, 1944]), 1.012_304_594_800_153_4);
    }

    #[test]
    fn one_cluster_with_everything_is_as_uneven_as_can_be() {
        close(normalised_entropy(&[0, 9, 0]), 0.0);
        close(imbalance_factor(&[0, 9, 0]), 3.0);
        close(normalised_entropy(&[9]), 0.0);
    }

    #[test]
    fn no_rows_give_numbers_and_not_nan() {
        let table: Contingency<i64, i64> = std::iter::empty().collect();
        for score in
            [table.accuracy(), table.nmi_max(), table.ari(), normalised_entropy(&[0, 0]), imbalance_factor(&[])]
        {
            assert!(score.is_finite());
        }
    }

    #[test]
    fn a_single_cluster_says_nothing_about_several_labels() {
        let table: Contingency<_, _> = [(1, 0), (1, 1), (1, 1)].into_iter().collect();
        close(table.nmi_arithmetic(), 0.0);
        close(table.ari(), 0.0);
    }

    proptest! {
        #[test]
        fn names_of_clusters_do_not_matter(pairs in prop::collection::vec((0_i64..5, 0_i64..4), 1..60)) {
            let plain: Contingency<_, _> = pairs.iter().copied().collect();
            let renamed: Contingency<_, _> = pairs.iter().map(|&(c, l)| (7 - 3 * c, l)).collect();
            close(plain.accuracy(), renamed.accuracy());
            close(plain.ari(), renamed.ari());
            prop_assert!((plain.nmi_max() - renamed.nmi_max()).abs() < 1e-9);
            prop_assert!(plain.nmi_max() <= plain.nmi_arithmetic() + 1e-12);
            let itself: Contingency<_, _> = pairs.iter().map(|&(_, l)| (l, l)).collect();
            close(itself.accuracy(), 1.0);
            close(itself.ari(), 1.0);
        }
    }
}
