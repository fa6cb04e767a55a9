//! From a file to a [`Config`].

use std::path::Path;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::names::Names;
use super::positions::{Positions, join, line_and_column};
use super::substitute::substitute;
use super::{Config, ConfigError, Plan};

/// Reads a pipeline file.
///
/// `sets` are `section.key=value` overrides: the value is read as TOML where the key can hold what that gives, else it is
/// a string. Then `${VAR}`, `${VAR:-default}` and `${VAR:?message}` are replaced in strings (`$$` is a dollar sign); a value
/// that had one and stands where no string can is read as TOML again.
///
/// # Errors
/// If the file cannot be read or is not TOML, if it has a key that does not exist, lacks one that must be there, or gives
/// one a value of the wrong type, or if a variable is not set.
pub fn load(path: &Path, sets: &[String]) -> Result<Config, ConfigError> {
    let file = path.display().to_string();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(ConfigError::NoInput { file }),
        Err(source) => return Err(ConfigError::Read { file, source }),
    };
    parse(&file, &text, sets, &|name| std::env::var(name).ok())
}

/// Reads a pipeline file and checks every rule: [`load`], then [`Config::check`].
///
/// # Errors
/// As [`load`], and if a rule is broken.
pub fn open(path: &Path, sets: &[String]) -> Result<Plan, ConfigError> {
    let config = load(path, sets)?;
    config.check().map_err(|rules| ConfigError::Rules { file: path.display().to_string(), rules })
}

/// [`load`] without the outside world, for any set of tables.
///
/// # Errors
/// As [`load`].
pub fn parse<T: DeserializeOwned + JsonSchema>(
    file: &str,
    text: &str,
    sets: &[String],
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<T, ConfigError> {
    let mut table: Table = toml::from_str(text).map_err(|error| {
        let (line, column) = line_and_column(text, error.span().map_or(0, |span| span.start));
        ConfigError::Syntax { file: file.to_owned(), line, column, problem: error.message().to_owned() }
    })?;
    let mut reader = Reader::new::<T>(Positions::new(file, text), variable);
    for argument in sets {
        reader.set(&mut table, argument)?;
    }
    reader.finish(table)
}

/// A configuration from tables that were put together; `place` stands before what is wrong with them.
///
/// # Errors
/// As [`load`].
pub fn assemble<T: DeserializeOwned + JsonSchema>(place: &str, table: Table) -> Result<T, ConfigError> {
    Reader::new::<T>(Positions::new(place, ""), &|_| None).finish(table)
}

struct Reader<'a> {
    names: Names,
    positions: Positions,
    variable: &'a dyn Fn(&str) -> Option<String>,
}

impl<'a> Reader<'a> {
    fn new<T: JsonSchema>(positions: Positions, variable: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { names: Names::new(schemars::schema_for!(T).to_value()), positions, variable }
    }
}

impl Reader<'_> {
    fn finish<T: DeserializeOwned>(&self, mut table: Table) -> Result<T, ConfigError> {
        let unknown = self.names.unknown(&table, &self.positions);
        if !unknown.is_empty() {
            return Err(ConfigError::UnknownKeys(unknown));
        }
        self.substitute_all("", &mut table)?;
        self.read_secrets("", &mut table)?;
        Value::Table(table).try_into().map_err(|error| self.explain(&error))
    }

    /// Applies one `section.key=value`.
    fn set(&mut self, table: &mut Table, argument: &str) -> Result<(), ConfigError> {
        let fault = |problem: String| ConfigError::Override { argument: argument.to_owned(), problem };
        let (path, value) = argument.split_once('=').ok_or_else(|| fault("expected section.key=value".to_owned()))?;
        let path = path.trim();
        let mut tables: Vec<&str> = self.names.keys(path).into_iter().map(|key| key.trim().trim_matches('"')).collect();
        let key = tables.pop().filter(|key| !key.is_empty() && !tables.contains(&""));
        let key = key.ok_or_else(|| fault("expected section.key=value".to_owned()))?;
        let mut table = table;
        for name in tables {
            table = match table.entry(name).or_insert_with(|| Value::Table(Table::new())) {
                Value::Table(inner) => inner,
                other => return Err(fault(format!("`{name}` is a {}, not a table", other.type_str()))),
            };
        }
        table.insert(key.to_owned(), self.read(path, value));
        self.positions.overridden(path);
        Ok(())
    }

    /// The value that `text`, written outside a TOML file, stands for at `path`.
    fn read(&self, path: &str, text: &str) -> Value {
        let text = text.trim();
        match text.parse::<Value>() {
            Ok(value @ (Value::String(_) | Value::Array(_) | Value::Table(_))) => value,
            Ok(value) if self.names.accepts_bare_number(path) || !self.names.accepts_text(path) => value,
            _ => Value::String(text.to_owned()),
        }
    }

    fn substitute_all(&self, path: &str, table: &mut Table) -> Result<(), ConfigError> {
        for (key, value) in table.iter_mut() {
            let path = join(path, key);
            self.substitute_value(&path, value)?;
        }
        Ok(())
    }

    fn substitute_value(&self, path: &str, value: &mut Value) -> Result<(), ConfigError> {
        match value {
            Value::Table(table) => self.substitute_all(path, table),
            Value::Array(list) => list.iter_mut().try_for_each(|item| self.substitute_value(path, item)),
            Value::String(text) if text.contains('$') => {
                let replaced = substitute(text, self.variable).map_err(|problem| ConfigError::Value {
                    place: self.positions.of(path),
                    key: path.to_owned(),
                    problem,
                })?;
                let keep = !text.contains("${") || self.names.accepts_text(path);
                *value = if keep { Value::String(replaced) } else { self.read(path, &replaced) };
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Replaces `x_file = "path"` by `x = "content"` where `x` is a secret.
    fn read_secrets(&self, path: &str, table: &mut Table) -> Result<(), ConfigError> {
        let keys: Vec<String> = table.keys().cloned().collect();
        for key in keys {
            let full = join(path, &key);
            if let Some(Value::Table(inner)) = table.get_mut(&key) {
                self.read_secrets(&full, inner)?;
            }
            let Some(secret) = key.strip_suffix("_file") else { continue };
            let (Some(Value::String(file)), true) = (table.get(&key), self.names.is_secret(&join(path, secret))) else {
                continue;
            };
            let (place, file) = (self.positions.of(&full), file.clone());
            if table.contains_key(secret) {
                let problem = format!("`{}` is given as well; use one of them", join(path, secret));
                return Err(ConfigError::Value { place, key: full, problem });
            }
            let content = match std::fs::read_to_string(&file) {
                Ok(content) => content.trim_end_matches(['\r', '\n']).to_owned(),
                Err(source) => return Err(ConfigError::SecretFile { place, key: full, file, source }),
            };
            table.remove(&key);
            table.insert(secret.to_owned(), Value::String(content));
        }
        Ok(())
    }

    /// Says in the words of a pipeline file what the deserialiser found.
    fn explain(&self, error: &toml::de::Error) -> ConfigError {
        let (path, problem) = in_plain_words(error);
        if let Some(key) = error.message().strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
            return ConfigError::Missing { place: self.positions.of(&path), key: join(&path, key) };
        }
        ConfigError::Value { place: self.positions.of(&path), key: path, problem }
    }
}

/// The path of the key that an error is about, and what is wrong with its value.
pub(super) fn in_plain_words(error: &toml::de::Error) -> (String, String) {
    // The path of keys is only in the full text: message, line break, "in `a.b`".
    let full = error.to_string();
    let path = full.strip_prefix(error.message()).and_then(|rest| rest.trim().strip_prefix("in `"));
    let path = path.and_then(|path| path.strip_suffix('`')).unwrap_or_default();
    let problem =
        PLAIN_WORDS.iter().fold(error.message().to_owned(), |message, (rust, plain)| message.replace(rust, plain));
    (path.to_owned(), problem)
}

/// What serde calls things, and what users do.
const PLAIN_WORDS: [(&str, &str); 10] = [
    ("expected usize", "expected a whole number, 0 or more"),
    ("expected u64", "expected a whole number, 0 or more"),
    ("expected f64", "expected a number"),
    ("expected a sequence", "expected a list"),
    ("invalid type: sequence", "invalid type: list"),
    ("invalid type: map", "invalid type: table"),
    ("expected a map", "expected a table"),
    ("expected path string", "expected a path"),
    ("data did not match any variant of untagged enum OneOrMany", "expected a string or a list of strings"),
    ("expected struct ", "expected the table of "),
];

#[cfg(test)]
mod tests;
