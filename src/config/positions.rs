//! Where in a TOML file a key stands.

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Where the values of a configuration came from: lines of a file, or the command line.
#[derive(Clone, Debug, Default)]
pub(super) struct Positions {
    file: String,
    lines: BTreeMap<String, usize>,
    overridden: BTreeSet<String>,
}

impl Positions {
    /// Finds the keys of `text`, which is valid TOML.
    pub(super) fn new(file: &str, text: &str) -> Self {
        let mut positions = Self { file: file.to_owned(), ..Self::default() };
        // An error was reported by the parse into values already.
        if let Ok(table) = DeTable::parse(text) {
            positions.collect(text, "", table.get_ref());
        }
        positions
    }

    fn collect(&mut self, text: &str, path: &str, table: &DeTable<'_>) {
        let entries = table.iter();
        for (key, value) in entries {
            let path = join(path, key.get_ref());
            self.lines.insert(path.clone(), line_and_column(text, start(key)).0);
            if let DeValue::Table(table) = value.get_ref() {
                self.collect(text, &path, table);
            }
        }
    }

    /// Notes that `path` was given on the command line.
    pub(super) fn overridden(&mut self, path: &str) {
        self.overridden.insert(path.to_owned());
    }

    /// `file:line` of the key or of the nearest table around it; `--set` for what came from there.
    pub(super) fn of(&self, path: &str) -> String {
        if self.overridden.iter().any(|set| path == set || path.starts_with(&format!("{set}."))) {
            return "--set".to_owned();
        }
        let mut around = path;
        loop {
            if let Some(line) = self.lines.get(around) {
                return format!("{}:{line}", self.file);
            }
            match around.rsplit_once('.') {
                Some((parent, _)) => around = parent,
                None => return self.file.clone(),
            }
        }
    }
}

fn start<T>(spanned: &Spanned<T>) -> usize {
    spanned.span().start
}

/// A key below a table, as people write it.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Line and column of a byte, both from 1, columns in characters.
pub(super) fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_in_headers_dots_and_inline_tables() {
        let text = "[a]\nb = 1\nc.d = 2\n[e.f]\ng = { h = 3 }\n";
        let mut positions = Positions::new("p.toml", text);
        let of = |positions: &Positions, path| positions.of(path);
        assert_eq!(of(&positions, "a.b"), "p.toml:2");
        assert_eq!(of(&positions, "a.c.d"), "p.toml:3");
        assert_eq!(of(&positions, "e.f.g.h"), "p.toml:5");
        assert_eq!(of(&positions, "e.f.missing"), "p.toml:4");
        assert_eq!(of(&positions, "missing"), "p.toml");
        positions.overridden("a.b");
        assert_eq!(of(&positions, "a.b"), "--set");
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(line_and_column("ä = 1\nöö = 2", "ä = 1\nöö ".len()), (2, 4));
        assert_eq!(line_and_column("a", 9), (1, 2));
    }
}
