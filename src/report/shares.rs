//! Shares over time: a stacked area, one band per cluster, and the same as a table.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::axis::{self, Along, Scale};
use super::palette::Palette;
use super::svg::{Drawing, count, percent, px};
use super::{Position, SharePoint};

const SIZE: (f64, f64) = (1040.0, 300.0);
const LEFT: f64 = 52.0;
const RIGHT: f64 = 1000.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 256.0;
/// Bands thinner than this have no room for their number.
const LABEL_HEIGHT: f64 = 13.0;

/// The picture; `None` when no interval has rows.
pub(super) fn draw(points: &[SharePoint], palette: &Palette) -> Option<String> {
    let points: Vec<&SharePoint> = points.iter().filter(|point| rows(point) > 0).collect();
    let along = along(&points)?;
    let up = Scale::new((0.0, 1.0), (BOTTOM, TOP));
    let mut drawing = Drawing::new(SIZE.0, SIZE.1);
    for run in points.chunk_by(|left, right| left.until == right.from) {
        let mut floor = vec![0.0; run.len()];
        for &cluster in palette.clusters() {
            let roof: Vec<f64> = run.iter().zip(&floor).map(|(point, floor)| floor + share(point, cluster)).collect();
            if roof != floor {
                drawing.path(&format!("band {}", palette.class(cluster)), &band(run, &floor, &roof, &along, &up));
            }
            floor = roof;
        }
    }
    for quarter in [0.0, 0.25, 0.5, 0.75, 1.0] {
        drawing.line("grid over", (LEFT, up.at(quarter)), (RIGHT, up.at(quarter)));
        drawing.text("tick end", (LEFT - 8.0, up.at(quarter) + 4.0), &format!("{:.0} %", 100.0 * quarter));
    }
    for (x, label) in along.ticks() {
        drawing.line("mark", (x, BOTTOM), (x, BOTTOM + 5.0));
        drawing.text("tick mid", (x, BOTTOM + 19.0), &label);
    }
    drawing.text("caption mid", ((LEFT + RIGHT) / 2.0, SIZE.1 - 6.0), &along.caption());
    if let Some(last) = points.last() {
        let mut floor = 0.0;
        for &cluster in palette.clusters() {
            let roof = floor + share(last, cluster);
            if up.at(floor) - up.at(roof) >= LABEL_HEIGHT {
                drawing.text("tick start", (RIGHT + 8.0, up.at((floor + roof) / 2.0) + 4.0), &cluster.to_string());
            }
            floor = roof;
        }
    }
    for point in &points {
        let (from, until) = (along.at(point.from), along.at(point.until));
        drawing.area("hover", (from, TOP), (until - from, BOTTOM - TOP), &describe(point));
    }
    Some(drawing.finish("shares of the clusters along the stream, stacked to 100 %"))
}

/// Share of each cluster over all rows, as a legend of coloured chips.
pub(super) fn legend(points: &[SharePoint], palette: &Palette) -> String {
    let totals = totals(points);
    let all: u64 = totals.values().sum();
    let mut html = String::from("<ul class=\"legend\">");
    for &cluster in palette.clusters() {
        let rows = totals.get(&cluster).copied().unwrap_or(0);
        let (class, share) = (palette.class(cluster), percent(rows, all));
        write!(html, "<li class=\"{class}\"><i></i><b>{cluster}</b> {share}</li>").expect("a string takes any text");
    }
    html.push_str("</ul>");
    html
}

/// Every number of the picture.
pub(super) fn table(points: &[SharePoint], palette: &Palette) -> String {
    let mut html = String::from("<table><thead><tr><th>from</th><th>until</th><th>rows</th>");
    for cluster in palette.clusters() {
        write!(html, "<th>{cluster}</th>").expect("a string takes any text");
    }
    html.push_str("</tr></thead><tbody>");
    for point in points {
        let (from, until) = (axis::label(point.from), axis::label(point.until));
        write!(html, "<tr><td>{from}</td><td>{until}</td><td>{}</td>", count(rows(point)))
            .expect("a string takes any text");
        for &cluster in palette.clusters() {
            write!(html, "<td>{}</td>", count(rows_of(point, cluster))).expect("a string takes any text");
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table>");
    html
}

/// The horizontal axis of the picture, which the drift timeline takes over.
pub(super) fn span(points: &[SharePoint]) -> Option<(Position, Position)> {
    let full = || points.iter().filter(|point| rows(point) > 0);
    Some((full().map(|point| point.from).min()?, full().map(|point| point.until).max()?))
}

fn along(points: &[&SharePoint]) -> Option<Along> {
    Along::of(points.iter().flat_map(|point| [point.from, point.until]), LEFT, RIGHT)
}

/// A band of steps: along the roof forwards, along the floor back.
fn band(run: &[&SharePoint], floor: &[f64], roof: &[f64], along: &Along, up: &Scale) -> String {
    let mut commands = String::new();
    let steps = run.iter().zip(roof).map(|(point, &share)| (point.from, point.until, share));
    let back = run.iter().zip(floor).rev().map(|(point, &share)| (point.until, point.from, share));
    for (from, until, share) in steps.chain(back) {
        let command = if commands.is_empty() { 'M' } else { 'L' };
        write!(commands, "{command}{} {}H{}", px(along.at(from)), px(up.at(share)), px(along.at(until)))
            .expect("a string takes any text");
    }
    commands.push('Z');
    commands
}

fn describe(point: &SharePoint) -> String {
    let all = rows(point);
    let mut text = format!("{} to {}: {} rows", axis::label(point.from), axis::label(point.until), count(all));
    let mut clusters = point.rows.clone();
    clusters.sort_by_key(|&(cluster, rows)| (std::cmp::Reverse(rows), cluster));
    for (cluster, rows) in clusters.into_iter().filter(|(_, rows)| *rows > 0).take(8) {
        write!(text, "\ncluster {cluster}: {}", percent(rows, all)).expect("a string takes any text");
    }
    text
}

fn totals(points: &[SharePoint]) -> BTreeMap<i32, u64> {
    let mut totals = BTreeMap::new();
    for (cluster, rows) in points.iter().flat_map(|point| &point.rows) {
        *totals.entry(*cluster).or_default() += rows;
    }
    totals
}

fn rows(point: &SharePoint) -> u64 {
    point.rows.iter().map(|(_, rows)| rows).sum()
}

fn rows_of(point: &SharePoint, cluster: i32) -> u64 {
    point.rows.iter().filter(|(other, _)| *other == cluster).map(|(_, rows)| rows).sum()
}

fn share(point: &SharePoint, cluster: i32) -> f64 {
    rows_of(point, cluster) as f64 / rows(point) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;

    fn points() -> Vec<SharePoint> {
        let point = |from, rows: &[(i32, u64)]| SharePoint {
            from: Position::Row(from),
            until: Position::Row(from + 10),
            rows: rows.to_vec(),
        };
        vec![point(0, &[(0, 30), (4, 10)]), point(10, &[]), point(20, &[(4, 1_000)])]
    }

    fn palette(points: &[SharePoint]) -> Palette {
        Palette::of(&Report { shares: points.to_vec(), ..Report::default() })
    }

    #[test]
    fn bands_have_the_height_of_their_share_and_stop_at_gaps() {
        let points = points();
        let svg = draw(&points, &palette(&points)).unwrap();
        let quarter = px(BOTTOM - 0.75 * (BOTTOM - TOP));
        assert!(svg.contains(&format!("M52 {quarter}H368L368 256H52Z")), "{svg}");
        assert_eq!(svg.matches("class=\"band").count(), 3);
        assert_eq!(svg.matches("class=\"hover").count(), 2);
    }

    #[test]
    fn the_table_and_the_legend_have_the_numbers_of_the_input() {
        let points = points();
        let table = table(&points, &palette(&points));
        assert!(table.contains("<td>0</td><td>10</td><td>40</td><td>30</td><td>10</td>"), "{table}");
        assert!(table.contains("<td>20</td><td>30</td><td>1,000</td><td>0</td><td>1,000</td>"), "{table}");
        let legend = legend(&points, &palette(&points));
        assert!(legend.contains("<b>0</b> 2.9 %") && legend.contains("<b>4</b> 97.1 %"), "{legend}");
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        let empty = [SharePoint { from: Position::Row(0), until: Position::Row(1), rows: vec![(0, 0)] }];
        assert!(draw(&[], &palette(&[])).is_none());
        assert!(draw(&empty, &palette(&empty)).is_none());
    }
}
