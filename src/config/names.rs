//! Which keys there are: unknown ones, the nearest valid name, and what a key accepts, all read off the JSON Schema.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::error::UnknownKey;
use super::positions::{Positions, join};
use crate::data::nearest;

/// Names and what each of them accepts.
type Known<'a> = BTreeMap<&'a str, &'a Json>;

/// The keys a configuration may have.
pub(super) struct Names {
    schema: Json,
}

impl Names {
    pub(super) fn new(schema: Json) -> Self {
        Self { schema }
    }

    /// Every key of `table` that the schema does not have.
    pub(super) fn unknown(&self, table: &toml::Table, positions: &Positions) -> Vec<UnknownKey> {
        let mut found = Vec::new();
        self.compare("", table, &self.schema, positions, &mut found);
        found
    }

    fn compare(
        &self,
        path: &str,
        table: &toml::Table,
        node: &Json,
        positions: &Positions,
        found: &mut Vec<UnknownKey>,
    ) {
        let Some(known) = self.properties(node) else { return };
        for (key, value) in table {
            let full = join(path, key);
            match known.get(key.as_str()).copied().or_else(|| self.secret_of_file(&known, key)) {
                Some(node) => {
                    if let toml::Value::Table(table) = value {
                        self.compare(&full, table, node, positions, found);
                    }
                }
                None => found.push(UnknownKey {
                    place: positions.of(&full),
                    suggestion: self.suggest(path, key, &known),
                    known: known.keys().map(|name| (*name).to_owned()).collect(),
                    key: full,
                }),
            }
        }
    }

    /// The full name nearest to what was written: in the same table, or the same name in another one.
    fn suggest(&self, path: &str, key: &str, known: &Known<'_>) -> Option<String> {
        nearest(key, known.keys().copied()).map(|name| join(path, name)).or_else(|| {
            let mut elsewhere = Vec::new();
            self.paths("", &self.schema, &mut elsewhere);
            let ending = format!(".{key}");
            elsewhere.into_iter().find(|path| path.ends_with(&ending) || path == key)
        })
    }

    fn paths(&self, path: &str, node: &Json, found: &mut Vec<String>) {
        for (key, node) in self.properties(node).into_iter().flatten() {
            let full = join(path, key);
            self.paths(&full, node, found);
            found.push(full);
        }
    }

    /// Whether the key at `path` holds a secret.
    pub(super) fn is_secret(&self, path: &str) -> bool {
        self.at(path).is_some_and(|node| self.alternatives(node).iter().any(|n| n["format"] == "password"))
    }

    /// Whether the key at `path` can hold a string that was written as it is; unknown and free keys can.
    pub(super) fn accepts_text(&self, path: &str) -> bool {
        let Some(node) = self.at(path) else { return true };
        self.alternatives(node).iter().any(|node| {
            let named = |value: &Json| value == "string";
            match &node["type"] {
                Json::Array(types) => types.iter().any(named),
                Json::Null => node["const"].is_string() || node["enum"].is_array(),
                one => named(one),
            }
        })
    }

    /// Whether the key at `path` can hold a number or a truth value; unknown and free keys can.
    pub(super) fn accepts_bare_number(&self, path: &str) -> bool {
        let Some(node) = self.at(path) else { return true };
        self.alternatives(node).iter().any(|node| {
            let named = |value: &Json| value == "integer" || value == "number" || value == "boolean";
            match &node["type"] {
                Json::Array(types) => types.iter().any(named),
                one => named(one),
            }
        })
    }

    fn at(&self, path: &str) -> Option<&Json> {
        let mut node = &self.schema;
        for key in self.keys(path) {
            node = self.properties(node)?.get(key).copied()?;
        }
        Some(node)
    }

    /// A full path as its keys. Where names have dots in them, the longest known name that fits is one key.
    pub(super) fn keys<'a>(&self, path: &'a str) -> Vec<&'a str> {
        let (mut node, mut rest, mut keys) = (Some(&self.schema), Some(path), Vec::new());
        while let Some(path) = rest {
            let known = node.and_then(|node| self.properties(node)).unwrap_or_default();
            let fits = |name: &&&str| {
                let stem = name.len();
                path.starts_with(**name) && (path.len() == stem || path[stem..].starts_with('.'))
            };
            // A secret may also be given as a file.
            let length = match known.keys().filter(fits).map(|name| name.len()).max() {
                Some(length) => length,
                None if known.keys().any(|name| name.contains('.')) => path.len(),
                None => path.find('.').unwrap_or(path.len()),
            };
            let key = &path[..length];
            keys.push(key);
            node = known.get(key).copied();
            rest = path.get(length + 1..);
        }
        keys
    }

    fn secret_of_file<'a>(&self, known: &Known<'a>, key: &str) -> Option<&'a Json> {
        let node = *known.get(key.strip_suffix("_file")?)?;
        self.alternatives(node).iter().any(|n| n["format"] == "password").then_some(node)
    }

    /// The keys of a table, of all its forms if it has several; none for values and for free tables.
    fn properties<'a>(&'a self, node: &'a Json) -> Option<Known<'a>> {
        let forms: Vec<_> = self.alternatives(node).into_iter().filter_map(|n| n["properties"].as_object()).collect();
        if forms.is_empty() {
            return None;
        }
        Some(forms.into_iter().flatten().map(|(name, node)| (name.as_str(), node)).collect())
    }

    /// What a node may be, references followed.
    fn alternatives<'a>(&'a self, node: &'a Json) -> Vec<&'a Json> {
        if let Some(target) = node["$ref"].as_str().and_then(|target| target.strip_prefix('#')) {
            return self.schema.pointer(target).map_or_else(Vec::new, |node| self.alternatives(node));
        }
        match node["anyOf"].as_array().or_else(|| node["oneOf"].as_array()) {
            Some(list) => list.iter().flat_map(|node| self.alternatives(node)).collect(),
            None => vec![node],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::json_schema;
    use super::*;

    fn unknown(text: &str) -> Vec<(String, Option<String>)> {
        let table = toml::from_str(text).unwrap();
        let found = Names::new(json_schema()).unknown(&table, &Positions::new("p.toml", text));
        found.into_iter().map(|unknown| (format!("{} {}", unknown.place, unknown.key), unknown.suggestion)).collect()
    }

    #[test]
    fn every_unknown_key_is_found_with_its_line_and_the_nearest_name() {
        assert_eq!(
            unknown("[model]\nclustres = 6\n[features.window]\nratehz = 50\n[sinc.parquet]\n"),
            [
                ("p.toml:4 features.window.ratehz".to_owned(), Some("features.window.rate_hz".to_owned())),
                ("p.toml:2 model.clustres".to_owned(), Some("model.clusters".to_owned())),
                ("p.toml:5 sinc".to_owned(), Some("sink".to_owned())),
            ]
        );
    }

    #[test]
    fn a_key_of_another_table_is_suggested_there() {
        assert_eq!(
            unknown("[model]\nwarmup_rows = 10\n"),
            [("p.toml:2 model.warmup_rows".to_owned(), Some("learning.warmup_rows".to_owned()))]
        );
    }

    #[test]
    fn nothing_is_suggested_for_something_else_entirely() {
        assert_eq!(unknown("[balance]\nxylophone = 1\n"), [("p.toml:2 balance.xylophone".to_owned(), None)]);
    }

    #[test]
    fn a_table_of_several_forms_has_the_keys_of_all() {
        assert_eq!(unknown("[objective]\nalpha = 1\ntemperature = 0.1\n"), []);
        assert_eq!(
            unknown("[objective]\nalhpa = 1\n"),
            [("p.toml:2 objective.alhpa".to_owned(), Some("objective.alpha".to_owned()))]
        );
    }

    #[test]
    fn what_a_key_accepts_is_known() {
        let names = Names::new(json_schema());
        for path in
            ["pipeline.name", "model.objective", "balance.target", "features.key", "checkpoint.dir", "objective.x"]
        {
            assert!(names.accepts_text(path), "{path}");
        }
        for path in ["pipeline.seed", "model.encoder", "balance.min_share", "learning.refresh_growth"] {
            assert!(!names.accepts_text(path), "{path}");
        }
        assert!(!names.accepts_bare_number("pipeline.name"));
        assert!(names.accepts_bare_number("balance.min_share"));
    }
}
