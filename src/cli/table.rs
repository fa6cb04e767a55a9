//! Tables of text.

/// Columns as wide as their widest cell: the first to the left, the others to the right.
pub(super) fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|c| c.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// Names to the left, and what there is to say about them to the left as well.
pub(super) fn named(lines: &[(String, String)]) -> String {
    let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    lines.iter().map(|(name, value)| format!("{name:<width$}  {value}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_aligned_by_characters() {
        let lines = [vec!["".to_owned(), "all".to_owned()], vec!["größe".to_owned(), "1".to_owned()]];
        assert_eq!(aligned(&lines), "       all\ngröße    1\n");
    }

    #[test]
    fn names_are_as_wide_as_the_widest() {
        let lines = [("größe".to_owned(), "1".to_owned()), ("id".to_owned(), "two".to_owned())];
        assert_eq!(named(&lines), "größe  1\nid     two\n");
    }
}
