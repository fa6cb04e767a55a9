//! The page around the pictures.

use std::fmt::Write;

use super::palette::Palette;
use super::svg::{escape, percent};
use super::{Confusion, Report, confusion, drift, scatter, shares};

pub(super) const STYLE: &str = include_str!("style.css");

/// The report as one HTML document that needs nothing else: no script runs and nothing is loaded.
pub fn render(report: &Report) -> String {
    let palette = Palette::of(report);
    let title = escape(&report.title);
    let mut body = String::new();
    if !report.summary.is_empty() {
        body.push_str(&summary(&report.summary));
    }
    body.push_str("<div class=\"pair\">");
    body.push_str(&section(
        "embedding",
        "Embedding",
        "Rows of the reservoir where the encoder puts them, in the two directions in which they differ most.",
        scatter::draw(&report.scatter, &palette, report.confusion.as_ref()),
        "No embedded rows: the run has no sound checkpoint from after its warm-up.",
    ));
    body.push_str(&section(
        "confusion",
        "Clusters and labels",
        &report.confusion.as_ref().map_or_else(String::new, agreement),
        report.confusion.as_ref().and_then(|table| confusion::draw(table, &palette)),
        "No labels: name a label column in the pipeline to compare with. Nothing is learned from it.",
    ));
    body.push_str("</div>");
    body.push_str(&section(
        "shares",
        "Shares over time",
        "How the rows are divided among the clusters, as the stream went on.",
        shares::draw(&report.shares, &palette).map(|svg| {
            let (legend, table) = (shares::legend(&report.shares, &palette), shares::table(&report.shares, &palette));
            format!("{legend}{svg}<details><summary>All numbers</summary><div class=\"wide\">{table}</div></details>")
        }),
        "No rows have been assigned yet.",
    ));
    body.push_str(&section(
        "drift",
        "Drift",
        "What has moved away from what the model was made for: the score of each signal, and the threshold above which it is an alarm.",
        drift::draw(&report.drift, shares::span(&report.shares)).map(|svg| {
            let alarms = drift::alarms(&report.drift);
            format!("{KEY}{svg}{alarms}")
        }),
        "No drift checks yet: they begin when the reference window after the warm-up is full.",
    ));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title} · evenkeel</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <header><p>evenkeel report</p><h1>{title}</h1></header>\n<main>\n{body}\n</main>\n\
         <footer>Made by evenkeel {}. Pointing at a picture shows its numbers.</footer>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION")
    )
}

const KEY: &str = "<ul class=\"legend\"><li class=\"key score\"><i></i> score</li><li class=\"key threshold\"><i></i> \
                   threshold</li><li class=\"key alarm\"><i></i> alarm</li></ul>";

fn summary(figures: &[(String, String)]) -> String {
    let mut html = String::from("<dl class=\"figures\">");
    for (name, value) in figures {
        let long = if value.chars().count() > 12 { " class=\"long\"" } else { "" };
        write!(html, "<div><dt>{}</dt><dd{long}>{}</dd></div>", escape(name), escape(value))
            .expect("a string takes any text");
    }
    html.push_str("</dl>\n");
    html
}

fn section(id: &str, heading: &str, explanation: &str, content: Option<String>, absent: &str) -> String {
    let explanation = escape(explanation);
    match content {
        Some(content) => format!(
            "<section id=\"{id}\"><h2>{heading}</h2><p class=\"note\">{explanation}</p><figure>{content}</figure></section>\n"
        ),
        None => format!(
            "<section id=\"{id}\" class=\"absent\"><h2>{heading}</h2><p class=\"note\">{}</p></section>\n",
            escape(absent)
        ),
    }
}

/// How much of the confusion lies where it should.
fn agreement(confusion: &Confusion) -> String {
    let columns = confusion.labels.len();
    let matched: u64 = (confusion.matched.iter().enumerate())
        .filter_map(|(row, column)| confusion.counts.get(row * columns + (*column)?))
        .sum();
    let rows = confusion.counts.iter().sum();
    format!(
        "{} of the labelled rows after the warm-up are in the cluster that is matched with their label.",
        percent(matched, rows)
    )
}

#[cfg(test)]
mod tests;
