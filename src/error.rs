//! Everything that can end a command, and the exit code it ends with.

use std::error::Error as _;
use std::fmt::Write as _;
use std::io;

use crate::benchmark::BenchmarkError;
use crate::checkpoint::{CheckpointError, Refusal};
use crate::config::ConfigError;
use crate::connector::ConnectorError;
use crate::connector::format::FormatError;
use crate::connector::replay::ReplayError;
use crate::data::FeatureError;
use crate::flow::FlowError;
use crate::learner::ArrayError;
use crate::replica::ReplicaError;
use crate::report::ReportError;
use crate::serve::ServeError;

/// Exit codes, after BSD's `sysexits.h`.
pub mod exit {
    /// The command line is wrong.
    pub const USAGE: u8 = 64;
    /// The input is not what it should be; fewer rows than clusters included.
    pub const BAD_DATA: u8 = 65;
    /// The input is not there.
    pub const NO_INPUT: u8 = 66;
    /// A service cannot be reached.
    pub const UNAVAILABLE: u8 = 69;
    /// A fault of this program.
    pub const INTERNAL: u8 = 70;
    /// An output cannot be created.
    pub const CANNOT_CREATE: u8 = 73;
    /// Reading or writing failed.
    pub const IO: u8 = 74;
    /// The pipeline file is wrong.
    pub const CONFIGURATION: u8 = 78;
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The pipeline file.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Input or output.
    #[error(transparent)]
    Connector(#[from] ConnectorError),
    /// `[features]` against the columns of the input.
    #[error("{file}: {source}")]
    Features {
        /// The file that was compared.
        file: String,
        /// What does not fit.
        source: FeatureError,
    },
    /// Checkpoints or the run directory.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// What was found cannot be continued.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The run itself.
    #[error(transparent)]
    Flow(#[from] FlowError),
    /// The metrics server.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// Publishing files as a stream.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The page about a run.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A benchmark.
    #[error(transparent)]
    Benchmark(#[from] BenchmarkError),
    /// A fit without a stream.
    #[error(transparent)]
    Array(#[from] ArrayError),
    /// The command line, beyond what its parser checks.
    #[error("{0}")]
    Usage(String),
    /// Input that is readable but cannot be used.
    #[error("{0}")]
    BadData(String),
    /// Standard output.
    #[error("cannot write to standard output")]
    Output(#[from] io::Error),
    /// A broken promise inside the program.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    /// What the process exits with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(ConfigError::NoInput { .. }) => exit::NO_INPUT,
            Self::Config(ConfigError::Read { .. }) => exit::IO,
            Self::Config(ConfigError::Override { .. }) | Self::Usage(_) => exit::USAGE,
            Self::Config(_) | Self::Features { .. } => exit::CONFIGURATION,
            Self::Connector(error) => connector(error),
            Self::Checkpoint(error) => checkpoint(error),
            Self::Refused(Refusal::AllDamaged { .. } | Refusal::NamedDamaged { .. }) => exit::IO,
            Self::Refused(_) => exit::CONFIGURATION,
            Self::Flow(error) => flow(error),
            Self::Serve(error) => serve(error),
            Self::Replay(error) => replay(error),
            Self::Report(error) => report(error),
            Self::Benchmark(error) => benchmark(error),
            Self::Array(error) => array(error),
            Self::BadData(_) => exit::BAD_DATA,
            Self::Output(_) => exit::IO,
            Self::Internal(_) => exit::INTERNAL,
        }
    }

    /// Whether it only says that whoever read the output has left, as `head` does: no failure of ours.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The message for people: `error: …` for each line of it, then `caused by: …` for each cause it does not tell itself.
    pub fn report(&self) -> String {
        let mut told = self.to_string();
        let mut text: String = told.lines().map(|line| format!("error: {line}\n")).collect();
        let mut cause = self.source();
        while let Some(error) = cause {
            let message = error.to_string();
            if !told.ends_with(&message) {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "caused by: {message}");
            }
            told = message;
            cause = error.source();
        }
        text
    }
}

fn connector(error: &ConnectorError) -> u8 {
    match error {
        ConnectorError::NoInput { .. } => exit::NO_INPUT,
        ConnectorError::Create { .. } => exit::CANNOT_CREATE,
        ConnectorError::Kafka { .. } | ConnectorError::Fenced { .. } => exit::UNAVAILABLE,
        ConnectorError::Format(FormatError::Registry { .. }) => exit::UNAVAILABLE,
        ConnectorError::Format(_) => exit::CONFIGURATION,
        ConnectorError::Write { .. } => exit::IO,
        ConnectorError::Unreadable { .. } | ConnectorError::Column { .. } | ConnectorError::Inconsistent { .. } => {
            exit::BAD_DATA
        }
    }
}

fn checkpoint(error: &CheckpointError) -> u8 {
    match error {
        CheckpointError::Create { .. } | CheckpointError::Locked { .. } | CheckpointError::Lock { .. } => {
            exit::CANNOT_CREATE
        }
        CheckpointError::Read { .. } | CheckpointError::Write { .. } => exit::IO,
        CheckpointError::Damaged { .. } | CheckpointError::Invalid { .. } => exit::BAD_DATA,
        CheckpointError::Parameter { .. } | CheckpointError::Newer { .. } => exit::CONFIGURATION,
    }
}

fn flow(error: &FlowError) -> u8 {
    match error {
        FlowError::Connector(error) => connector(error),
        FlowError::Replica(ReplicaError::TooFewRows { .. }) | FlowError::Rejected { .. } => exit::BAD_DATA,
        FlowError::Checkpoint(_) => exit::IO,
        FlowError::Replica(_) | FlowError::Featurizer(_) | FlowError::Start(_) | FlowError::Panicked => exit::INTERNAL,
    }
}

fn serve(error: &ServeError) -> u8 {
    match error {
        ServeError::Address { .. } => exit::CONFIGURATION,
        ServeError::InUse { .. } | ServeError::Listen { .. } => exit::CANNOT_CREATE,
        ServeError::Thread(_) => exit::INTERNAL,
    }
}

fn replay(error: &ReplayError) -> u8 {
    match error {
        ReplayError::Input(error) => connector(error),
        ReplayError::Column { .. } => exit::BAD_DATA,
        ReplayError::Format(error) => format(error),
        ReplayError::Property { .. } => exit::CONFIGURATION,
        ReplayError::Unavailable { .. } => exit::UNAVAILABLE,
        ReplayError::Publish { .. } => exit::IO,
    }
}

fn format(error: &FormatError) -> u8 {
    match error {
        FormatError::Registry { .. } => exit::UNAVAILABLE,
        FormatError::Schema { .. } | FormatError::Options { .. } => exit::CONFIGURATION,
        FormatError::Encode { .. } => exit::BAD_DATA,
    }
}

fn report(error: &ReportError) -> u8 {
    match error {
        ReportError::NoRun { .. } => exit::NO_INPUT,
        ReportError::List { .. } => exit::IO,
        ReportError::Unreadable { .. } | ReportError::Column { .. } => exit::BAD_DATA,
    }
}

fn benchmark(error: &BenchmarkError) -> u8 {
    match error {
        BenchmarkError::Suite { .. } => exit::CONFIGURATION,
        BenchmarkError::UnknownData { .. } => exit::USAGE,
        BenchmarkError::NoData { .. } => exit::NO_INPUT,
        BenchmarkError::Data { .. } | BenchmarkError::Record { .. } | BenchmarkError::Markers { .. } => exit::BAD_DATA,
        BenchmarkError::Failed { .. } => exit::INTERNAL,
    }
}

fn array(error: &ArrayError) -> u8 {
    match error {
        ArrayError::Parameter { .. } | ArrayError::Crowded { .. } | ArrayError::Network(_) => exit::CONFIGURATION,
        ArrayError::Checkpoint(error) => checkpoint(error),
        ArrayError::Diverged { .. } => exit::INTERNAL,
        _ => exit::BAD_DATA,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn denied() -> io::Error {
        io::Error::new(io::ErrorKind::PermissionDenied, "permission denied")
    }

    #[test]
    fn every_kind_of_fault_has_its_exit_code() {
        let place = || "p.toml".to_owned();
        let codes = [
            (Error::Usage(place()), 64),
            (ConfigError::Override { argument: place(), problem: place() }.into(), 64),
            (Error::BadData(place()), 65),
            (ConnectorError::Unreadable { file: place(), problem: place() }.into(), 65),
            (ConnectorError::Column { column: place(), file: place(), problem: place() }.into(), 65),
            (ConfigError::NoInput { file: place() }.into(), 66),
            (ConnectorError::NoInput { path: place(), problem: place() }.into(), 66),
            (ReplayError::Property { name: place(), problem: place() }.into(), 78),
            (ReplayError::Unavailable { bootstrap: place(), problem: place() }.into(), 69),
            (ReplayError::Publish { topic: place(), problem: place() }.into(), 74),
            (ReplayError::from(FormatError::Registry { url: place(), problem: place(), temporary: true }).into(), 69),
            (ConnectorError::Kafka { problem: place() }.into(), 69),
            (FlowError::Connector(ConnectorError::Fenced { id: place() }).into(), 69),
            (Error::Internal(place()), 70),
            (ConnectorError::Create { path: PathBuf::new(), source: denied() }.into(), 73),
            (ConnectorError::Write { path: PathBuf::new(), source: denied() }.into(), 74),
            (ConfigError::Read { file: place(), source: denied() }.into(), 74),
            (Error::Output(denied()), 74),
            (ConfigError::Missing { place: place(), key: place() }.into(), 78),
            (Error::Features { file: place(), source: FeatureError::NoColumns }, 78),
            (CheckpointError::Damaged { file: PathBuf::new(), section: place(), problem: place() }.into(), 65),
            (CheckpointError::Locked { run_dir: PathBuf::new(), holder: place() }.into(), 73),
            (CheckpointError::Read { path: PathBuf::new(), source: denied() }.into(), 74),
            (CheckpointError::Newer { file: PathBuf::new(), found: 2, supported: 1 }.into(), 78),
            (Refusal::AllDamaged { bad: Vec::new() }.into(), 74),
            (Refusal::OtherSettings { id: 1, differences: Vec::new() }.into(), 78),
            (FlowError::Connector(ConnectorError::NoInput { path: place(), problem: place() }).into(), 66),
            (FlowError::Replica(ReplicaError::TooFewRows { rows: 1, clusters: 2 }).into(), 65),
            (FlowError::Replica(ReplicaError::Model(place())).into(), 70),
            (FlowError::Checkpoint(place()).into(), 74),
            (FlowError::Panicked.into(), 70),
            (ServeError::InUse { listen: place() }.into(), 73),
            (ReportError::NoRun { path: PathBuf::new() }.into(), 66),
            (ReportError::List { path: PathBuf::new(), source: denied() }.into(), 74),
            (ReportError::Unreadable { file: PathBuf::new(), problem: place() }.into(), 65),
            (BenchmarkError::Suite { file: place(), problem: place() }.into(), 78),
            (BenchmarkError::UnknownData { name: place(), hint: place() }.into(), 64),
            (BenchmarkError::NoData { path: PathBuf::new() }.into(), 66),
            (BenchmarkError::Record { file: PathBuf::new(), problem: place() }.into(), 65),
            (BenchmarkError::Failed { failed: 1, tasks: 2 }.into(), 70),
            (ArrayError::Parameter { key: "steps", value: 0.0, range: "at least 1" }.into(), 78),
            (ArrayError::TooFewRows { rows: 1, clusters: 2 }.into(), 65),
            (ArrayError::Diverged { steps: 1 }.into(), 70),
            (ReportError::Column { column: place(), file: PathBuf::new(), problem: place() }.into(), 65),
        ];
        for (error, code) in codes {
            assert_eq!(error.exit_code(), code, "{error}");
        }
    }

    #[test]
    fn causes_follow_the_message_once() {
        let read: Error = ConfigError::Read { file: "p.toml".to_owned(), source: denied() }.into();
        assert_eq!(read.report(), "error: cannot read p.toml\ncaused by: permission denied\n");
        let create: Error = ConnectorError::Create { path: PathBuf::from("out"), source: denied() }.into();
        assert_eq!(create.report(), "error: cannot create out: permission denied\n");
    }

    #[test]
    fn only_a_broken_pipe_is_forgiven() {
        assert!(Error::Output(io::ErrorKind::BrokenPipe.into()).is_broken_pipe());
        assert!(!Error::Output(denied()).is_broken_pipe());
    }
}
