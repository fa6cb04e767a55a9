//! From the tables of a run to a [`Report`].
//!
//! Every table is read in streams, so the memory needed does not grow with the run: assignments once for their extent and once
//! for their counts.

mod assignments;
mod events;
mod labels;
mod table;

#[cfg(test)]
mod tests;

pub use self::labels::labels;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use self::assignments::{Assignments, Label};
use self::table::Table;
use super::svg::{count, percent, value};
use super::time;
use super::{Confusion, Point, Position, Report, ReportError};
use crate::stats::{Contingency, imbalance_factor, normalised_entropy};

/// Where a run has written what, and how its columns are to be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Heading of the report.
    pub title: String,
    /// Folder of the assignments.
    pub assignments: PathBuf,
    /// Folder of the drift events.
    pub drift: PathBuf,
    /// Folder of the dead letters.
    pub dead_letters: PathBuf,
    /// Column of the assignments that holds the labels; without it there is no confusion.
    pub label: String,
    /// Labels that stand for "no label", as they are written out.
    pub ignored: Vec<String>,
    /// Names of labels: as they are written out, as they are to be shown.
    pub label_names: BTreeMap<String, String>,
}

impl Run {
    /// A run whose tables are where they are by default; the title is the directory's name.
    ///
    /// # Errors
    /// If there is no such directory.
    pub fn at(directory: &Path) -> Result<Self, ReportError> {
        if !directory.is_dir() {
            return Err(ReportError::NoRun { path: directory.to_owned() });
        }
        let name = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
        Ok(Self {
            title: name.file_name().map_or_else(|| "run".to_owned(), |name| name.to_string_lossy().into_owned()),
            assignments: directory.join("assignments"),
            drift: directory.join("drift"),
            dead_letters: directory.join("dead_letters"),
            label: "label".to_owned(),
            ignored: vec!["-1".to_owned()],
            label_names: BTreeMap::new(),
        })
    }
}

/// Reads what `run` has written so far; a table that is not there counts as empty. `scatter` are embedded rows of a checkpoint.
///
/// The horizontal axis is event time if all rows have it and it goes forward along the input; else the rows of the input.
///
/// # Errors
/// If a folder cannot be listed, a file not be read, or a column is missing or of another type than promised.
pub fn read(run: &Run, mut scatter: Vec<Point>) -> Result<Report, ReportError> {
    let rows = Assignments::read(&Table::open(&run.assignments)?, run)?;
    let drift = events::drift(&Table::open(&run.drift)?, |time, version| rows.position(time, version))?;
    let reasons = events::reasons(&Table::open(&run.dead_letters)?)?;
    let contingency = rows.contingency();
    let alarms = drift.iter().filter(|point| point.alarm).count();
    let mut summary = figures(&rows, &contingency);
    summary.insert(1, ("drift alarms".to_owned(), count(alarms as u64)));
    summary.insert(2, ("dead letters".to_owned(), dead_letters(&reasons)));
    for point in &mut scatter {
        point.label = point.label.take().filter(|label| !run.ignored.contains(label)).map(|label| named(run, &label));
    }
    let confusion = (contingency.rows() > 0).then(|| {
        let mut confusion = Confusion::from(&contingency);
        for label in &mut confusion.labels {
            *label = named(run, label);
        }
        confusion
    });
    Ok(Report { title: run.title.clone(), summary, scatter, shares: rows.shares(), drift, confusion })
}

fn named(run: &Run, label: &str) -> String {
    run.label_names.get(label).cloned().unwrap_or_else(|| label.to_owned())
}

fn figures(rows: &Assignments, contingency: &Contingency<i32, Label>) -> Vec<(String, String)> {
    let sizes: Vec<u64> = rows.sizes().into_values().collect();
    let mut figures = vec![
        ("rows assigned", count(rows.rows)),
        ("clusters", sizes.len().to_string()),
        ("evenness (NE)", format!("{:.3}", normalised_entropy(&sizes))),
        ("imbalance factor", format!("{:.3}", imbalance_factor(&sizes))),
    ];
    if contingency.rows() > 0 {
        figures.extend([
            ("accuracy (ACC)", format!("{:.1} %", 100.0 * contingency.accuracy())),
            ("NMI (arithmetic)", format!("{:.3}", contingency.nmi_arithmetic())),
            ("ARI", format!("{:.3}", contingency.ari())),
        ]);
    }
    figures.extend([
        ("held in warm-up", count(rows.warmup)),
        ("outliers", percent(rows.outliers, rows.rows)),
        ("displaced rows", percent(rows.displaced, rows.rows)),
        ("mean confidence", rows.mean_confidence().map_or_else(|| "–".to_owned(), value)),
    ]);
    if let Some((first, last)) = rows.versions() {
        figures.push(("model versions", if first == last { first.to_string() } else { format!("{first} – {last}") }));
    }
    if let Some((Position::Time(first), Position::Time(last))) = rows.extent() {
        figures.push(("first event (UTC)", time::instant(first)));
        figures.push(("last event (UTC)", time::instant(last)));
    }
    figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn dead_letters(reasons: &BTreeMap<String, u64>) -> String {
    let all = count(reasons.values().sum());
    if reasons.is_empty() {
        return all;
    }
    let each: Vec<String> = reasons.iter().map(|(reason, rows)| format!("{reason}\u{a0}{}", count(*rows))).collect();
    format!("{all} ({})", each.join(", "))
}
