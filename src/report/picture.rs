//! One embedding as a file of its own, for a page that shows several.

use std::fmt::Write;

use super::Point;
use super::palette::{self, COLOURS};
use super::scatter::{self, SIZE};
use super::svg::{Drawing, escape};

/// The rows that have a label, coloured by it, as an SVG image that needs nothing else; `None` if there is none. `name` is what a
/// screen reader says.
#[must_use]
pub fn picture(points: &[Point], name: &str) -> Option<String> {
    let finite = |point: &&Point| point.x.is_finite() && point.y.is_finite() && point.label.is_some();
    let points: Vec<&Point> = points.iter().filter(finite).collect();
    let (across, up) = scatter::scales(&points)?;
    let labels = scatter::group(&points, |point| point.label.as_deref());
    let numbers: Vec<&str> = labels.keys().copied().collect();
    let colour = |label: &&str| palette::colour(numbers.partition_point(|other| other < label));
    let mut drawing = Drawing::new(SIZE, SIZE);
    drawing.raw(&style());
    let place = |point: &Point| (across.at(point.x.into()), up.at(point.y.into()));
    drawing.raw(&scatter::layer(
        "label",
        scatter::dot_size(points.len()),
        &labels,
        colour,
        |label| escape(label),
        place,
    ));
    Some(drawing.image(name))
}

/// The colours of the page's light form written out: images are shown where a page's variables are not known.
fn style() -> String {
    let mut rules = String::from(
        "<style>.dots{fill:none;stroke-linecap:round;stroke-opacity:.7}text{font:700 12px sans-serif;text-anchor:middle;fill:#1a2230;\
         stroke:#fff;stroke-width:4px;stroke-linejoin:round;paint-order:stroke}",
    );
    for index in 0..COLOURS {
        write!(rules, ".{}{{stroke:{}}}", palette::colour(index), palette::light(index))
            .expect("a string takes any text");
    }
    rules + "</style><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(x: f32, y: f32, label: Option<&str>) -> Point {
        Point { x, y, cluster: 0, label: label.map(str::to_owned) }
    }

    #[test]
    fn every_labelled_row_is_one_dot_in_the_colour_of_its_label() {
        let points = [
            point(0.0, 0.0, Some("walk")),
            point(1.0, 2.0, Some("<sit>")),
            point(0.5, 1.0, Some("walk")),
            point(0.2, 0.1, None),
            point(f32::NAN, 0.1, Some("walk")),
        ];
        let svg = picture(&points, "two \"labels\"").unwrap();
        assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 520 520\""), "{svg}");
        assert!(svg.contains("aria-label=\"two &quot;labels&quot;\"") && !svg.contains("var("), "{svg}");
        let dots = |class: &str| {
            let path = svg.split(&format!("class=\"dots {class}\" d=\"")).nth(1).unwrap();
            path.split('"').next().unwrap().matches("h0").count()
        };
        assert_eq!((dots("k0"), dots("k1")), (1, 2));
        assert!(svg.contains("&lt;sit&gt;") && svg.contains(".k11{stroke:#5b50b5}"), "{svg}");
    }

    #[test]
    fn a_long_name_stays_within_the_picture() {
        let points = [point(0.0, 0.0, Some("WALKING_DOWNSTAIRS")), point(9.0, 0.0, Some("WALKING_UPSTAIRS"))];
        let svg = picture(&points, "names").unwrap();
        let places: Vec<f64> = svg
            .split("class=\"badge\" x=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(places, [81.0, 448.0]);
    }

    #[test]
    fn fifteen_hundred_rows_stay_small() {
        let points: Vec<Point> = (0..1_500)
            .map(|i| point((i as f32).sin() * 9.0, (i as f32 * 0.7).cos() * 3.0, Some(["a", "b", "c"][i % 3])))
            .collect();
        let svg = picture(&points, "rows").unwrap();
        assert_eq!(svg.matches("h0").count(), 1_500);
        assert!(svg.len() < 30_000, "{} bytes", svg.len());
        assert!(picture(&[point(0.0, 0.0, None)], "rows").is_none());
    }
}
