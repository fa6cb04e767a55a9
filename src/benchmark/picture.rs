//! What a network has made of the rows, as a picture.

use std::path::Path;

use rand::seq::index::sample;

use super::file::write_text;
use super::suite::Line;
use crate::error::Error;
use crate::report::{self, Point};
use crate::stats::random::stream;

/// Rows that are shown.
const ROWS: usize = 1_500;

/// Embedded rows; of a method without a network the rows as it saw them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Embedded {
    /// The class of each row, as a number; nothing if it has none.
    pub classes: Vec<Option<u32>>,
    /// `[rows, width]`, row-major.
    pub embeddings: Vec<f32>,
    /// Width of the embedding.
    pub width: usize,
}

impl Embedded {
    /// Writes a picture of the rows that have a class.
    pub fn draw(&self, line: &Line, names: &[String], seed: u64, file: &Path) -> Result<(), Error> {
        let title = format!("{} on {}: embedded rows coloured by class", line.method_title, line.data_title);
        let Some(image) = report::picture(&self.points(names, seed), &title) else {
            tracing::warn!(file = %file.display(), "no row can be shown: the picture is left out");
            return Ok(());
        };
        Ok(write_text(file, &(image + "\n"))?)
    }

    /// Some of the rows in two dimensions, drawn at random, in their order.
    fn points(&self, names: &[String], seed: u64) -> Vec<Point> {
        let labelled: Vec<(usize, u32)> =
            self.classes.iter().enumerate().filter_map(|(row, class)| Some((row, (*class)?))).collect();
        let mut rng = stream(seed, "picture", 0);
        let mut chosen = sample(&mut rng, labelled.len(), labelled.len().min(ROWS)).into_vec();
        chosen.sort_unstable();
        let row = |at: &usize| &self.embeddings[labelled[*at].0 * self.width..(labelled[*at].0 + 1) * self.width];
        let rows: Vec<f32> = chosen.iter().flat_map(row).copied().collect();
        let places = report::flatten(&rows, self.width, seed);
        let point = |(at, (x, y)): (usize, (f32, f32))| {
            let class = labelled[at].1;
            Point { x, y, cluster: class as i32, label: names.get(class as usize).cloned() }
        };
        chosen.into_iter().zip(places).map(point).collect()
    }
}

/// What the picture of a line is called.
pub(super) fn file_name(suite: &str, line: &Line) -> String {
    let (method, data, order) = line.identity();
    let parts = [suite, &method, &data, &order];
    let whole = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
    let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    format!("{}.svg", whole.chars().map(plain).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_so_many_rows_are_shown_and_only_those_with_a_class() {
        let rows = 4_000;
        let embedded = Embedded {
            classes: (0..rows).map(|i| (i % 4 != 3).then_some(i % 4)).collect(),
            embeddings: (0..rows).flat_map(|i| [i as f32, 0.0, (i % 4) as f32]).collect(),
            width: 3,
        };
        let names: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
        let points = embedded.points(&names, 1);
        assert_eq!(points.len(), ROWS);
        let count = |name: &str| points.iter().filter(|point| point.label.as_deref() == Some(name)).count();
        assert!(["a", "b", "c"].iter().all(|name| count(name) > 400));
        assert_eq!(points, embedded.points(&names, 1));
        let few = Embedded { classes: vec![Some(0), None, Some(1)], embeddings: vec![0.5; 9], width: 3 };
        assert_eq!(few.points(&names, 1).len(), 2);
    }
}
