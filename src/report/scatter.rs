//! The embedding in two dimensions, coloured by cluster or, at a click, by label.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::axis::Scale;
use super::palette::{self, Palette};
use super::svg::{Drawing, escape, px};
use super::{Confusion, Point};

pub(super) const SIZE: f64 = 520.0;
const MARGIN: f64 = 34.0;
/// About as wide is a letter of a group's name.
const NAME_WIDTH: f64 = 9.0;

/// The picture with its switch; `None` without points. Points that are no numbers are left out.
pub(super) fn draw(points: &[Point], palette: &Palette, confusion: Option<&Confusion>) -> Option<String> {
    let points: Vec<&Point> = points.iter().filter(|point| point.x.is_finite() && point.y.is_finite()).collect();
    let (across, up) = scales(&points)?;
    let place = |point: &Point| (across.at(point.x.into()), up.at(point.y.into()));
    let mut drawing = Drawing::new(SIZE, SIZE);
    for (tick, label) in across.ticks(6) {
        drawing.line("grid", (across.at(tick), MARGIN / 2.0), (across.at(tick), SIZE - MARGIN));
        drawing.text("tick mid", (across.at(tick), SIZE - MARGIN + 16.0), &label);
    }
    for (tick, label) in up.ticks(6) {
        drawing.line("grid", (MARGIN, up.at(tick)), (SIZE - MARGIN / 2.0, up.at(tick)));
        drawing.text("tick end", (MARGIN - 6.0, up.at(tick) + 4.0), &label);
    }
    let size = dot_size(points.len());
    let by_cluster = group(&points, |point| Some(point.cluster));
    let layer =
        layer("cluster", size, &by_cluster, |cluster| palette.class(*cluster), |cluster| cluster.to_string(), place);
    drawing.raw(&layer);
    let by_label = group(&points, |point| point.label.as_deref());
    let colours = label_colours(by_label.keys().copied(), palette, confusion);
    if !by_label.is_empty() {
        let class = |label: &&str| colours.get(*label).cloned().unwrap_or_default();
        drawing.raw(&self::layer("label", size, &by_label, class, |label| escape(label), place));
    }
    let svg = drawing.finish("embedded rows in their two principal directions");
    if by_label.is_empty() {
        return Some(svg);
    }
    Some(format!(
        "<div class=\"switch\"><input type=\"radio\" name=\"colour\" id=\"by-cluster\" checked><label for=\"by-cluster\">by \
         cluster</label><input type=\"radio\" name=\"colour\" id=\"by-label\"><label for=\"by-label\">by label</label>{svg}</div>"
    ))
}

/// One scale for both directions, so that distances can be compared.
pub(super) fn scales(points: &[&Point]) -> Option<(Scale, Scale)> {
    let ends = |of: fn(&Point) -> f32| {
        let values = points.iter().map(|point| f64::from(of(point)));
        Some((values.clone().reduce(f64::min)?, values.reduce(f64::max)?))
    };
    let ((left, right), (bottom, top)) = (ends(|point| point.x)?, ends(|point| point.y)?);
    let half = ((right - left).max(top - bottom) / 2.0 * 1.04).max(f64::MIN_POSITIVE);
    let around = |low: f64, high: f64| ((low + high) / 2.0 - half, (low + high) / 2.0 + half);
    Some((
        Scale::new(around(left, right), (MARGIN, SIZE - MARGIN / 2.0)),
        Scale::new(around(bottom, top), (SIZE - MARGIN, MARGIN / 2.0)),
    ))
}

/// Diameter of a dot: the more there are the smaller.
pub(super) fn dot_size(points: usize) -> f64 {
    (260.0 / (points.max(1) as f64).sqrt()).clamp(3.0, 8.0)
}

pub(super) fn group<'a, K: Ord>(
    points: &[&'a Point],
    key: impl Fn(&'a Point) -> Option<K>,
) -> BTreeMap<K, Vec<&'a Point>> {
    let mut groups: BTreeMap<K, Vec<&Point>> = BTreeMap::new();
    for &point in points {
        if let Some(key) = key(point) {
            groups.entry(key).or_default().push(point);
        }
    }
    groups
}

/// All groups as dots, then their names in the middle of each.
pub(super) fn layer<K>(
    name: &str,
    size: f64,
    groups: &BTreeMap<K, Vec<&Point>>,
    class: impl Fn(&K) -> String,
    text: impl Fn(&K) -> String,
    place: impl Fn(&Point) -> (f64, f64),
) -> String {
    let mut markup = format!("<g class=\"layer-{name}\" stroke-width=\"{}\">", px(size));
    for (key, points) in groups {
        write!(markup, "<path class=\"dots {}\" d=\"", class(key)).expect("a string takes any text");
        for point in points {
            let (x, y) = place(point);
            write!(markup, "M{} {}h0", px(x), px(y)).expect("a string takes any text");
        }
        markup.push_str("\"/>");
    }
    for (key, points) in groups {
        let (mut xs, mut ys): (Vec<f64>, Vec<f64>) = points.iter().map(|point| place(point)).unzip();
        let (x, y, name) = (median(&mut xs), median(&mut ys), text(key));
        // A long name does not leave the picture.
        let half = (NAME_WIDTH * name.chars().count() as f64 / 2.0).min(SIZE / 2.0);
        let x = x.clamp(half, SIZE - half);
        write!(markup, "<text class=\"badge\" x=\"{}\" y=\"{}\">{name}</text>", px(x), px(y + 5.0))
            .expect("a string takes any text");
    }
    markup.push_str("</g>");
    markup
}

/// A label has the colour of the cluster it is matched with, so that the two views differ only where they disagree.
fn label_colours<'a>(
    labels: impl Iterator<Item = &'a str>,
    palette: &Palette,
    confusion: Option<&Confusion>,
) -> BTreeMap<&'a str, String> {
    let matched = |label: &str| {
        let confusion = confusion?;
        let column = confusion.labels.iter().position(|other| other == label)?;
        let row = confusion.matched.iter().position(|matched| *matched == Some(column))?;
        Some(palette.class(confusion.clusters[row]))
    };
    let free = palette.clusters().len();
    labels.enumerate().map(|(i, label)| (label, matched(label).unwrap_or_else(|| palette::colour(free + i)))).collect()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;

    fn point(x: f32, y: f32, cluster: i32, label: Option<&str>) -> Point {
        Point { x, y, cluster, label: label.map(str::to_owned) }
    }

    fn palette(points: &[Point]) -> Palette {
        Palette::of(&Report { scatter: points.to_vec(), ..Report::default() })
    }

    #[test]
    fn every_point_is_one_dot_in_the_colour_of_its_cluster() {
        let points = [point(0.0, 0.0, 2, None), point(1.0, 2.0, 7, None), point(0.5, 1.0, 7, None)];
        let svg = draw(&points, &palette(&points), None).unwrap();
        let dots = |class: &str| {
            svg.split(&format!("class=\"dots {class}\" d=\""))
                .nth(1)
                .unwrap()
                .split('"')
                .next()
                .unwrap()
                .matches("h0")
                .count()
        };
        assert_eq!((dots("k0"), dots("k1")), (1, 2));
        assert!(!svg.contains("by-label"), "{svg}");
    }

    #[test]
    fn points_that_are_no_numbers_are_left_out() {
        let points = [point(f32::NAN, 0.0, 0, None), point(1.0, f32::INFINITY, 0, None)];
        assert!(draw(&points, &palette(&points), None).is_none());
        assert!(draw(&[], &palette(&[]), None).is_none());
        let same = vec![point(3.0, 3.0, 0, None); 5];
        assert!(draw(&same, &palette(&same), None).is_some_and(|svg| !svg.contains("NaN")));
    }

    #[test]
    fn a_label_has_the_colour_of_its_cluster() {
        let points = [point(0.0, 0.0, 5, Some("walk")), point(1.0, 1.0, 9, Some("<sit>"))];
        let confusion = Confusion {
            clusters: vec![9, 5],
            labels: vec!["<sit>".to_owned(), "walk".to_owned()],
            counts: vec![1, 0, 0, 1],
            matched: vec![Some(0), Some(1)],
        };
        let svg = draw(&points, &palette(&points), Some(&confusion)).unwrap();
        let labels = svg.split("layer-label").nth(1).unwrap();
        assert!(labels.find("dots k1").unwrap() < labels.find("dots k0").unwrap(), "{labels}");
        assert!(labels.contains("&lt;sit&gt;") && !labels.contains("<sit>"), "{labels}");
    }
}
