//! `evenkeel validate`.

use std::io::{self, Write};

use clap::Args;
use serde_json::json;

use super::run::PipelineArguments;
use crate::config::Plan;
use crate::error::Error;
use crate::pipeline::{self, Input};

/// Arguments of `evenkeel validate`.
#[derive(Clone, Debug, Args)]
pub struct ValidateArguments {
    /// What to check.
    #[command(flatten)]
    pub pipeline: PipelineArguments,
    /// Print the configuration that would be run, defaults filled in and secrets redacted, as TOML.
    #[arg(long, conflicts_with = "json")]
    pub effective: bool,
    /// Print the verdict and the effective configuration as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Checks a pipeline file and says what is wrong with it.
///
/// # Errors
/// If it is not valid, or if standard output cannot be written.
pub fn execute(arguments: &ValidateArguments) -> Result<(), Error> {
    let file = arguments.pipeline.file.display();
    let checked = check(&arguments.pipeline);
    let mut output = io::stdout().lock();
    if arguments.json {
        let verdict = match &checked {
            Ok((plan, input)) => {
                let effective = serde_json::to_value(plan.effective()).map_err(|e| Error::Internal(e.to_string()))?;
                json!({ "file": file.to_string(), "valid": true, "problems": [], "input": input, "effective": effective })
            }
            Err(error) => {
                let problems: Vec<String> = error.to_string().lines().map(str::to_owned).collect();
                json!({ "file": file.to_string(), "valid": false, "problems": problems })
            }
        };
        writeln!(output, "{verdict:#}")?;
    }
    let (plan, input) = checked?;
    if arguments.effective {
        let text = plan.effective().to_toml().map_err(|e| Error::Internal(e.to_string()))?;
        output.write_all(text.as_bytes())?;
    } else if !arguments.json {
        writeln!(output, "{file} is valid: {}", in_words(&input))?;
    }
    Ok(())
}

/// Everything that can be found out without reading a row.
fn check(pipeline: &PipelineArguments) -> Result<(Plan, Input), Error> {
    let plan = pipeline.plan()?;
    let input = pipeline::survey(&plan)?;
    Ok((plan, input))
}

fn in_words(input: &Input) -> String {
    let some = |count: u64, thing: &str| format!("{count} {thing}{}", if count == 1 { "" } else { "s" });
    let features = input.features.map_or_else(String::new, |width| format!(", {}", some(width as u64, "feature")));
    let columns = format!("{} read{features}", some(input.columns.len() as u64, "column"));
    if let Some(topic) = &input.topic {
        return format!("topic {topic}, {columns}");
    }
    let (files, rows) = (some(input.files as u64, "file"), some(input.rows, "row"));
    format!("{files}, {rows}, {columns}")
}
