//! Random rows as messages, and the topic that holds them.

use std::fs;
use std::path::PathBuf;

use evenkeel::connector::format::{Format, FormatOptions, avro_schema, encoder};

use super::kafka::{fresh_topic, produce, shared};
use super::rows;
use super::support::arguments::argument;

/// Rows of one Arrow IPC message: 575 kB at 561 features, under the broker's usual limit.
const MESSAGE_ROWS: usize = 256;

/// Messages, once in memory and several times in a topic.
pub struct Topic {
    pub width: usize,
    pub name: String,
    pub options: FormatOptions,
    pub payloads: Vec<Vec<u8>>,
    /// Rows of the payloads.
    pub rows: usize,
    /// How often the topic holds them.
    pub copies: usize,
}

impl Topic {
    /// Makes the messages; the topic stays empty.
    pub fn new(width: usize, format: Format) -> Self {
        let scale: f64 = argument("scale", 1.0);
        let rows = (if width == 32 { 100_000.0 } else { 10_000.0 } * scale) as usize;
        // Several times what waits in memory; of Arrow batches many, which are read fast: a broker that was just started
        // compiles itself for seconds.
        let copies = match (format, width) {
            (Format::ArrowIpc, 32) => 40,
            (Format::ArrowIpc, _) => 100,
            (_, 32) => 4,
            _ => 20,
        };
        let batch = rows::batch(width, rows);
        let schema = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{width}.avsc"));
        fs::write(&schema, avro_schema("evenkeel.Row", &batch.schema()).unwrap()).unwrap();
        let name = fresh_topic(shared().bootstrap(), &format!("{format:?}").to_lowercase(), 1);
        let mut options = FormatOptions::new(format, &name);
        options.columns = ["features", "device", "time"].map(str::to_owned).to_vec();
        options.schema = (format != Format::ArrowIpc).then_some(schema);
        let mut encoder = encoder(&options, &batch.schema()).unwrap();
        let starts = (0..rows).step_by(MESSAGE_ROWS);
        let payloads = starts.flat_map(|at| encoder.encode(&batch.slice(at, MESSAGE_ROWS.min(rows - at))).unwrap());
        Self { width, name, payloads: payloads.collect(), options, rows, copies }
    }

    /// Fills the topic.
    pub fn produce(&self) {
        let headers: &[(&str, &str)] = &[];
        let records: Vec<_> =
            self.payloads.iter().map(|payload| (0, None, Some(payload.as_slice()), headers)).collect();
        (0..self.copies).for_each(|_| produce(shared().bootstrap(), &self.name, &records));
    }

    /// Rows that the topic holds.
    pub fn total(&self) -> usize {
        self.rows * self.copies
    }

    /// One line of the table: rows per second of wall time, and of a thread's time on a processor.
    pub fn line(&self, what: &str, wall: Option<f64>, cpu: Option<f64>) {
        let cell = |rate: Option<f64>| rate.map_or_else(String::new, |rate| format!("{rate:.0}"));
        println!("| {} | {:?} | {what} | {} | {} |", self.width, self.options.format, cell(wall), cell(cpu));
    }

    /// Bytes of a row.
    pub fn row_bytes(&self) -> usize {
        self.payloads.iter().map(Vec::len).sum::<usize>() / self.rows
    }
}
