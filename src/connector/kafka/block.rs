//! Decoded messages of one partition, taken row by row.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;

use super::letters;
use crate::connector::format::{Decoded, Reject};
use crate::data::{DeadLetter, Origins, Place, RawMessages, Records};

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Partition {
    pub(super) topic: Arc<str>,
    pub(super) number: i32,
}

impl Partition {
    /// The worker that reads it: the partitions of a topic in turn, topics beginning at different workers.
    pub(super) fn worker(&self, peers: usize) -> usize {
        let start = self
            .topic
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        ((start >> 32) as usize).wrapping_add(self.number as usize) % peers.max(1)
    }
}

/// What a message gave: one of its rows, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Row,
    Reject(usize),
}

/// Messages of one partition in order, decoded.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) partition: Partition,
    batch: RecordBatch,
    messages: Arc<RawMessages>,
    /// Offset of each message.
    offsets: Vec<i64>,
    rejects: Vec<Reject>,
    /// Rows and rejects in the order of the messages, with the message and how many of its rows come before.
    units: Vec<(Unit, u32, u32)>,
    taken: usize,
    rows_taken: usize,
}

/// A part of a block.
#[derive(Debug, Default)]
pub(super) struct Cut {
    pub(super) records: Option<Records>,
    pub(super) letters: Vec<DeadLetter>,
}

impl Block {
    /// `offsets` are those of `messages`, of which `decoded` came.
    pub(super) fn new(partition: Partition, messages: RawMessages, offsets: Vec<i64>, decoded: Decoded) -> Self {
        let Decoded { batch, origins, rejects } = decoded;
        let mut units = Vec::with_capacity(origins.len() + rejects.len());
        let mut reject = 0;
        let mut of_message = 0;
        for (row, &message) in origins.iter().enumerate() {
            while reject < rejects.len() && rejects[reject].message <= message {
                units.push((Unit::Reject(reject), rejects[reject].message as u32, 0));
                reject += 1;
            }
            of_message = if row > 0 && origins[row - 1] == message { of_message + 1 } else { 0 };
            units.push((Unit::Row, message as u32, of_message));
        }
        units.extend((reject..rejects.len()).map(|reject| (Unit::Reject(reject), rejects[reject].message as u32, 0)));
        let messages = Arc::new(messages);
        Self { partition, batch, messages, offsets, rejects, units, taken: 0, rows_taken: 0 }
    }

    /// Leaves out what was taken before a restart: rows of a message of which `place` says how many were.
    pub(super) fn skip_to(&mut self, place: Place) {
        let before = |&&(_, message, row): &&(Unit, u32, u32)| {
            let offset = self.offsets[message as usize];
            offset < place.offset || offset == place.offset && row < place.row
        };
        self.taken = self.units.iter().take_while(before).count();
        self.rows_taken = self.units[..self.taken].iter().filter(|(unit, ..)| *unit == Unit::Row).count();
    }

    /// Rows and rejects that have not been taken.
    pub(super) fn left(&self) -> usize {
        self.units.len() - self.taken
    }

    /// Memory it takes.
    pub(super) fn bytes(&self) -> usize {
        self.messages.bytes() + self.batch.get_array_memory_size()
    }

    /// The place after the last message.
    pub(super) fn end(&self) -> Option<Place> {
        self.offsets.last().map(|offset| Place { offset: offset + 1, row: 0 })
    }

    /// Takes up to `count` rows and rejects. Rows get sequence numbers from `sequence` on. Returns the place that follows.
    pub(super) fn take(&mut self, count: usize, sequence: u64) -> (Cut, Place) {
        let until = (self.taken + count).min(self.units.len());
        let taken = &self.units[self.taken..until];
        let rows = self.rows_taken..self.rows_taken + taken.iter().filter(|(unit, ..)| *unit == Unit::Row).count();
        let letters = taken.iter().filter_map(|(unit, ..)| match unit {
            Unit::Row => None,
            Unit::Reject(reject) => Some(self.letter(&self.rejects[*reject])),
        });
        let letters = letters.collect();
        let place = match (self.units.get(until), taken.last()) {
            (Some((_, next, row)), Some((_, last, _))) if next == last => {
                Place { offset: self.offsets[*last as usize], row: *row }
            }
            // Messages without rows at the end of the block are done with.
            (None, _) => self.end().unwrap_or_default(),
            (_, Some((_, last, _))) => Place { offset: self.offsets[*last as usize] + 1, row: 0 },
            (Some((_, next, row)), None) => Place { offset: self.offsets[*next as usize], row: *row },
        };
        let records = (!rows.is_empty()).then(|| self.records(rows.clone(), taken, sequence));
        self.taken = until;
        self.rows_taken = rows.end;
        (Cut { records, letters }, place)
    }

    fn records(&self, rows: Range<usize>, taken: &[(Unit, u32, u32)], sequence: u64) -> Records {
        let indices: Arc<[u32]> =
            taken.iter().filter(|(unit, ..)| *unit == Unit::Row).map(|(_, message, _)| *message).collect();
        let offsets: Arc<[i64]> = indices.iter().map(|message| self.offsets[*message as usize]).collect();
        Records {
            batch: self.batch.slice(rows.start, rows.len()),
            source: Arc::clone(&self.partition.topic),
            partition: self.partition.number,
            first_offset: offsets[0],
            first_sequence: sequence,
            picked: None,
            origins: Some(Origins { messages: Arc::clone(&self.messages), indices, offsets }),
        }
    }

    fn letter(&self, reject: &Reject) -> DeadLetter {
        letters::undecoded(&self.partition, self.offsets[reject.message], &self.messages, reject)
    }
}
