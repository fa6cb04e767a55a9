//! Whole pipelines that read a topic.

use std::path::PathBuf;

use evenkeel::connector::format::Format;
use tempfile::TempDir;

use super::kafka::{fresh_topic, shared};
use super::support::program::{Program, Rates};
use super::topic::Topic;

/// Rows that are learned from, at most.
const LEARNED: [(usize, usize); 2] = [(32, 8_000), (561, 4_000)];

/// A run that has learned.
pub struct Trained {
    /// Its rows per second.
    pub rates: Rates,
    program: Program,
    _folder: TempDir,
}

/// The pipeline file for a topic, with tables that differ.
pub fn pipeline(topic: &Topic, group: &str, rest: &str) -> String {
    let format = match topic.options.format {
        Format::Json => "json",
        Format::Avro => "avro",
        Format::ArrowIpc => "arrow-ipc",
    };
    let schema =
        topic.options.schema.as_ref().map_or_else(String::new, |path: &PathBuf| format!("schema = {path:?}\n"));
    format!(
        "[pipeline]\nname = \"bench\"\nworkers = 1\n[source.kafka]\ntopic = {:?}\nformat = {format:?}\n{schema}\
         [source.kafka.properties]\n\"bootstrap.servers\" = {:?}\n\"group.id\" = {group:?}\n\
         [features]\ncolumns = [\"features\"]\nkey = \"device\"\ntime = \"time\"\n[model]\nclusters = 8\n{rest}",
        topic.name,
        shared().bootstrap(),
    )
}

/// `evenkeel run` as it is by default, exactly once into a topic of the same format.
pub fn learning(topic: &Topic) -> Trained {
    let folder = tempfile::tempdir().unwrap();
    let output = fresh_topic(shared().bootstrap(), "out", 1);
    let group = format!("{}-run", topic.name);
    // The first fit comes before the first row that leaves, and is not measured.
    let text = pipeline(topic, &group, "[learning]\nwarmup_steps = 100\n");
    let format = text.lines().find(|line| line.starts_with("format")).unwrap();
    let program = Program::new(folder.path(), &format!("{text}[sink.kafka]\ntopic = {output:?}\n{format}\n"));
    let most = LEARNED.iter().find(|(width, _)| *width == topic.width).map_or(usize::MAX, |(_, rows)| *rows);
    let rates = program.run_for(most.min(topic.total()) as u64, None);
    Trained { rates, program, _folder: folder }
}

/// `evenkeel assign` with what has been learned, into Parquet.
pub fn frozen(topic: &Topic, trained: &Trained, round: usize) -> Rates {
    let folder = tempfile::tempdir().unwrap();
    let group = format!("{}-{round}", topic.name);
    let program = Program::new(folder.path(), &pipeline(topic, &group, ""));
    program.run_for(topic.total() as u64, Some(&trained.program))
}
