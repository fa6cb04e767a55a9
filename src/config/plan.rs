//! A configuration that passed every rule.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::cores::physical_cores;
use super::{Config, method};
use crate::checkpoint::CheckpointParameters;
use crate::connector::kafka::{KafkaSinkParameters, KafkaSourceParameters};
use crate::connector::{DeadLetterParameters, ParquetSinkParameters, ParquetSourceParameters};
use crate::data::Features;
use crate::learner::{BalanceParameters, LearningParameters, ModelParameters, SupervisionParameters};
use crate::objective::{ClusMatchParameters, Method};
use crate::stats::drift::DriftParameters;

/// Where rows come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// Parquet files.
    Parquet(ParquetSourceParameters),
    /// Topics.
    Kafka(Box<KafkaSourceParameters>),
}

/// A valid configuration with nothing left to be decided: paths, worker count and source are settled.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    effective: Config,
    source: Source,
    features: Features,
    method: Method,
    run_dir: PathBuf,
    checkpoint_dir: PathBuf,
    assignments_dir: PathBuf,
    workers: usize,
}

impl Plan {
    /// Settles the paths and the worker count of a configuration that was found valid.
    pub(super) fn new(mut config: Config, source: Source, features: Features, method: Method) -> Self {
        // The parameters are numbers: they can always be written.
        config.objective = method::table(&method).unwrap_or(config.objective);
        if config.model.refine == "clusmatch" {
            config.refine.get_or_insert_default();
        }
        let run_dir =
            config.pipeline.run_dir.get_or_insert_with(|| Path::new("runs").join(&config.pipeline.name)).clone();
        let checkpoint_dir = config.checkpoint.dir.get_or_insert_with(|| run_dir.join("checkpoints")).clone();
        let assignments_dir = config.sink.parquet.dir.get_or_insert_with(|| run_dir.join("assignments")).clone();
        let workers = match config.pipeline.workers {
            0 => physical_cores(),
            workers => workers,
        };
        Self { effective: config, source, features, method, run_dir, checkpoint_dir, assignments_dir, workers }
    }

    /// Name of the run.
    pub fn name(&self) -> &str {
        &self.effective.pipeline.name
    }

    /// The one seed.
    pub fn seed(&self) -> u64 {
        self.effective.pipeline.seed
    }

    /// Number of timely workers, at least 1.
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// Folder of the run; holds the lock.
    pub fn run_dir(&self) -> &Path {
        &self.run_dir
    }

    /// How long draining and the last checkpoint may take.
    pub fn shutdown_grace(&self) -> Duration {
        Duration::from_secs(self.effective.pipeline.shutdown_grace_s)
    }

    /// Where rows come from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Topics of the output, with the connection of the input where none is given; `None` for Parquet.
    pub fn kafka_sink(&self) -> Option<KafkaSinkParameters> {
        match &self.source {
            Source::Kafka(source) => {
                self.effective.sink.kafka.as_ref().map(|sink| sink.connected_like(&source.properties))
            }
            Source::Parquet(_) => None,
        }
    }

    /// Which columns make a row.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// The network and its clusters.
    pub fn model(&self) -> &ModelParameters {
        &self.effective.model
    }

    /// How even the clusters are to be.
    pub fn balance(&self) -> &BalanceParameters {
        &self.effective.balance
    }

    /// How the stream is learned from.
    pub fn learning(&self) -> &LearningParameters {
        &self.effective.learning
    }

    /// Where pairs come from that are known to belong together or apart, if from anywhere.
    pub fn supervision(&self) -> Option<&SupervisionParameters> {
        self.effective.supervision.as_ref()
    }

    /// The method that is learned, with its parameters.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// How the model refines itself, if it does.
    pub fn refine(&self) -> Option<&ClusMatchParameters> {
        self.effective.refine.as_ref()
    }

    /// How easily a drift alarm is raised.
    pub fn drift(&self) -> &DriftParameters {
        &self.effective.drift
    }

    /// Rhythm and number of checkpoints.
    pub fn checkpoint(&self) -> &CheckpointParameters {
        &self.effective.checkpoint
    }

    /// Folder of the checkpoints.
    pub fn checkpoint_dir(&self) -> &Path {
        &self.checkpoint_dir
    }

    /// When output files are completed.
    pub fn sink(&self) -> &ParquetSinkParameters {
        &self.effective.sink.parquet
    }

    /// Folder of the assignments.
    pub fn assignments_dir(&self) -> &Path {
        &self.assignments_dir
    }

    /// Folder of the drift events.
    pub fn drift_dir(&self) -> PathBuf {
        self.run_dir.join("drift")
    }

    /// Folder of the dead letters.
    pub fn dead_letters_dir(&self) -> PathBuf {
        self.run_dir.join("dead_letters")
    }

    /// What an unusable row does to the stream.
    pub fn dead_letters(&self) -> &DeadLetterParameters {
        &self.effective.dead_letters
    }

    /// `host:port` of the metrics server, if there is to be one.
    pub fn listen(&self) -> Option<&str> {
        self.effective.serve.as_ref().map(|serve| serve.listen.as_str())
    }

    /// The configuration it was made from, default paths and the parameters of the method filled in.
    pub fn effective(&self) -> &Config {
        &self.effective
    }
}
