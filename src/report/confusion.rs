//! Clusters against labels as a heat map, each cluster in the row of the label it is matched with.

use super::Confusion;
use super::palette::Palette;
use super::svg::{Drawing, count, percent, px};

const WIDTH: f64 = 520.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 66.0;
const MOST_CELL: (f64, f64) = (84.0, 60.0);
/// Longer labels are cut; pointing at a cell shows them whole.
const LABEL_CHARACTERS: usize = 16;
/// Width of a character of a label, roughly.
const CHARACTER: f64 = 7.2;
/// Cells smaller than this have no room for their number.
const NUMBER_CELL: f64 = 25.0;
/// A cell fuller than this needs its number in the colour of the paper.
const FULL: f64 = 0.55;

/// The picture; `None` without counts.
pub(super) fn draw(confusion: &Confusion, palette: &Palette) -> Option<String> {
    let (rows, columns) = (confusion.clusters.len(), confusion.labels.len());
    if rows == 0 || columns == 0 || confusion.counts.len() != rows * columns {
        return None;
    }
    let labels: Vec<String> = confusion.labels.iter().map(|label| cut(label)).collect();
    let longest = CHARACTER * labels.iter().map(|label| label.chars().count()).max().unwrap_or(0) as f64;
    let cell = |right: f64| ((WIDTH - LEFT - right) / columns as f64).min(MOST_CELL.0);
    let slanted = longest > cell(RIGHT) - 4.0;
    // Slanted by 60 degrees: half of the length to the right, 0.87 of it upwards.
    let (width, top) =
        if slanted { (cell(RIGHT.max(longest / 2.0)), 26.0 + 0.87 * longest) } else { (cell(RIGHT), 40.0) };
    let height = width.min(MOST_CELL.1);
    let bottom = top + height * rows as f64;
    let mut drawing = Drawing::new(WIDTH, bottom + 34.0);
    drawing.text("caption end", (LEFT - 8.0, top - 8.0), "cluster");
    if !slanted {
        drawing.text("caption start", (LEFT + width * columns as f64 + 10.0, top - 8.0), "rows");
    }
    for (column, label) in labels.iter().enumerate() {
        let middle = LEFT + width * (column as f64 + 0.5);
        if slanted {
            drawing.slanted("tick", (middle + 4.0, top - 8.0), label);
        } else {
            drawing.text("tick mid", (middle, top - 8.0), label);
        }
    }
    let per_label: Vec<u64> =
        (0..columns).map(|column| (0..rows).map(|row| confusion.counts[row * columns + column]).sum()).collect();
    for (row, &cluster) in confusion.clusters.iter().enumerate() {
        let counts = &confusion.counts[row * columns..][..columns];
        let y = top + height * row as f64;
        let middle = y + height / 2.0 + 4.0;
        drawing.area(&format!("chip {}", palette.class(cluster)), (4.0, y + height / 2.0 - 5.0), (10.0, 10.0), "");
        drawing.text("tick end", (LEFT - 8.0, middle), &cluster.to_string());
        drawing.text("tick start", (LEFT + width * columns as f64 + 10.0, middle), &count(counts.iter().sum()));
        for (column, &rows) in counts.iter().enumerate() {
            let x = LEFT + width * column as f64;
            let share = rows as f64 / per_label[column].max(1) as f64;
            let label = &confusion.labels[column];
            let title = format!(
                "cluster {cluster}, label {label}: {} rows, {} of the label",
                count(rows),
                percent(rows, per_label[column])
            );
            drawing.raw(&format!("<g style=\"--s:{share:.3}\">"));
            drawing.area("cell", (x + 1.0, y + 1.0), (width - 2.0, height - 2.0), &title);
            drawing.raw("</g>");
            if confusion.matched[row] == Some(column) {
                drawing.raw(&format!(
                    "<rect class=\"matched\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
                    px(x + 1.0),
                    px(y + 1.0),
                    px(width - 2.0),
                    px(height - 2.0)
                ));
            }
            if width >= NUMBER_CELL && rows > 0 {
                let class = if share > FULL { "number full" } else { "number" };
                drawing.text(class, (x + width / 2.0, middle), &count(rows));
            }
        }
    }
    drawing.text(
        "caption start",
        (LEFT, bottom + 24.0),
        "stronger colour: a larger part of the label; outlined: matched one to one",
    );
    Some(drawing.finish("number of rows of each cluster and label"))
}

fn cut(label: &str) -> String {
    if label.chars().count() <= LABEL_CHARACTERS {
        return label.to_owned();
    }
    label.chars().take(LABEL_CHARACTERS - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;

    fn confusion(labels: usize) -> Confusion {
        Confusion {
            clusters: (0..labels as i32).collect(),
            labels: (0..labels).map(|i| format!("<{i}>")).collect(),
            counts: (0..labels * labels).map(|i| 1_000 * i as u64).collect(),
            matched: (0..labels).map(Some).collect(),
        }
    }

    fn draw_alone(confusion: &Confusion) -> Option<String> {
        draw(confusion, &Palette::of(&Report { confusion: Some(confusion.clone()), ..Report::default() }))
    }

    #[test]
    fn every_count_is_written_and_every_match_outlined() {
        let svg = draw_alone(&confusion(2)).unwrap();
        for number in ["1,000", "2,000", "3,000", "5,000"] {
            assert!(svg.contains(&format!(">{number}</text>")), "{number} in {svg}");
        }
        assert_eq!(svg.matches("class=\"matched\"").count(), 2);
        assert!(svg.contains("cluster 1, label &lt;0&gt;: 2,000 rows, 100.0 % of the label"), "{svg}");
    }

    #[test]
    fn many_labels_keep_their_cells_and_lose_their_numbers() {
        let svg = draw_alone(&confusion(40)).unwrap();
        assert_eq!(svg.matches("class=\"cell\"").count(), 1_600);
        assert!(!svg.contains("class=\"number"));
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert!(draw_alone(&confusion(0)).is_none());
        assert!(draw_alone(&Confusion { counts: Vec::new(), ..confusion(2) }).is_none(), "counts that do not fit");
    }
}
