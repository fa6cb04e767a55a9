//! `evenkeel benchmark`.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use super::table::aligned;
use crate::benchmark::{self, Progress, Record, Records, Suite};
use crate::connector::ConnectorError;
use crate::error::Error;

/// Arguments of `evenkeel benchmark`.
#[derive(Clone, Debug, Args)]
pub struct BenchmarkArguments {
    /// The suite file, such as benches/suites/dvae.toml.
    #[arg(value_name = "SUITE")]
    pub suite: PathBuf,
    /// Where data is: a folder that has the suite's files, or NAME=FILE for one of them; may be repeated. Nothing is downloaded.
    #[arg(long, value_name = "PATH")]
    pub data: Vec<String>,
    /// Only lines whose method, data and order contain this text.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub only: String,
    /// Seeds of every line [default: as the suite says].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub seeds: Option<u64>,
    /// Runs at the same time. More than one make the seconds longer than they need be.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: u16,
    /// Folder of the record, SUITE.parquet: what is in it with the same settings is not run again.
    #[arg(long, value_name = "DIR", default_value = "runs/benchmark")]
    pub output: PathBuf,
    /// The document whose section about this suite is written anew.
    #[arg(long, value_name = "FILE", default_value = "docs/results.md")]
    pub document: PathBuf,
    /// Folder for pictures: SUITE-METHOD-DATA.svg shows up to 1,500 rows as the first seed of a line has embedded them, in their two
    /// principal directions, coloured by class. A line that is on record is run again if its picture is not there.
    #[arg(long, value_name = "DIR")]
    pub pictures: Option<PathBuf>,
    /// Run again what is on record.
    #[arg(long)]
    pub fresh: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs what is not on record and prints the table.
///
/// # Errors
/// If the suite or its data cannot be used, a run breaks down, or a result cannot be written.
pub fn execute(arguments: &BenchmarkArguments) -> Result<(), Error> {
    let suite = Suite::load(&arguments.suite)?;
    let paths = benchmark::data_paths(&suite, &arguments.data)?;
    let mut records = Records::open(&arguments.output.join(format!("{}.parquet", suite.name)))?;
    let seeds = arguments.seeds.unwrap_or(suite.seeds);
    let pictures = arguments.pictures.as_deref();
    let plan = benchmark::plan(&suite, &paths, &records, &arguments.only, seeds, arguments.fresh, pictures)?;
    let jobs = usize::from(arguments.jobs);
    tracing::info!(suite = suite.name, runs = plan.tasks.len(), jobs, "benchmark begins");
    let ended = benchmark::run(&suite, plan.tasks.clone(), &mut records, jobs, &mut log);
    // What broke down does not take away what did not.
    let summaries = benchmark::summarise(&suite, &plan, &records);
    let old = match fs::read_to_string(&arguments.document) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => {
            let file = arguments.document.display().to_string();
            return Err(ConnectorError::Unreadable { file, problem: error.to_string() }.into());
        }
    };
    benchmark::write_text(&arguments.document, &benchmark::document(&old, &arguments.document, &suite, &summaries)?)?;
    let chosen: Vec<_> = summaries
        .into_iter()
        .filter(|line| format!("{} {} {}", line.method, line.data, line.order).contains(&arguments.only))
        .collect();
    let mut output = io::stdout();
    if arguments.json {
        let text = serde_json::to_string_pretty(&chosen).map_err(|error| Error::Internal(error.to_string()))?;
        writeln!(output, "{text}")?;
    } else {
        write!(output, "{}", aligned(&benchmark::render(&suite, &chosen)))?;
        for line in &chosen {
            if let Some(reason) = &line.not_run {
                let place = format!("{} on {} {}", line.method, line.data, line.order);
                writeln!(output, "{}: not run ({reason})", place.trim_end())?;
            }
        }
    }
    ended
}

fn log(progress: Progress<'_>) {
    let place = |r: &Record| format!("{} on {} {}", r.method, r.data, r.order).trim_end().to_owned();
    match progress {
        Progress::Finished { record, left } => {
            let (acc, seconds) = (record.score.acc, record.score.seconds);
            tracing::info!(line = place(record), seed = record.seed, acc, seconds, left, "measured");
        }
        Progress::Failed { record, error, left } => {
            tracing::error!(line = place(record), seed = record.seed, %error, left, "failed");
        }
    }
}
