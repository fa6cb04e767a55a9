//! What a report is made of.

use std::fmt::Display;

use crate::stats::Contingency;

/// Everything that is on the page. A part that is empty is left out, and the page says so.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The heading; usually the pipeline's name.
    pub title: String,
    /// Figures in the order of the page: name, value.
    pub summary: Vec<(String, String)>,
    /// Rows in two dimensions.
    pub scatter: Vec<Point>,
    /// How many rows each cluster had, interval by interval in ascending order.
    pub shares: Vec<SharePoint>,
    /// Scores of the drift detectors and their alarms.
    pub drift: Vec<DriftPoint>,
    /// Clusters against labels, where there are labels.
    pub confusion: Option<Confusion>,
}

/// One embedded row, seen in two dimensions.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// First principal direction.
    pub x: f32,
    /// Second principal direction.
    pub y: f32,
    /// Its cluster.
    pub cluster: i32,
    /// Its label, where it has one.
    pub label: Option<String>,
}

/// A place on the horizontal axis. All positions of a report are of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Position {
    /// Event time in nanoseconds since the epoch, UTC.
    Time(i64),
    /// Number of input rows before it.
    Row(u64),
}

/// The rows of one interval.
#[derive(Clone, Debug, PartialEq)]
pub struct SharePoint {
    /// Where the interval begins.
    pub from: Position,
    /// Where it ends; the first position that is not in it.
    pub until: Position,
    /// Clusters and how many rows they had; clusters without rows may be left out.
    pub rows: Vec<(i32, u64)>,
}

/// One check of one drift detector.
#[derive(Clone, Debug, PartialEq)]
pub struct DriftPoint {
    /// When.
    pub at: Position,
    /// What is watched.
    pub signal: String,
    /// How far it is from what is usual.
    pub score: f64,
    /// The score from which on it is an alarm; `None` while that is being learned.
    pub threshold: Option<f64>,
    /// Whether an alarm is raised here.
    pub alarm: bool,
    /// The cluster concerned.
    pub cluster: Option<i32>,
    /// The features that moved most, most moved first.
    pub top_features: Vec<String>,
}

/// How often each cluster met each label.
#[derive(Clone, Debug, PartialEq)]
pub struct Confusion {
    /// The rows of the table: in the order of the labels they are matched with, unmatched ones last.
    pub clusters: Vec<i32>,
    /// The columns of the table.
    pub labels: Vec<String>,
    /// Row-major, one row per cluster.
    pub counts: Vec<u64>,
    /// The column each cluster is matched with, one to one, so that most rows agree.
    pub matched: Vec<Option<usize>>,
}

impl<L: Display> From<&Contingency<i32, L>> for Confusion {
    fn from(table: &Contingency<i32, L>) -> Self {
        let matching = table.matching();
        let mut order: Vec<usize> = (0..table.clusters().len()).collect();
        order.sort_by_key(|&cluster| (matching[cluster].unwrap_or(usize::MAX), cluster));
        Self {
            clusters: order.iter().map(|&cluster| table.clusters()[cluster]).collect(),
            labels: table.labels().iter().map(L::to_string).collect(),
            counts: order
                .iter()
                .flat_map(|&cluster| (0..table.labels().len()).map(move |label| table.count(cluster, label)))
                .collect(),
            matched: order.iter().map(|&cluster| matching[cluster]).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_stand_in_the_order_of_their_labels_and_unmatched_ones_last() {
        let pairs = [(0, "walk"), (1, "sit"), (1, "sit"), (2, "lie"), (2, "lie"), (5, "sit"), (0, "walk")];
        let confusion = Confusion::from(&pairs.into_iter().collect::<Contingency<i32, &str>>());
        assert_eq!(confusion.labels, ["lie", "sit", "walk"]);
        assert_eq!(confusion.clusters, [2, 1, 0, 5]);
        assert_eq!(confusion.matched, [Some(0), Some(1), Some(2), None]);
        assert_eq!(confusion.counts, [2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 1, 0]);
    }
}
