//! The outside world: where rows come from and where results go.
//!
//! A [`Source`] is one worker's view of the input. All workers see one input in one order; `read` is asked for an epoch
//! and returns the part of that epoch's rows which this worker reads, so that no result depends on who reads what.
//! A [`Sink`] is written in two phases: [`prepare`](Sink::prepare) makes everything so far durable but invisible and returns
//! a token for the checkpoint; [`commit`](Sink::commit) makes it visible once that checkpoint is durable.

mod dead_record;
mod digest;
mod error;
pub mod format;
mod hive;
mod input_file;
pub mod kafka;
mod memory;
#[cfg(feature = "s3")]
mod object_storage;
mod output;
mod pair_file;
mod parameters;
mod parquet_catalog;
mod parquet_sink;
mod parquet_source;
mod paths;
mod plan;
pub mod replay;
#[cfg(test)]
mod sample;
mod some_of;

pub use dead_record::{DeadRecord, Failure, Stage, dead_record};
pub use digest::{FileDigest, InputDigest};
pub use error::ConnectorError;
pub use input_file::InputFile;
pub use memory::{MemoryOutput, MemorySink, MemorySource};
pub use output::{
    Column, SCHEMA_VERSION, assignment_columns, assignment_schema, dead_letter_batch, dead_letter_columns,
    dead_letter_schema, describe, drift_columns, drift_schema,
};
pub use pair_file::read_pairs;
pub use parameters::{DeadLetterParameters, OnError, ParquetSinkParameters, ParquetSourceParameters};
pub use parquet_catalog::ParquetCatalog;
pub use parquet_sink::{Manifest, OffsetRange, ParquetSink, PartFile};
pub use parquet_source::ParquetSource;
pub use paths::resolve;

use arrow_array::RecordBatch;

use crate::data::{DeadLetter, PairBatch, Records};

/// Which part of the input a worker reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// This worker.
    pub index: usize,
    /// All workers.
    pub peers: usize,
}

/// How a reader walks through the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Epoch `e` is rows `e·rows ..` of the whole input (files in order, rows in order), whoever reads them: for learning.
    Ordered {
        /// Rows of all workers together in one epoch.
        rows: usize,
    },
    /// Every worker reads its own partitions as fast as it can, `rows` of them an epoch: for a frozen model.
    Free {
        /// Rows of one worker in one epoch.
        rows: usize,
    },
}

/// What a read found.
#[derive(Clone, Debug)]
pub enum Polled {
    /// This worker's rows of the epoch, possibly none.
    Rows(Vec<Records>),
    /// The input is over: the epoch and all later ones are empty.
    Exhausted,
    /// There are not rows enough yet: to be asked again.
    Pending,
}

/// One worker's view of the input.
pub trait Source {
    /// Reads this worker's part of `epoch` (counted from 0 within one pass). Epochs are asked for in ascending order, but
    /// the first may be any (resume).
    ///
    /// # Errors
    /// If the input cannot be read.
    fn read(&mut self, epoch: u64) -> Result<Polled, ConnectorError>;
    /// Number of rows of the whole input, where it is known.
    fn total_rows(&self) -> Option<u64>;
    /// Lets `epoch` consist of what is there by now, perhaps nothing, so that reading it is not [`Polled::Pending`]. Whoever
    /// calls it decides for all workers.
    fn cut(&mut self, _epoch: u64) {}
    /// What of this worker's part of the epoch last read could not be made a row of.
    fn rejected(&mut self) -> Vec<DeadLetter> {
        Vec::new()
    }
    /// What came about pairs of rows with the epoch last read, on the one worker that reads such a thing.
    fn pairs(&mut self) -> PairBatch {
        PairBatch::default()
    }
    /// Rows of all workers up to the end of the epoch last read, where epochs differ in length.
    fn consumed(&self) -> Option<u64> {
        None
    }
}

/// Where results of one kind go. One instance per worker, which a thread beside the worker writes to.
pub trait Sink: Send {
    /// Appends rows; they may be lost by a crash until the next [`prepare`](Self::prepare).
    ///
    /// # Errors
    /// If they cannot be written.
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ConnectorError>;
    /// Appends dead letters, as rows of [`dead_letter_schema`] unless the sink knows better.
    ///
    /// # Errors
    /// If they cannot be written.
    fn write_dead_letters(&mut self, letters: &[DeadLetter]) -> Result<(), ConnectorError> {
        self.write(&dead_letter_batch(letters))
    }
    /// This worker has written all that `epoch` gave. Every worker comes through every epoch.
    ///
    /// # Errors
    /// If rows that waited for it cannot be written.
    fn end_epoch(&mut self, _epoch: u64) -> Result<(), ConnectorError> {
        Ok(())
    }
    /// Makes all rows written so far durable, still invisible, and says what a restart must know to continue from here.
    ///
    /// # Errors
    /// If they cannot be made durable.
    fn prepare(&mut self) -> Result<Vec<u8>, ConnectorError>;
    /// The checkpoint that holds `token` is durable: shows what it covers. Calling it again changes nothing.
    ///
    /// # Errors
    /// If the output cannot be completed.
    fn commit(&mut self, token: &[u8]) -> Result<(), ConnectorError>;
    /// The stream has ended: completes open files, where there are any. Followed by a last `prepare` and `commit`.
    ///
    /// # Errors
    /// If the output cannot be completed.
    fn finish(&mut self) -> Result<(), ConnectorError> {
        Ok(())
    }
}
