//! `evenkeel replay`.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use crate::connector::format::{Format, FormatOptions, RegistryAddress};
use crate::connector::replay::{self, Replay, Tempo};
use crate::error::Error;

/// Arguments of `evenkeel replay`.
#[derive(Clone, Debug, Args)]
pub struct ReplayArguments {
    /// Parquet files, globs or folders.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<String>,
    /// The topic to publish to; it must exist.
    #[arg(long, value_name = "T")]
    pub topic: String,
    /// The broker.
    #[arg(long, value_name = "HOST:PORT")]
    pub bootstrap_server: String,
    /// A column of the message key; may be repeated, the parts are joined by `/`.
    #[arg(long, value_name = "COLUMN")]
    pub key: Vec<String>,
    /// The event time: rows are published in its order. All of them are then held in memory.
    #[arg(long, value_name = "COLUMN")]
    pub time: Option<String>,
    /// json, avro or arrow-ipc.
    #[arg(long, value_name = "FORMAT", default_value = "json", value_parser = format)]
    pub format: Format,
    /// A schema registry, for Avro in its wire format; the schema is registered there.
    #[arg(long, value_name = "URL")]
    pub registry: Option<String>,
    /// So many rows a second.
    #[arg(long, value_name = "ROWS/S", value_parser = positive, conflicts_with = "speed")]
    pub rate: Option<f64>,
    /// So many times as fast as it happened, such as 10x; needs --time.
    #[arg(long, value_name = "FACTOR", value_parser = factor, requires = "time")]
    pub speed: Option<f64>,
    /// Stop after so many rows.
    #[arg(long, value_name = "ROWS")]
    pub limit: Option<u64>,
    /// Rows of one key in an Arrow IPC message, at most.
    #[arg(long, value_name = "ROWS", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    pub message_rows: u32,
    /// A file of librdkafka properties (`name=value` lines), for passwords and the like.
    #[arg(long, value_name = "FILE")]
    pub command_config: Option<PathBuf>,
    /// Print the summary as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Publishes the rows and prints how many there were.
///
/// # Errors
/// If the files cannot be read or the broker does not take them.
pub fn execute(arguments: &ReplayArguments) -> Result<(), Error> {
    let mut properties = match &arguments.command_config {
        Some(file) => read_properties(file)?,
        None => Vec::new(),
    };
    properties.push(("bootstrap.servers".to_owned(), arguments.bootstrap_server.clone()));
    if arguments.registry.is_some() && arguments.format != Format::Avro {
        return Err(Error::Usage("--registry goes with --format avro only".to_owned()));
    }
    let mut format = FormatOptions::new(arguments.format, &arguments.topic);
    format.registry = arguments.registry.clone().map(|url| RegistryAddress { url, credentials: None });
    let replay = Replay {
        files: arguments.files.clone(),
        format,
        key: arguments.key.clone(),
        time: arguments.time.clone(),
        tempo: match (arguments.rate, arguments.speed) {
            (Some(rate), _) => Tempo::Rate(rate),
            (None, Some(speed)) => Tempo::Speed(speed),
            (None, None) => Tempo::Unbounded,
        },
        limit: arguments.limit,
        message_rows: arguments.message_rows as usize,
        properties,
    };
    let done = replay::replay(&replay)?;
    let mut output = io::stdout().lock();
    if arguments.json {
        let value = serde_json::to_value(done).map_err(|error| Error::Internal(error.to_string()))?;
        writeln!(output, "{value:#}")?;
    } else {
        let rate = done.rows as f64 / done.seconds.max(1e-9);
        writeln!(
            output,
            "{} rows in {} messages ({:.1} MB) to {} in {:.1} s ({rate:.0} rows/s)",
            done.rows,
            done.messages,
            done.bytes as f64 / 1e6,
            arguments.topic,
            done.seconds
        )?;
    }
    Ok(())
}

fn read_properties(file: &PathBuf) -> Result<Vec<(String, String)>, Error> {
    let wrong = |problem: String| Error::Usage(format!("{}: {problem}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| match line.split_once('=') {
            Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
            // Without the line: it may be a password.
            None => Err(wrong(format!("line {number} has no `=`; `name=value` is needed"))),
        })
        .collect()
}

fn format(text: &str) -> Result<Format, String> {
    match text {
        "json" => Ok(Format::Json),
        "avro" => Ok(Format::Avro),
        "arrow-ipc" => Ok(Format::ArrowIpc),
        _ => Err("json, avro or arrow-ipc is needed".to_owned()),
    }
}

fn factor(text: &str) -> Result<f64, String> {
    positive(text.strip_suffix('x').unwrap_or(text))
}

fn positive(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "a number is needed".to_owned())?;
    if value > 0.0 && value.is_finite() { Ok(value) } else { Err("a number over 0 is needed".to_owned()) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Arguments, Command};

    fn parsed(line: &str) -> Result<ReplayArguments, String> {
        let line = format!("evenkeel replay {line}");
        match Arguments::try_parse_from(line.split(' ')).map_err(|error| error.to_string())?.command {
            Command::Replay(arguments) => Ok(arguments),
            _ => panic!("not replay"),
        }
    }

    #[test]
    fn the_command_line_is_that_of_the_contract() {
        let line = "a.parquet b.parquet --topic t --bootstrap-server h:1 --key k --key l --time at --format arrow-ipc";
        let arguments = parsed(&format!("{line} --speed 10x")).unwrap();
        assert_eq!((arguments.speed, arguments.format), (Some(10.0), Format::ArrowIpc));
        assert_eq!((arguments.files.len(), arguments.key.len()), (2, 2));
        assert_eq!(parsed(&format!("{line} --rate 500")).unwrap().rate, Some(500.0));
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let line = "a.parquet --topic t --bootstrap-server h:1";
        assert!(parsed(&format!("{line} --speed 10x")).unwrap_err().contains("--time"));
        assert!(parsed(&format!("{line} --time at --speed 10x --rate 5")).unwrap_err().contains("cannot be used with"));
        assert!(parsed(&format!("{line} --rate 0")).unwrap_err().contains("over 0"));
        assert!(parsed(&format!("{line} --format xml")).unwrap_err().contains("arrow-ipc"));
    }

    #[test]
    fn a_line_of_properties_is_never_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("client.properties");
        fs::write(&file, "# comment\n\nsasl.password = a=b\nlinger.ms=5\n").unwrap();
        let expected = [("sasl.password", "a=b"), ("linger.ms", "5")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(read_properties(&file).unwrap(), expected);
        fs::write(&file, "linger.ms=5\nhunter2").unwrap();
        let said = read_properties(&file).unwrap_err().to_string();
        assert!(said.contains("line 2") && !said.contains("hunter2"), "{said}");
    }
}
