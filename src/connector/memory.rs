//! Input and output in memory, with the semantics of the real ones: for tests, examples and benches.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::RecordBatch;

use super::plan::Plan;
use super::{ConnectorError, Pace, Polled, Share, Sink, Source};
use crate::data::Records;

/// One worker's view of batches in memory: every batch is a partition, all of them together are one file.
#[derive(Clone, Debug)]
pub struct MemorySource {
    name: Arc<str>,
    /// Batches and the row number of their first row.
    batches: Vec<(u64, RecordBatch)>,
    plan: Plan,
    total_rows: u64,
}

impl MemorySource {
    /// Reads `batches` as the rows of one input called `name`.
    pub fn new(name: &str, batches: Vec<RecordBatch>, share: Share, pace: Pace) -> Self {
        let plan = Plan::new(batches.iter().map(|batch| batch.num_rows() as u64), share, pace);
        let mut total_rows = 0;
        let placed = batches.into_iter().map(|batch| {
            let first = total_rows;
            total_rows += batch.num_rows() as u64;
            (first, batch)
        });
        Self { name: Arc::from(name), batches: placed.collect(), plan, total_rows }
    }
}

impl Source for MemorySource {
    fn read(&mut self, epoch: u64) -> Result<Polled, ConnectorError> {
        let Some(pieces) = self.plan.epoch(epoch) else { return Ok(Polled::Exhausted) };
        let records = pieces.into_iter().map(|piece| {
            let (first, batch) = &self.batches[piece.partition];
            Records {
                batch: batch.slice(piece.from as usize, (piece.to - piece.from) as usize),
                source: Arc::clone(&self.name),
                partition: 0,
                first_offset: (first + piece.from) as i64,
                first_sequence: first + piece.from,
                picked: None,
                origins: None,
            }
        });
        Ok(Polled::Rows(records.collect()))
    }

    fn total_rows(&self) -> Option<u64> {
        Some(self.total_rows)
    }
}

/// What [`MemorySink`]s write into; clones show the same content. It outlives the sinks as a disk would.
#[derive(Clone, Debug, Default)]
pub struct MemoryOutput {
    workers: Arc<Mutex<BTreeMap<usize, Durable>>>,
}

/// What one worker has made durable.
#[derive(Debug, Default)]
struct Durable {
    batches: Vec<RecordBatch>,
    /// How many of them are visible.
    committed: usize,
}

impl MemoryOutput {
    /// All batches that are visible: worker by worker, each in the order of writing.
    pub fn committed(&self) -> Vec<RecordBatch> {
        self.lock().values().flat_map(|durable| &durable.batches[..durable.committed]).cloned().collect()
    }

    /// How many rows are visible.
    pub fn committed_rows(&self) -> usize {
        self.committed().iter().map(RecordBatch::num_rows).sum()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Durable>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One worker's writer into a [`MemoryOutput`].
#[derive(Debug)]
pub struct MemorySink {
    output: MemoryOutput,
    worker: usize,
    written: Vec<RecordBatch>,
}

impl MemorySink {
    /// Starts from the checkpoint that holds `token`, or from nothing: what it covers becomes visible, the rest is dropped.
    ///
    /// # Errors
    /// If the token covers more than there is, or less than is visible.
    pub fn open(output: &MemoryOutput, worker: usize, token: Option<&[u8]>) -> Result<Self, ConnectorError> {
        let mut sink = Self { output: output.clone(), worker, written: Vec::new() };
        let covered = token.map_or(Ok(0), batches_of)?;
        let committed = output.lock().entry(worker).or_default().committed;
        if covered < committed {
            return Err(inconsistent(format!("{committed} batches are visible, the checkpoint covers {covered}")));
        }
        if let Some(token) = token {
            sink.commit(token)?;
        }
        output.lock().entry(worker).or_default().batches.truncate(covered);
        Ok(sink)
    }
}

fn batches_of(token: &[u8]) -> Result<usize, ConnectorError> {
    let bytes = <[u8; 8]>::try_from(token).map_err(|_| inconsistent("the token is not 8 bytes long".to_owned()))?;
    usize::try_from(u64::from_le_bytes(bytes)).map_err(|error| inconsistent(error.to_string()))
}

fn inconsistent(problem: String) -> ConnectorError {
    ConnectorError::Inconsistent { path: PathBuf::from("memory"), problem }
}

impl Sink for MemorySink {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ConnectorError> {
        self.written.push(batch.clone());
        Ok(())
    }

    fn prepare(&mut self) -> Result<Vec<u8>, ConnectorError> {
        let mut output = self.output.lock();
        let durable = output.entry(self.worker).or_default();
        durable.batches.append(&mut self.written);
        Ok((durable.batches.len() as u64).to_le_bytes().to_vec())
    }

    fn commit(&mut self, token: &[u8]) -> Result<(), ConnectorError> {
        let covered = batches_of(token)?;
        let mut output = self.output.lock();
        let durable = output.entry(self.worker).or_default();
        let held = durable.batches.len();
        if covered > held {
            return Err(inconsistent(format!("{held} batches are held, the checkpoint covers {covered}")));
        }
        durable.committed = durable.committed.max(covered);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
