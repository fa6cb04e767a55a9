//! What is said about assignments.

use std::collections::BTreeMap;

use serde::Serialize;

use super::assignments::{Assigned, Assignments};
use crate::error::Error;
use crate::stats::{Contingency, imbalance_factor, normalised_entropy};

/// More clusters than this cannot be matched in reasonable time, and are none.
const MOST_CLUSTERS: usize = 1000;

/// Everything that is printed.
#[derive(Debug, Serialize)]
pub(super) struct Evaluation {
    /// All rows.
    pub rows: u64,
    /// The column the truth came from.
    pub label_column: Option<String>,
    /// Rows without a label or with the ignored one.
    pub ignored: u64,
    /// Scores over all rows.
    pub all: Scores,
    /// Scores over the rows the model had not seen, if rows say so.
    pub prequential: Option<Scores>,
    /// Scores over the later half of these, by offset.
    pub prequential_second_half: Option<Scores>,
    /// Every cluster, ascending.
    pub clusters: Vec<Cluster>,
    /// Clusters against labels, scored rows only.
    pub confusion: Option<Confusion>,
}

/// Scores of one part of the rows. Those that compare with labels are over the rows that have one.
#[derive(Debug, Serialize)]
pub(super) struct Scores {
    /// Rows of the part.
    pub rows: u64,
    /// Those with a label that is not ignored.
    pub scored: u64,
    /// Clustering accuracy.
    pub acc: Option<f64>,
    /// Normalised mutual information, arithmetic mean.
    pub nmi_arithmetic: Option<f64>,
    /// Normalised mutual information, larger entropy.
    pub nmi_max: Option<f64>,
    /// Adjusted Rand index.
    pub ari: Option<f64>,
    /// Normalised entropy of the clusters, over the scored rows if there are labels.
    pub ne_clusters: f64,
    /// Normalised entropy of the labels.
    pub ne_labels: Option<f64>,
    /// Imbalance factor of the clusters, over the same rows as their entropy.
    pub imbalance_factor: f64,
}

/// One cluster.
#[derive(Debug, Serialize)]
pub(super) struct Cluster {
    /// Its id.
    pub cluster: i64,
    /// Its rows, ignored ones included.
    pub rows: u64,
    /// Its share of all rows.
    pub share: f64,
    /// The label it is matched with.
    pub label: Option<String>,
    /// Scored rows that have that label.
    pub agreeing: Option<u64>,
}

/// Clusters against labels.
#[derive(Debug, Serialize)]
pub(super) struct Confusion {
    /// Rows of the table.
    pub clusters: Vec<i64>,
    /// Columns of the table.
    pub labels: Vec<String>,
    /// Counts.
    pub counts: Vec<Vec<u64>>,
}

/// Scores all rows, those after warm-up, and the later half of these. `clusters` counts clusters that got no row, too.
pub(super) fn evaluate(assignments: &Assignments, clusters: Option<usize>) -> Result<Evaluation, Error> {
    let rows: Vec<&Assigned> = assignments.rows.iter().collect();
    let mut sizes: BTreeMap<i64, u64> = BTreeMap::new();
    for row in &rows {
        *sizes.entry(row.cluster).or_default() += 1;
    }
    if sizes.len() > MOST_CLUSTERS {
        let problem =
            format!("column `cluster` has {} distinct values, at most {MOST_CLUSTERS} can be scored", sizes.len());
        return Err(Error::BadData(problem));
    }
    let k = clusters.unwrap_or(0).max(sizes.len());
    let labelled = assignments.label_column.is_some();
    let later: Vec<&Assigned> = rows.iter().filter(|row| !row.warmup).copied().collect();
    let part = |rows: &[&Assigned]| assignments.has_warmup.then(|| score(rows, k, labelled));
    let table = contingency(&rows, &assignments.labels);
    let matching: BTreeMap<i64, (String, u64)> = table
        .matching()
        .into_iter()
        .enumerate()
        .filter_map(|(c, l)| Some((table.clusters()[c], (table.labels()[l?].to_owned(), table.count(c, l?)))))
        .collect();
    let described = |(&cluster, &size): (&i64, &u64)| Cluster {
        cluster,
        rows: size,
        share: size as f64 / rows.len() as f64,
        label: matching.get(&cluster).map(|(label, _)| label.clone()),
        agreeing: matching.get(&cluster).map(|(_, agreeing)| *agreeing),
    };
    Ok(Evaluation {
        rows: rows.len() as u64,
        label_column: assignments.label_column.clone(),
        ignored: rows.len() as u64 - table.rows(),
        all: score(&rows, k, labelled),
        prequential: part(&later),
        prequential_second_half: part(&later[later.len() / 2..]),
        clusters: sizes.iter().map(described).collect(),
        confusion: labelled.then(|| Confusion {
            clusters: table.clusters().to_vec(),
            labels: table.labels().iter().map(ToString::to_string).collect(),
            counts: (0..table.clusters().len())
                .map(|c| (0..table.labels().len()).map(|l| table.count(c, l)).collect())
                .collect(),
        }),
    })
}

fn contingency<'a>(rows: &[&Assigned], labels: &'a [String]) -> Contingency<i64, &'a str> {
    rows.iter().filter_map(|row| Some((row.cluster, labels[row.label?].as_str()))).collect()
}

fn score(rows: &[&Assigned], k: usize, labelled: bool) -> Scores {
    let pairs = rows.iter().filter_map(|row| Some((row.cluster, row.label?)));
    let table: Contingency<i64, usize> = pairs.collect();
    let mut sizes = if labelled {
        table.cluster_sizes()
    } else {
        rows.iter().map(|row| (row.cluster, 0)).collect::<Contingency<i64, u8>>().cluster_sizes()
    };
    sizes.resize(k.max(sizes.len()), 0);
    let some = |score: f64| (table.rows() > 0).then_some(score);
    Scores {
        rows: rows.len() as u64,
        scored: table.rows(),
        acc: some(table.accuracy()),
        nmi_arithmetic: some(table.nmi_arithmetic()),
        nmi_max: some(table.nmi_max()),
        ari: some(table.ari()),
        ne_clusters: normalised_entropy(&sizes),
        ne_labels: some(normalised_entropy(&table.label_sizes())),
        imbalance_factor: imbalance_factor(&sizes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clusters 0 and 1 against labels a and b; the warm-up is all wrong, the first half after it is half right.
    fn assignments() -> Assignments {
        let row = |(offset, (cluster, label, warmup)): (usize, (i64, Option<usize>, bool))| Assigned {
            place: (0, 0, offset as i64),
            cluster,
            label,
            warmup,
        };
        let warmup = [(1, Some(0), true), (0, Some(1), true)];
        let first = [(0, Some(0), false), (0, Some(1), false), (1, None, false), (1, Some(1), false)];
        let second = [(0, Some(0), false), (1, Some(1), false), (0, Some(0), false), (1, Some(1), false)];
        let rows = warmup.into_iter().chain(first).chain(second).enumerate().map(row).collect();
        let label_column = Some("label".to_owned());
        Assignments { rows, labels: vec!["a".to_owned(), "b".to_owned()], label_column, has_warmup: true }
    }

    #[test]
    fn warmup_rows_are_left_out_of_the_prequential_scores() {
        let evaluation = evaluate(&assignments(), None).unwrap();
        assert_eq!((evaluation.rows, evaluation.ignored), (10, 1));
        assert_eq!(evaluation.all.acc, Some(6.0 / 9.0));
        assert_eq!(evaluation.prequential.unwrap().acc, Some(6.0 / 7.0));
        let second = evaluation.prequential_second_half.unwrap();
        assert_eq!((second.rows, second.acc, second.ne_clusters), (4, Some(1.0), 1.0));
    }

    #[test]
    fn clusters_are_matched_and_counted_with_ignored_rows() {
        let evaluation = evaluate(&assignments(), None).unwrap();
        let clusters: Vec<_> =
            evaluation.clusters.iter().map(|c| (c.cluster, c.rows, c.label.as_deref(), c.agreeing)).collect();
        assert_eq!(clusters, [(0, 5, Some("a"), Some(3)), (1, 5, Some("b"), Some(3))]);
        assert_eq!(evaluation.confusion.unwrap().counts, [[3, 2], [1, 3]]);
    }

    #[test]
    fn without_labels_only_evenness_is_scored() {
        let mut unlabelled = assignments();
        unlabelled.label_column = None;
        unlabelled.rows.iter_mut().for_each(|row| row.label = None);
        let evaluation = evaluate(&unlabelled, Some(4)).unwrap();
        assert_eq!((evaluation.all.acc, evaluation.all.ne_labels), (None, None));
        assert_eq!(evaluation.all.ne_clusters, 0.5);
        assert_eq!(evaluation.all.imbalance_factor, 2.0);
        assert!(evaluation.confusion.is_none());
    }

    #[test]
    fn nothing_is_prequential_if_rows_do_not_say_so() {
        let evaluation = evaluate(&Assignments { has_warmup: false, ..assignments() }, None).unwrap();
        assert!(evaluation.prequential.is_none());
    }
}
