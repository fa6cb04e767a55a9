//! What is said of a line: its figures, and what was published.

use serde::Serialize;

use super::measure::Score;
use super::record::{Record, Records};
use super::run::RunPlan;
use super::suite::{Line, Nmi, Suite};

/// A figure over the seeds, in percent, beside the published one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Cell {
    /// Mean over the seeds.
    pub mean: Option<f64>,
    /// Sample deviation; nothing of a single seed.
    pub deviation: Option<f64>,
    /// What was published.
    pub published: Option<f64>,
    /// Ours less the published one, where both are there.
    pub difference: Option<f64>,
}

/// Everything that is said of one line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Name of the method.
    pub method: String,
    /// What the table calls it.
    pub method_title: String,
    /// Name of the data set.
    pub data: String,
    /// What the table calls it.
    pub data_title: String,
    /// In which order rows were streamed; empty if they were fitted at once.
    pub order: String,
    /// Seeds on record.
    pub seeds: usize,
    /// Why there is nothing: the data is not there, or no run of it has been made.
    pub not_run: Option<String>,
    /// Accuracy.
    pub acc: Cell,
    /// Normalised mutual information, mean of the entropies.
    pub nmi_arithmetic: Cell,
    /// Normalised mutual information, larger entropy.
    pub nmi_max: Cell,
    /// Adjusted Rand index.
    pub ari: Cell,
    /// Normalised entropy of the clusters.
    pub ne: Cell,
    /// That of the classes, in percent.
    pub ne_labels: Option<f64>,
    /// Prequential accuracy.
    pub prequential: Cell,
    /// Prequential accuracy of the later half.
    pub second_half: Cell,
    /// Gradient steps.
    pub steps: Option<u64>,
    /// Mean time of learning.
    pub seconds: Option<f64>,
    /// Where the published figures stand.
    pub source: String,
}

/// Sums up every line of the suite from what is on record with the settings as they are now.
#[must_use]
pub fn summarise(suite: &Suite, plan: &RunPlan, records: &Records) -> Vec<Summary> {
    plan.lines.iter().map(|(line, record)| one(suite, line, record, records)).collect()
}

fn one(suite: &Suite, line: &Line, record: &Record, records: &Records) -> Summary {
    let scores = records.seeds(record);
    let not_run = scores.is_empty().then(|| match record.checksum.is_empty() {
        true => format!("no data, give --data {}=FILE", line.data),
        false => "left out".to_owned(),
    });
    let published = &line.published;
    let nmi = |kind| published.nmi.filter(|_| suite.nmi == kind);
    let cell =
        |pick: fn(&Score) -> Option<f64>, published| cell(scores.iter().filter_map(|s| pick(s)).collect(), published);
    Summary {
        method: line.method.clone(),
        method_title: line.method_title.clone(),
        data: line.data.clone(),
        data_title: line.data_title.clone(),
        order: line.identity().2,
        seeds: scores.len(),
        not_run,
        acc: cell(|s| Some(s.acc), published.acc),
        nmi_arithmetic: cell(|s| Some(s.nmi_arithmetic), nmi(Nmi::Arithmetic)),
        nmi_max: cell(|s| Some(s.nmi_max), nmi(Nmi::Max)),
        ari: cell(|s| Some(s.ari), published.ari),
        ne: cell(|s| Some(s.ne), published.ne),
        ne_labels: scores.first().map(|s| 100.0 * s.ne_labels),
        prequential: cell(|s| s.prequential, None),
        second_half: cell(|s| s.second_half, None),
        steps: scores.first().map(|s| s.steps).filter(|steps| *steps > 0),
        seconds: (!scores.is_empty()).then(|| scores.iter().map(|s| s.seconds).sum::<f64>() / scores.len() as f64),
        source: published.source.clone(),
    }
}

fn cell(values: Vec<f64>, published: Option<f64>) -> Cell {
    let count = values.len() as f64;
    let mean = (!values.is_empty()).then(|| 100.0 * values.iter().sum::<f64>() / count);
    let deviation = mean
        .filter(|_| values.len() > 1)
        .map(|mean| (values.iter().map(|value| (100.0 * value - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt());
    let difference = mean.zip(published).map(|(ours, theirs)| ours - theirs);
    Cell { mean, deviation, published, difference }
}

impl Cell {
    /// Ours, as text: `93.1 ± 0.4`.
    #[must_use]
    pub fn ours(&self) -> String {
        match (self.mean, self.deviation) {
            (None, _) => String::new(),
            (Some(mean), None) => format!("{mean:.2}"),
            (Some(mean), Some(deviation)) => format!("{mean:.2} ± {deviation:.2}"),
        }
    }

    /// The published figure, as text.
    #[must_use]
    pub fn theirs(&self) -> String {
        self.published.map_or_else(String::new, |value| format!("{value:.2}"))
    }

    /// The difference, as text, with its sign.
    #[must_use]
    pub fn apart(&self) -> String {
        self.difference.map_or_else(String::new, |value| format!("{value:+.2}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_says_mean_deviation_and_difference() {
        let two = cell(vec![0.5, 0.6], Some(53.0));
        assert_eq!(
            (two.ours().as_str(), two.theirs().as_str(), two.apart().as_str()),
            ("55.00 ± 7.07", "53.00", "+2.00")
        );
        let single = cell(vec![0.5], Some(60.25));
        assert_eq!((single.ours().as_str(), single.apart().as_str()), ("50.00", "-10.25"));
        let missing = cell(Vec::new(), Some(60.0));
        assert_eq!(
            (missing.ours(), missing.theirs(), missing.apart()),
            (String::new(), "60.00".to_owned(), String::new())
        );
    }
}
