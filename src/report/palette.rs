//! One colour per cluster, the same in every picture of a page.

use std::collections::BTreeSet;

use super::Report;
use super::page::STYLE;

/// Number of colours in `style.css`; more clusters than that share them, and are told apart by their numbers.
pub(super) const COLOURS: usize = 12;

/// The clusters of a report, ascending.
pub(super) struct Palette {
    clusters: Vec<i32>,
}

impl Palette {
    pub(super) fn of(report: &Report) -> Self {
        let mut clusters: BTreeSet<i32> = report.scatter.iter().map(|point| point.cluster).collect();
        clusters.extend(report.shares.iter().flat_map(|point| point.rows.iter().map(|(cluster, _)| *cluster)));
        clusters.extend(report.confusion.iter().flat_map(|confusion| confusion.clusters.iter().copied()));
        Self { clusters: clusters.into_iter().collect() }
    }

    pub(super) fn clusters(&self) -> &[i32] {
        &self.clusters
    }

    /// The CSS class that sets the colour of a cluster.
    pub(super) fn class(&self, cluster: i32) -> String {
        colour(self.clusters.partition_point(|other| *other < cluster))
    }
}

/// What a colour is on a light page, as `style.css` has it.
pub(super) fn light(index: usize) -> &'static str {
    let name = format!("--{}: ", colour(index));
    let found = STYLE.split_once(&name).and_then(|(_, rest)| rest.split_once(';'));
    found.map_or("#000000", |(value, _)| value)
}

/// The CSS class of a colour.
pub(super) fn colour(index: usize) -> String {
    format!("k{}", index % COLOURS)
}
