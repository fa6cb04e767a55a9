//! The bytes of a checkpoint file.
//!
//! ```text
//! prelude = "ekcheck\n" · format (u32) · header length (u32) · CRC-32 of the header (u32) · CRC-32 of all before (u32)
//! file    = prelude · header (JSON) · sections, in the header's order, without gaps
//! ```
//! Numbers are little-endian. The prelude is the same in every format to come, so that a later format is recognised as such
//! and not taken for damage. `head -n 40` of a file shows its header.

use std::fmt;
use std::io::{self, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Checkpoint, CheckpointError, Digest, Local};
use crate::data::Position;

/// The format this program writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

const MAGIC: &[u8; 8] = b"ekcheck\n";
const PRELUDE: usize = 24;

/// What a checkpoint says about itself: everything but the states.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// See [`Checkpoint::id`].
    pub id: u64,
    /// See [`Checkpoint::epoch`].
    pub epoch: u64,
    /// See [`Checkpoint::pass`].
    pub pass: u64,
    /// See [`Checkpoint::model_version`].
    pub model_version: i64,
    /// See [`Checkpoint::rows`].
    pub rows: u64,
    /// See [`Checkpoint::workers`].
    pub workers: u32,
    /// See [`Checkpoint::finished`].
    pub finished: bool,
    /// See [`Checkpoint::created_unix_s`].
    pub created_unix_s: u64,
    /// See [`Checkpoint::position`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// See [`Checkpoint::pairs`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<Position>,
    /// Version of the program that wrote it.
    pub program: String,
    /// See [`Checkpoint::digest`].
    pub digest: Digest,
    /// What follows.
    pub sections: Vec<Section>,
}

/// One state in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// Whose.
    pub part: Part,
    /// Its length.
    pub bytes: u64,
    /// CRC-32 (IEEE) of its bytes.
    pub crc32: u32,
}

/// Whose state a section is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The replicated model.
    Replica,
    /// A worker's featuriser.
    Featurizer {
        /// The worker.
        worker: usize,
    },
    /// A worker's sink.
    Sink {
        /// The worker.
        worker: usize,
        /// The sink among the worker's sinks.
        index: usize,
    },
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replica => write!(f, "replica"),
            Self::Featurizer { worker } => write!(f, "featurizer of worker {worker}"),
            Self::Sink { worker, index } => write!(f, "sink {index} of worker {worker}"),
        }
    }
}

/// Writes a checkpoint; its states are not copied.
///
/// # Errors
/// If `output` cannot be written.
pub(super) fn write(checkpoint: &Checkpoint, output: &mut impl Write) -> io::Result<()> {
    let states = states(checkpoint);
    let header = Header {
        id: checkpoint.id,
        epoch: checkpoint.epoch,
        pass: checkpoint.pass,
        model_version: checkpoint.model_version,
        rows: checkpoint.rows,
        workers: checkpoint.workers,
        finished: checkpoint.finished,
        created_unix_s: checkpoint.created_unix_s,
        position: checkpoint.position.clone(),
        pairs: checkpoint.pairs.clone(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        digest: checkpoint.digest.clone(),
        sections: states
            .iter()
            .map(|(part, state)| Section { part: *part, bytes: state.len() as u64, crc32: crc32fast::hash(state) })
            .collect(),
    };
    let mut text = serde_json::to_vec_pretty(&header)?;
    text.push(b'\n');
    let length = u32::try_from(text.len()).map_err(io::Error::other)?;
    let mut prelude = Vec::with_capacity(PRELUDE);
    prelude.extend(MAGIC);
    prelude.extend(FORMAT.to_le_bytes());
    prelude.extend(length.to_le_bytes());
    prelude.extend(crc32fast::hash(&text).to_le_bytes());
    prelude.extend(crc32fast::hash(&prelude).to_le_bytes());
    output.write_all(&prelude)?;
    output.write_all(&text)?;
    states.iter().try_for_each(|(_, state)| output.write_all(state))
}

fn states(checkpoint: &Checkpoint) -> Vec<(Part, &[u8])> {
    let mut states = vec![(Part::Replica, checkpoint.replica.as_slice())];
    for (worker, local) in checkpoint.locals.iter().enumerate() {
        states.push((Part::Featurizer { worker }, &local.featurizer));
        states.extend(
            local.sinks.iter().enumerate().map(|(index, sink)| (Part::Sink { worker, index }, sink.as_slice())),
        );
    }
    states
}

/// A checkpoint file that is being read.
pub(super) struct Reader<'a, R> {
    input: R,
    /// Length of the whole file.
    length: u64,
    path: &'a Path,
}

impl<'a, R: Read> Reader<'a, R> {
    pub fn new(input: R, length: u64, path: &'a Path) -> Self {
        Self { input, length, path }
    }

    fn damaged(&self, section: impl ToString, problem: impl ToString) -> CheckpointError {
        CheckpointError::Damaged {
            file: self.path.to_owned(),
            section: section.to_string(),
            problem: problem.to_string(),
        }
    }

    /// Reads the header, and checks it and the length of the file.
    ///
    /// # Errors
    /// If it is damaged or of a later format.
    pub fn header(&mut self) -> Result<Header, CheckpointError> {
        let mut prelude = [0; PRELUDE];
        self.input
            .read_exact(&mut prelude)
            .map_err(|e| self.damaged("prelude", format!("{e}, the file has {} bytes", self.length)))?;
        let number = |from: usize| u32::from_le_bytes(std::array::from_fn(|i| prelude[from + i]));
        if prelude[..8] != *MAGIC {
            return Err(self.damaged("prelude", "it does not begin like a checkpoint"));
        }
        if crc32fast::hash(&prelude[..20]) != number(20) {
            return Err(self.damaged("prelude", "its checksum is wrong"));
        }
        if number(8) > FORMAT {
            return Err(CheckpointError::Newer { file: self.path.to_owned(), found: number(8), supported: FORMAT });
        }
        let length = u64::from(number(12));
        let left = self.length.saturating_sub(PRELUDE as u64);
        if length > left {
            return Err(self.damaged("header", format!("it ends after {left} of {length} bytes")));
        }
        let mut text = vec![0; length as usize];
        self.input.read_exact(&mut text).map_err(|e| self.damaged("header", e))?;
        if crc32fast::hash(&text) != number(16) {
            return Err(self.damaged("header", "its checksum is wrong"));
        }
        let header: Header = serde_json::from_slice(&text).map_err(|e| self.damaged("header", e))?;
        self.check_length(&header, left - length)?;
        Ok(header)
    }

    fn check_length(&self, header: &Header, mut left: u64) -> Result<(), CheckpointError> {
        for section in &header.sections {
            if section.bytes > left {
                return Err(self.damaged(section.part, format!("it ends after {left} of {} bytes", section.bytes)));
            }
            left -= section.bytes;
        }
        if left > 0 {
            return Err(self.damaged("end", format!("{left} bytes follow that do not belong to it")));
        }
        Ok(())
    }

    /// Reads and checks the sections of `header` without keeping them.
    ///
    /// # Errors
    /// If one is damaged.
    pub fn check(&mut self, header: &Header) -> Result<(), CheckpointError> {
        let mut buffer = vec![0; 1 << 20];
        for section in &header.sections {
            let mut hasher = crc32fast::Hasher::new();
            let mut left = section.bytes;
            while left > 0 {
                let piece = left.min(buffer.len() as u64) as usize;
                self.input.read_exact(&mut buffer[..piece]).map_err(|e| self.damaged(section.part, e))?;
                hasher.update(&buffer[..piece]);
                left -= piece as u64;
            }
            self.check_sum(section, hasher.finalize())?;
        }
        Ok(())
    }

    fn check_sum(&self, section: &Section, crc32: u32) -> Result<(), CheckpointError> {
        if crc32 == section.crc32 { Ok(()) } else { Err(self.damaged(section.part, "its checksum is wrong")) }
    }

    /// Reads and checks the whole checkpoint.
    ///
    /// # Errors
    /// If it is damaged or of a later format.
    pub fn checkpoint(&mut self) -> Result<Checkpoint, CheckpointError> {
        let header = self.header()?;
        let mut replica = None;
        let mut locals: Vec<Local> = Vec::new();
        for section in &header.sections {
            let mut state = vec![0; section.bytes as usize];
            self.input.read_exact(&mut state).map_err(|e| self.damaged(section.part, e))?;
            self.check_sum(section, crc32fast::hash(&state))?;
            let workers = locals.len();
            match (section.part, locals.last_mut()) {
                (Part::Replica, None) if replica.is_none() => replica = Some(state),
                (Part::Featurizer { worker }, _) if worker == workers => {
                    locals.push(Local { featurizer: state, sinks: Vec::new() });
                }
                (Part::Sink { worker, index }, Some(local)) if worker + 1 == workers && index == local.sinks.len() => {
                    local.sinks.push(state);
                }
                (part, _) => return Err(self.damaged("header", format!("the {part} is not where it belongs"))),
            }
        }
        let replica = replica.ok_or_else(|| self.damaged("header", "it lists no replica"))?;
        if locals.len() != header.workers as usize {
            let problem = format!("it has states of {} workers and says {}", locals.len(), header.workers);
            return Err(self.damaged("header", problem));
        }
        Ok(Checkpoint {
            id: header.id,
            epoch: header.epoch,
            pass: header.pass,
            digest: header.digest,
            model_version: header.model_version,
            rows: header.rows,
            workers: header.workers,
            finished: header.finished,
            created_unix_s: header.created_unix_s,
            position: header.position,
            pairs: header.pairs,
            replica,
            locals,
        })
    }
}

#[cfg(test)]
mod tests;
