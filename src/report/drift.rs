//! The drift timeline: one small chart per signal, score against threshold, alarms marked and listed.

use std::fmt::Write;

use super::axis::{self, Along, Scale};
use super::svg::{Drawing, escape, px, value};
use super::{DriftPoint, Position};

const WIDTH: f64 = 1040.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 1000.0;
/// Height of one signal's chart with its heading.
const ROW: f64 = 132.0;
const HEADING: f64 = 36.0;
const FOOT: f64 = 44.0;
/// Up to this many checks are also drawn as dots: a line does not show that there are few of them, nor one alone.
const DOTTED: usize = 60;
/// Alarms beyond this many are counted, not listed.
const LISTED: usize = 50;

/// The picture; `span` is that of the shares, so that both can be read against each other. `None` without points.
pub(super) fn draw(points: &[DriftPoint], span: Option<(Position, Position)>) -> Option<String> {
    let ends = span.into_iter().flat_map(|(first, last)| [first, last]);
    let along = Along::of(points.iter().map(|point| point.at).chain(ends), LEFT, RIGHT)?;
    let signals = signals(points);
    if signals.is_empty() {
        return None;
    }
    let bottom = ROW * signals.len() as f64;
    let mut drawing = Drawing::new(WIDTH, bottom + FOOT);
    for (x, label) in along.ticks() {
        drawing.line("mark", (x, bottom), (x, bottom + 5.0));
        drawing.text("tick mid", (x, bottom + 19.0), &label);
    }
    for (i, signal) in signals.iter().enumerate() {
        for (x, _) in along.ticks() {
            drawing.line("grid", (x, ROW * i as f64 + HEADING), (x, ROW * (i + 1) as f64));
        }
        let own: Vec<&DriftPoint> = points.iter().filter(|point| point.signal == *signal).collect();
        draw_signal(&mut drawing, signal, &own, &along, ROW * i as f64);
    }
    drawing.text("caption mid", ((LEFT + RIGHT) / 2.0, bottom + FOOT - 6.0), &along.caption());
    Some(drawing.finish("drift scores and thresholds along the stream, one chart per signal"))
}

fn draw_signal(drawing: &mut Drawing, signal: &str, points: &[&DriftPoint], along: &Along, top: f64) {
    let values = points.iter().flat_map(|point| [Some(point.score), point.threshold]).flatten();
    let most = values.filter(|value| value.is_finite()).fold(0.0, f64::max);
    let (roof, floor) = (top + HEADING, top + ROW);
    let up = Scale::new((0.0, most * 1.12), (floor, roof));
    drawing.text("heading", (LEFT, top + 26.0), signal);
    let alarms = points.iter().filter(|point| point.alarm).count();
    let verdict = if alarms == 1 { "1 alarm".to_owned() } else { format!("{alarms} alarms") };
    drawing.text(if alarms > 0 { "verdict bad end" } else { "verdict end" }, (RIGHT, top + 26.0), &verdict);
    for (tick, label) in up.ticks(3) {
        drawing.line("grid", (LEFT, up.at(tick)), (RIGHT, up.at(tick)));
        drawing.text("tick end", (LEFT - 8.0, up.at(tick) + 4.0), &label);
    }
    let scores = points.iter().map(|point| (point.at, Some(point.score)));
    drawing.path("score", &polyline(scores, along, &up));
    if points.len() <= DOTTED {
        let dots: Vec<String> = (points.iter().filter(|point| point.score.is_finite()))
            .map(|point| format!("M{} {}h0", px(along.at(point.at)), px(up.at(point.score))))
            .collect();
        drawing.path("checks", &dots.concat());
    }
    drawing.path("threshold", &polyline(points.iter().map(|point| (point.at, point.threshold)), along, &up));
    for point in points.iter().filter(|point| point.alarm && point.score.is_finite()) {
        let (x, y) = (along.at(point.at), up.at(point.score));
        drawing.line("alarm", (x, roof), (x, floor));
        drawing.path("alarm", &format!("M{} {}l-5 -9h10Z", px(x), px(y - 2.0)));
    }
    for point in points {
        drawing.area("hover", (along.at(point.at) - 3.0, roof), (6.0, floor - roof), &describe(point));
    }
}

/// Straight lines between the values that are there.
fn polyline(values: impl Iterator<Item = (Position, Option<f64>)>, along: &Along, up: &Scale) -> String {
    let mut commands = String::new();
    let mut pen_down = false;
    for (at, value) in values {
        let Some(value) = value.filter(|value| value.is_finite()) else {
            pen_down = false;
            continue;
        };
        let command = if pen_down { 'L' } else { 'M' };
        write!(commands, "{command}{} {}", px(along.at(at)), px(up.at(value))).expect("a string takes any text");
        pen_down = true;
    }
    commands
}

/// The alarms as a table, newest first; empty without alarms.
pub(super) fn alarms(points: &[DriftPoint]) -> String {
    let mut alarms: Vec<&DriftPoint> = points.iter().filter(|point| point.alarm).collect();
    if alarms.is_empty() {
        return String::new();
    }
    alarms.sort_by_key(|alarm| std::cmp::Reverse(alarm.at));
    let mut html = String::from(
        "<table class=\"alarms\"><thead><tr><th>when</th><th>signal</th><th>score</th><th>threshold</th><th>cluster</th>\
         <th>what moved most</th></tr></thead><tbody>",
    );
    for alarm in alarms.iter().take(LISTED) {
        write!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            axis::label(alarm.at),
            escape(&alarm.signal),
            value(alarm.score),
            alarm.threshold.map_or_else(|| "–".to_owned(), value),
            alarm.cluster.map_or_else(|| "all".to_owned(), |cluster| cluster.to_string()),
            escape(&alarm.top_features.join(", ")),
        )
        .expect("a string takes any text");
    }
    html.push_str("</tbody></table>");
    if alarms.len() > LISTED {
        write!(html, "<p class=\"note\">and {} earlier ones</p>", alarms.len() - LISTED)
            .expect("a string takes any text");
    }
    html
}

fn describe(point: &DriftPoint) -> String {
    let mut text = format!("{}: {} {}", axis::label(point.at), point.signal, value(point.score));
    if let Some(threshold) = point.threshold {
        write!(text, ", threshold {}", value(threshold)).expect("a string takes any text");
    }
    text.push_str(if point.alarm { ", ALARM" } else { "" });
    text
}

/// The signals in the order in which they first occur.
fn signals(points: &[DriftPoint]) -> Vec<&str> {
    let mut signals: Vec<&str> = Vec::new();
    for point in points {
        if !signals.contains(&point.signal.as_str()) {
            signals.push(&point.signal);
        }
    }
    signals
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(at: u64, score: f64, threshold: Option<f64>, alarm: bool) -> DriftPoint {
        DriftPoint {
            at: Position::Row(at),
            signal: "shares".to_owned(),
            score,
            threshold,
            alarm,
            cluster: alarm.then_some(3),
            top_features: vec!["ax <mean>".to_owned()],
        }
    }

    #[test]
    fn a_threshold_that_is_not_known_yet_is_not_drawn() {
        let points = [point(0, 0.5, None, false), point(50, 0.5, Some(1.0), false), point(100, 0.5, Some(1.0), false)];
        let svg = draw(&points, None).unwrap();
        let threshold = svg.split("class=\"threshold\" d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(threshold.matches(['M', 'L']).count(), 2, "{threshold}");
        assert!(threshold.starts_with("M526 "), "{threshold}");
    }

    #[test]
    fn alarms_are_marked_counted_and_listed_with_their_numbers() {
        let points = [point(0, 0.5, Some(1.0), false), point(16, 2.25, Some(1.0), true)];
        let svg = draw(&points, None).unwrap();
        assert!(svg.contains("1 alarm<") && svg.contains("<path class=\"alarm\""), "{svg}");
        let row = "<td>16</td><td>shares</td><td>2.25</td><td>1</td><td>3</td><td>ax &lt;mean&gt;</td>";
        assert!(alarms(&points).contains(row), "{}", alarms(&points));
        assert_eq!(alarms(&points[..1]), "");
        let many = vec![points[1].clone(); LISTED + 2];
        assert!(alarms(&many).contains("and 2 earlier ones"));
    }

    #[test]
    fn few_checks_are_seen_one_by_one() {
        let points = |n: usize| -> Vec<DriftPoint> { (0..n).map(|i| point(i as u64, 1.0, None, false)).collect() };
        assert_eq!(draw(&points(1), None).unwrap().matches("h0").count(), 1);
        assert_eq!(draw(&points(DOTTED + 1), None).unwrap().matches("h0").count(), 0);
    }

    #[test]
    fn values_that_are_no_numbers_leave_a_gap() {
        let points = [point(0, f64::NAN, None, true), point(1, f64::INFINITY, Some(f64::NAN), false)];
        let svg = draw(&points, None).unwrap();
        assert!(svg.contains("<path class=\"score\" d=\"\"/>"), "{svg}");
        assert!(draw(&[], None).is_none());
    }
}
