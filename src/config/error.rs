//! What can be wrong with a configuration.

use std::fmt;

use super::Rule;

/// Why a pipeline file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there.
    #[error("no pipeline file {file}")]
    NoInput {
        /// As given.
        file: String,
    },
    /// The file cannot be read.
    #[error("cannot read {file}")]
    Read {
        /// As given.
        file: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Not TOML.
    #[error("{file}:{line}:{column}: {problem}")]
    Syntax {
        /// As given.
        file: String,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// What was found and what was expected.
        problem: String,
    },
    /// A `--set` that is not `section.key=value`.
    #[error("--set {argument}: {problem}")]
    Override {
        /// As given.
        argument: String,
        /// What is wrong.
        problem: String,
    },
    /// Keys that do not exist.
    #[error("{}", lines(.0))]
    UnknownKeys(Vec<UnknownKey>),
    /// A value of the wrong type.
    #[error("{place}: `{key}`: {problem}")]
    Value {
        /// File and line, or `--set`.
        place: String,
        /// Full path of the key.
        key: String,
        /// What was given and what is expected.
        problem: String,
    },
    /// A key that must be there.
    #[error("{place}: `{key}` is missing")]
    Missing {
        /// File and line of the table, or the file.
        place: String,
        /// Full path of the key.
        key: String,
    },
    /// A `…_file` that cannot be read.
    #[error("{place}: `{key}`: cannot read {file}")]
    SecretFile {
        /// File and line, or `--set`.
        place: String,
        /// Full path of the key.
        key: String,
        /// The file it names.
        file: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It says something that makes no sense.
    #[error("{}", lines(&.rules.0.iter().map(|rule| format!("{file}: {rule}")).collect::<Vec<_>>()))]
    Rules {
        /// As given.
        file: String,
        /// What it says.
        rules: Rules,
    },
}

/// All rules a configuration breaks, at least one.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct Rules(pub Vec<Rule>);

/// A key that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKey {
    /// File and line, or `--set`.
    pub place: String,
    /// Full path as written.
    pub key: String,
    /// Full path of what was probably meant.
    pub suggestion: Option<String>,
    /// The keys of that table.
    pub known: Vec<String>,
}

impl fmt::Display for UnknownKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: unknown key `{}`; ", self.place, self.key)?;
        match &self.suggestion {
            Some(name) => write!(formatter, "did you mean `{name}`?"),
            None => write!(formatter, "there are {}", self.known.join(", ")),
        }
    }
}

fn lines<T: fmt::Display>(faults: &[T]) -> String {
    faults.iter().map(T::to_string).collect::<Vec<_>>().join("\n")
}
