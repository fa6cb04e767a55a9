//! The tables as text and as a part of a document.

use std::path::Path;

use super::error::BenchmarkError;
use super::suite::{Nmi, Suite};
use super::table::{Cell, Summary};

/// A column: its head, and what stands in it.
type Column<'a> = (&'static str, Box<dyn Fn(&Summary) -> String + 'a>);

/// The table, head first; columns that say nothing are left out.
#[must_use]
pub fn render(suite: &Suite, summaries: &[Summary]) -> Vec<Vec<String>> {
    let nmi = |line: &Summary| match suite.nmi {
        Nmi::Arithmetic => line.nmi_arithmetic,
        Nmi::Max => line.nmi_max,
    };
    let ours = |cell: fn(&Summary) -> Cell| move |line: &Summary| cell(line).ours();
    let columns: Vec<Column<'_>> = vec![
        ("method", Box::new(|line| line.method_title.clone())),
        ("data", Box::new(|line| line.data_title.clone())),
        ("order", Box::new(|line| line.order.clone())),
        ("seeds", Box::new(|line| if line.seeds == 0 { String::new() } else { line.seeds.to_string() })),
        ("ACC", Box::new(|line| if line.not_run.is_some() { "not run".to_owned() } else { line.acc.ours() })),
        ("published", Box::new(|line| line.acc.theirs())),
        ("difference", Box::new(|line| line.acc.apart())),
        ("NMI max", Box::new(ours(|line| line.nmi_max))),
        ("NMI", Box::new(ours(|line| line.nmi_arithmetic))),
        ("published NMI", Box::new(move |line| nmi(line).theirs())),
        ("difference", Box::new(move |line| nmi(line).apart())),
        ("ARI", Box::new(ours(|line| line.ari))),
        ("published ARI", Box::new(|line| line.ari.theirs())),
        ("NE", Box::new(ours(|line| line.ne))),
        ("published NE", Box::new(|line| line.ne.theirs())),
        ("of classes", Box::new(|line| line.ne_labels.map_or_else(String::new, |value| format!("{value:.2}")))),
        ("prequential", Box::new(ours(|line| line.prequential))),
        ("second half", Box::new(ours(|line| line.second_half))),
        ("steps", Box::new(|line| line.steps.map_or_else(String::new, |steps| steps.to_string()))),
        ("seconds", Box::new(|line| line.seconds.map_or_else(String::new, |seconds| format!("{seconds:.1}")))),
    ];
    let filled = columns.into_iter().filter(|(_, text)| summaries.iter().any(|line| !text(line).is_empty()));
    let columns: Vec<Column<'_>> = filled.collect();
    let head = columns.iter().map(|(head, _)| (*head).to_owned()).collect();
    let lines = summaries.iter().map(|line| columns.iter().map(|(_, text)| text(line)).collect());
    std::iter::once(head).chain(lines).collect()
}

/// Puts the section of a suite into a document: between its markers, or at the end if it has none yet.
///
/// # Errors
/// If the section's first marker stands there without its second.
pub fn document(old: &str, file: &Path, suite: &Suite, summaries: &[Summary]) -> Result<String, BenchmarkError> {
    let begin = format!("<!-- benchmark {}: begin -->", suite.name);
    let end = format!("<!-- benchmark {}: end -->", suite.name);
    let section = format!("{begin}\n{}{end}", section(suite, summaries));
    let Some(start) = old.find(&begin) else {
        let gap = if old.is_empty() || old.ends_with("\n\n") { "" } else { "\n" };
        return Ok(format!("{old}{gap}{section}\n"));
    };
    match old[start..].find(&end) {
        Some(stop) => Ok(format!("{}{section}{}", &old[..start], &old[start + stop + end.len()..])),
        None => Err(BenchmarkError::Markers { file: file.to_owned(), begin, end }),
    }
}

fn section(suite: &Suite, summaries: &[Summary]) -> String {
    let mut text = format!("## {}\n\n", suite.title);
    if !suite.about.is_empty() {
        text += &format!("{}\n\n", suite.about.trim());
    }
    let table = render(suite, summaries);
    for (number, line) in table.iter().enumerate() {
        text += &format!("| {} |\n", line.join(" | "));
        if number == 0 {
            text += &format!("|{}\n", "---|".repeat(line.len()));
        }
    }
    text.push('\n');
    let mut sources: Vec<&str> = summaries.iter().map(|line| line.source.as_str()).collect();
    sources.retain(|source| !source.is_empty());
    sources.sort_unstable();
    sources.dedup();
    if !sources.is_empty() {
        text += &format!("Published: {}.\n\n", sources.join("; "));
    }
    text
}

#[cfg(test)]
mod tests;
