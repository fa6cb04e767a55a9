//! `evenkeel checkpoint`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::table::{aligned, named};
use crate::checkpoint::{self, CheckpointError, Found, Header, Listed, Verdict};
use crate::connector::ConnectorError;
use crate::error::Error;
use crate::report::instant;

/// What to do with checkpoints.
#[derive(Clone, Debug, Subcommand)]
pub enum CheckpointCommand {
    /// List the checkpoints of a folder, newest first.
    List(CheckpointArguments),
    /// Say what is in a checkpoint, of a folder in its newest.
    Inspect(CheckpointArguments),
    /// Say whether the checksums hold.
    Verify(CheckpointArguments),
}

/// Arguments of the `evenkeel checkpoint` commands.
#[derive(Clone, Debug, Args)]
pub struct CheckpointArguments {
    /// A checkpoint, a folder of checkpoints or a run directory.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Prints what was asked for.
///
/// # Errors
/// If there is no checkpoint, if one cannot be read or, where that is the question, is damaged, or if standard output
/// cannot be written.
pub fn execute(command: &CheckpointCommand) -> Result<(), Error> {
    match command {
        CheckpointCommand::List(arguments) => list(arguments),
        CheckpointCommand::Inspect(arguments) => inspect(arguments),
        CheckpointCommand::Verify(arguments) => verify(arguments),
    }
}

fn no_input(path: &Path, problem: &str) -> Error {
    ConnectorError::NoInput { path: path.display().to_string(), problem: problem.to_owned() }.into()
}

/// The checkpoints that a path names, newest first, at least one.
fn find(path: &Path) -> Result<Vec<Listed>, Error> {
    if path.is_file() {
        return Ok(vec![checkpoint::look(path)?]);
    }
    if !path.is_dir() {
        return Err(no_input(path, "does not exist"));
    }
    let mut found = checkpoint::list(path)?;
    let inner = path.join("checkpoints");
    if found.is_empty() && inner.is_dir() {
        found = checkpoint::list(&inner)?;
    }
    if found.is_empty() {
        return Err(no_input(path, "holds no checkpoint, neither itself nor in `checkpoints`"));
    }
    found.reverse();
    Ok(found)
}

fn created(header: &Header) -> String {
    // A time that nanoseconds cannot hold is shown as the last one that they can.
    let seconds = i64::try_from(header.created_unix_s).unwrap_or(i64::MAX);
    format!("{} UTC", instant(seconds.saturating_mul(1_000_000_000)))
}

fn list(arguments: &CheckpointArguments) -> Result<(), Error> {
    let found = find(&arguments.dir)?;
    let mut output = io::stdout().lock();
    if arguments.json {
        let all: Vec<Value> = found.iter().map(as_json).collect();
        writeln!(output, "{:#}", Value::from(all))?;
        return Ok(());
    }
    let head = ["checkpoint", "created", "epoch", "pass", "rows", "model", "workers", "bytes", "state"];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    let mut faults = String::new();
    for one in &found {
        let bytes = one.bytes.to_string();
        lines.push(match &one.header {
            Ok(header) => vec![
                one.id.to_string(),
                created(header),
                header.epoch.to_string(),
                header.pass.to_string(),
                header.rows.to_string(),
                header.model_version.to_string(),
                header.workers.to_string(),
                bytes,
                if header.finished { "finished" } else { "open" }.to_owned(),
            ],
            Err(fault) => {
                faults.push_str(&format!("{fault}\n"));
                let unknown = std::iter::repeat_n("-".to_owned(), 6);
                let state = if matches!(fault, CheckpointError::Newer { .. }) { "newer" } else { "damaged" };
                std::iter::once(one.id.to_string()).chain(unknown).chain([bytes, state.to_owned()]).collect()
            }
        });
    }
    write!(output, "{}{faults}", aligned(&lines))?;
    Ok(())
}

fn as_json(one: &Listed) -> Value {
    let mut value = json!({ "id": one.id, "path": one.path, "bytes": one.bytes });
    match &one.header {
        Ok(header) => value["header"] = json!(header),
        Err(fault) => value["problem"] = json!(fault.to_string()),
    }
    value
}

fn inspect(arguments: &CheckpointArguments) -> Result<(), Error> {
    let newest = find(&arguments.dir)?.swap_remove(0);
    let mut output = io::stdout().lock();
    if arguments.json {
        writeln!(output, "{:#}", as_json(&newest))?;
        newest.header?;
        return Ok(());
    }
    let header = newest.header?;
    let line = |name: &str, value: String| (name.to_owned(), value);
    let mut lines = vec![
        line("file", newest.path.display().to_string()),
        line("bytes", newest.bytes.to_string()),
        line("checkpoint", header.id.to_string()),
        line("created", created(&header)),
        line("program", format!("evenkeel {}", header.program)),
        line("next epoch", header.epoch.to_string()),
        line("pass", header.pass.to_string()),
        line("input rows", header.rows.to_string()),
        line("model version", header.model_version.to_string()),
        line("workers", header.workers.to_string()),
        line("finished", if header.finished { "yes" } else { "no" }.to_owned()),
    ];
    lines.extend(header.digest.iter().map(|(setting, value)| line(setting, value.to_owned())));
    writeln!(output, "{}", named(&lines))?;
    let mut sections = vec![["section", "bytes", "crc-32"].map(str::to_owned).to_vec()];
    sections.extend(
        header.sections.iter().map(|s| vec![s.part.to_string(), s.bytes.to_string(), format!("{:08x}", s.crc32)]),
    );
    write!(output, "{}", aligned(&sections))?;
    Ok(())
}

fn verify(arguments: &CheckpointArguments) -> Result<(), Error> {
    let found = find(&arguments.dir)?;
    let found: Vec<Found> = found.iter().map(|one| checkpoint::verify_file(&one.path)).collect::<Result<_, _>>()?;
    let mut output = io::stdout().lock();
    if arguments.json {
        let all: Vec<Value> = found
            .iter()
            .map(|one| {
                let (verdict, problem) = verdict(one);
                json!({ "id": one.id, "path": one.path, "verdict": verdict, "problem": problem })
            })
            .collect();
        writeln!(output, "{:#}", Value::from(all))?;
    } else {
        let lines: Vec<(String, String)> = found
            .iter()
            .map(|one| {
                let (verdict, problem) = verdict(one);
                let problem = problem.map_or_else(String::new, |problem| format!(": {problem}"));
                (one.path.display().to_string(), format!("{verdict}{problem}"))
            })
            .collect();
        write!(output, "{}", named(&lines))?;
    }
    let damaged = found.iter().filter(|one| matches!(one.verdict, Verdict::Damaged { .. })).count();
    if damaged > 0 {
        let (all, are) = (found.len(), if damaged == 1 { "is" } else { "are" });
        return Err(Error::BadData(format!("{damaged} of {all} checkpoints {are} damaged")));
    }
    for one in found {
        if let Verdict::Newer { found, supported } = one.verdict {
            return Err(CheckpointError::Newer { file: one.path, found, supported }.into());
        }
    }
    Ok(())
}

fn verdict(one: &Found) -> (&'static str, Option<String>) {
    match &one.verdict {
        Verdict::Whole { .. } => ("whole", None),
        Verdict::Damaged { reason } => ("damaged", Some(reason.clone())),
        Verdict::Newer { found, supported } => {
            ("newer", Some(format!("it has format {found} and this program knows formats up to {supported}")))
        }
    }
}
