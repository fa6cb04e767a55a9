//! What travels between the source, the featuriser and the model.

use std::sync::Arc;

use arrow_array::RecordBatch;

use super::{Coordinates, Origin, Origins, Row};

/// Consecutive input rows as a connector read them, or the part of them that belongs to one worker.
#[derive(Clone, Debug)]
pub struct Records {
    /// The projected columns.
    pub batch: RecordBatch,
    /// File path or topic.
    pub source: Arc<str>,
    /// Kafka partition; 0 for files.
    pub partition: i32,
    /// Offset of the batch's first row; the others follow without a gap unless `origins` says otherwise.
    pub first_offset: i64,
    /// Place of the batch's first row in the order of the whole input.
    pub first_sequence: u64,
    /// The rows of the batch that are meant (ascending); all of them if `None`.
    pub picked: Option<Vec<u32>>,
    /// The messages that the rows came in; `None` for files.
    pub origins: Option<Origins>,
}

impl Records {
    /// Indices into the batch of the rows that are meant.
    pub fn indices(&self) -> Box<dyn Iterator<Item = usize> + '_> {
        match &self.picked {
            Some(picked) => Box::new(picked.iter().map(|&i| i as usize)),
            None => Box::new(0..self.batch.num_rows()),
        }
    }

    /// How many rows are meant.
    pub fn len(&self) -> usize {
        self.picked.as_ref().map_or(self.batch.num_rows(), Vec::len)
    }

    /// Whether no row is meant.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Identity of row `index` of the batch.
    pub fn coordinates(&self, index: usize) -> Coordinates {
        Coordinates { source: Arc::clone(&self.source), partition: self.partition, offset: self.offset(index) }
    }

    /// Offset of row `index` of the batch.
    pub fn offset(&self, index: usize) -> i64 {
        match &self.origins {
            Some(origins) => origins.offsets[index],
            None => self.first_offset + index as i64,
        }
    }

    /// The message that row `index` of the batch came in.
    pub fn origin(&self, index: usize) -> Option<Origin> {
        let origins = self.origins.as_ref()?;
        Some(Origin { messages: Arc::clone(&origins.messages), index: origins.indices[index] })
    }
}

/// An input row that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Where it came from.
    pub coordinates: Coordinates,
    /// Its key, if that could be read.
    pub key: Arc<str>,
    /// Its event time, if that could be read.
    pub event_time: Option<i64>,
    /// A short name for the kind of fault; the label of `evenkeel_dead_letters_total`.
    pub reason: &'static str,
    /// One sentence for people: column, value, what was expected.
    pub detail: String,
    /// The input row as one JSON object, so that it can be repaired and replayed.
    pub record: String,
    /// The message it came in; `None` for files.
    pub origin: Option<Origin>,
}

/// Rows ready for the model, with what is only passed through.
#[derive(Clone, Debug, Default)]
pub struct Minibatch {
    /// The rows, by ascending [`Row::sequence`].
    pub rows: Vec<Arc<Row>>,
    /// Label and pass-through columns, one row per entry of `rows`; `None` when nothing is passed through.
    pub extras: Option<RecordBatch>,
    /// Input rows that became no row.
    pub rejected: Vec<DeadLetter>,
    /// How many readings are known by now to be in no window (a gap, a tail, a too short series); 0 for vector rows.
    pub unwindowed: u64,
    /// How many input rows this was made from.
    pub input_rows: u64,
}

/// Turns input rows into model rows. One instance per worker; it sees every record of the keys it owns, in order.
pub trait Featurize {
    /// Converts `records`; a stateful featuriser may return rows that began in earlier calls.
    fn featurize(&mut self, records: &Records) -> Minibatch;
    /// The input has ended: whatever is still open will not be completed.
    fn finish(&mut self) -> Minibatch;
    /// Everything a restart needs to go on from here.
    fn snapshot(&self) -> Vec<u8>;
    /// Continues from a [`snapshot`](Self::snapshot).
    ///
    /// # Errors
    /// If the bytes are not a snapshot of this kind of featuriser.
    fn restore(&mut self, snapshot: &[u8]) -> Result<(), String>;
    /// The worker (of `peers`) that owns each meant row, or `None` if any worker may take any row.
    fn owners(&self, records: &Records, peers: usize) -> Option<Vec<u32>>;
    /// Number of features of a row.
    fn width(&self) -> usize;
}
