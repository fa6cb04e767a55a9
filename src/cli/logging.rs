//! Messages on standard error.

use std::io::{self, IsTerminal};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use crate::error::Error;

/// How messages look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Sends messages to standard error: as text on a terminal and as JSON otherwise, unless `format` says which; `level` wins
/// over `RUST_LOG`, and without either it is `info`. Colour only on a terminal and without `NO_COLOR`.
///
/// # Errors
/// If the level or `RUST_LOG` is not understood, or if messages go elsewhere already.
pub fn start(format: Option<LogFormat>, level: Option<&str>) -> Result<(), Error> {
    let terminal = io::stderr().is_terminal();
    let format = format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json });
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let messages = tracing_subscriber::fmt()
        .with_env_filter(filter(level, std::env::var("RUST_LOG").ok())?)
        .with_ansi(terminal && !no_color)
        .with_target(false)
        .with_writer(io::stderr);
    let started = match format {
        LogFormat::Text => messages.try_init(),
        LogFormat::Json => messages.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| Error::Internal(error.to_string()))
}

fn filter(level: Option<&str>, environment: Option<String>) -> Result<EnvFilter, Error> {
    let (origin, directives) = match (level, environment.as_deref()) {
        (Some(level), _) => ("--log-level", level),
        (None, Some(level)) if !level.trim().is_empty() => ("RUST_LOG", level),
        _ => ("the default level", "info"),
    };
    EnvFilter::try_new(directives).map_err(|error| Error::Usage(format!("{origin} \"{directives}\": {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_argument_wins_over_the_environment() {
        let of = |level, environment: Option<&str>| filter(level, environment.map(str::to_owned)).unwrap().to_string();
        assert_eq!(of(Some("debug"), Some("warn")), "debug");
        assert_eq!(of(None, Some("warn")), "warn");
        assert_eq!(of(None, Some(" ")), "info");
        assert_eq!(of(None, None), "info");
    }

    #[test]
    fn a_level_that_is_none_is_a_usage_error() {
        let error = filter(Some("evenkeel=lots"), None).unwrap_err();
        assert_eq!(error.exit_code(), 64);
        assert!(error.to_string().starts_with("--log-level \"evenkeel=lots\""), "{error}");
    }
}
