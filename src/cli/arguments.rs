//! What can be written on the command line.

use clap::{Parser, Subcommand};

use super::assign::AssignArguments;
use super::benchmark::BenchmarkArguments;
use super::checkpoint::CheckpointCommand;
use super::completions::CompletionsArguments;
use super::evaluate::EvaluateArguments;
use super::logging::LogFormat;
use super::replay::ReplayArguments;
use super::report::ReportArguments;
use super::run::RunArguments;
use super::validate::ValidateArguments;
use super::verify::VerifyArguments;

/// Clusters sensor streams and keeps the clusters even.
#[derive(Clone, Debug, Parser)]
#[command(name = "evenkeel", version, about, propagate_version = true, arg_required_else_help = true)]
pub struct Arguments {
    /// How messages on standard error look [default: text on a terminal, json otherwise].
    #[arg(long, global = true, value_enum)]
    pub log_format: Option<LogFormat>,
    /// Which messages: a level or tracing directives, such as `debug` or `evenkeel=trace` [default: RUST_LOG or info].
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run a pipeline, resuming from its newest valid checkpoint.
    Run(RunArguments),
    /// Label a source with a frozen model.
    Assign(AssignArguments),
    /// Check a pipeline file and the schema of its source; reads no rows.
    Validate(ValidateArguments),
    /// Compare input and output: no row lost, none twice, offsets and state agree.
    Verify(VerifyArguments),
    /// Score assignments against labels: ACC, NMI, ARI, NE and sizes.
    Evaluate(EvaluateArguments),
    /// Measure a published table again: methods on data, beside what their papers say.
    Benchmark(BenchmarkArguments),
    /// Publish Parquet files to a Kafka topic as a live stream.
    Replay(ReplayArguments),
    /// Write a page with pictures of a run.
    Report(ReportArguments),
    /// Look into checkpoints.
    #[command(subcommand)]
    Checkpoint(CheckpointCommand),
    /// Print the JSON Schema of the pipeline file.
    Schema,
    /// Print a completion script for a shell.
    Completions(CompletionsArguments),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn overrides_may_be_repeated_and_options_may_follow() {
        let line = "evenkeel run p.toml --set a.b=1 --set c.d=x=y --workers 2 --fresh --log-level debug";
        let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
        let Command::Run(run) = arguments.command else { panic!("not run") };
        assert_eq!(run.pipeline.overrides(), ["a.b=1", "c.d=x=y", "pipeline.workers=2"]);
        assert!(run.fresh);
        assert_eq!(arguments.log_level.as_deref(), Some("debug"));
    }

    #[test]
    fn zero_workers_are_refused() {
        assert!(Arguments::try_parse_from(["evenkeel", "run", "p.toml", "--workers", "0"]).is_err());
    }
}
