//! The rows of the open file, appended as they come.
//!
//! ```text
//! spool = frame*
//! frame = payload length (u64 LE) · rows (u64 LE) · CRC-32 of both and the payload (u32 LE) · payload
//! ```
//! A payload is one Arrow IPC stream with one batch. What was promised to a checkpoint is found again by its number of
//! rows, not by its length: a spool that was made anew from its Parquet file has other frames and the same rows.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::Schema;

use super::disk;
use crate::connector::ConnectorError;

const HEADER: usize = 20;

/// An open spool.
#[derive(Debug)]
pub(super) struct Spool {
    file: File,
    path: PathBuf,
    bytes: u64,
    rows: u64,
    named: bool,
    synced: bool,
}

impl Spool {
    /// Starts an empty spool.
    pub fn create(path: PathBuf) -> Result<Self, ConnectorError> {
        let file = disk::create(&path)?;
        Ok(Self { file, path, bytes: 0, rows: 0, named: false, synced: true })
    }

    /// Opens a spool and cuts off what comes after its first `bytes`, which hold `rows` rows.
    pub fn resume(path: PathBuf, bytes: u64, rows: u64) -> Result<Self, ConnectorError> {
        let file = File::options().read(true).write(true).open(&path).map_err(|e| disk::write_error(&path, e))?;
        disk::truncate(&file, &path, bytes)?;
        disk::sync(&file, &path)?;
        Ok(Self { file, path, bytes, rows, named: true, synced: true })
    }

    /// Length of what was appended.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Rows that were appended.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Appends one batch.
    pub fn append(&mut self, batch: &RecordBatch) -> Result<(), ConnectorError> {
        let frame = frame(batch).map_err(|e| disk::write_error(&self.path, std::io::Error::other(e)))?;
        self.synced = false;
        disk::write_at(&mut self.file, &self.path, self.bytes, &frame)?;
        self.bytes += frame.len() as u64;
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Makes everything appended so far durable.
    pub fn sync(&mut self) -> Result<(), ConnectorError> {
        if !self.synced {
            disk::sync(&self.file, &self.path)?;
            self.synced = true;
        }
        if !self.named {
            disk::sync_folder(self.path.parent().unwrap_or(Path::new(".")))?;
            self.named = true;
        }
        Ok(())
    }

    /// Everything appended so far, from the start.
    pub fn frames(&self) -> Result<Frames, ConnectorError> {
        Frames::open(&self.path, self.bytes)
            .map_err(|problem| ConnectorError::Unreadable { file: self.path.display().to_string(), problem })
    }
}

fn frame(batch: &RecordBatch) -> Result<Vec<u8>, arrow_schema::ArrowError> {
    let mut bytes = Vec::with_capacity(HEADER + batch.get_array_memory_size() + 4096);
    bytes.resize(HEADER, 0);
    let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema())?;
    writer.write(batch)?;
    writer.finish()?;
    drop(writer);
    let payload = (bytes.len() - HEADER) as u64;
    bytes[..8].copy_from_slice(&payload.to_le_bytes());
    bytes[8..16].copy_from_slice(&(batch.num_rows() as u64).to_le_bytes());
    let crc = checksum(&bytes[..16], &bytes[HEADER..]);
    bytes[16..HEADER].copy_from_slice(&crc.to_le_bytes());
    Ok(bytes)
}

fn checksum(header: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header);
    hasher.update(payload);
    hasher.finalize()
}

/// Where the first rows of a spool end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefix {
    /// With the frame that ends at this byte.
    Frames(u64),
    /// Inside a frame: the spool was made anew from its Parquet file, with coarser frames than it was first written in.
    Within,
}

/// Where the first `rows` rows of the spool at `path` end, all frames up to there being whole and with the columns of `schema`;
/// otherwise what is wrong with it.
pub(super) fn prefix(path: &Path, rows: u64, schema: &Schema) -> Result<Prefix, String> {
    let length = std::fs::metadata(path).map_err(|e| e.to_string())?.len();
    let mut frames = Frames::open(path, length)?;
    let mut found = 0;
    while found < rows {
        let Some((in_frame, payload)) = frames.next_payload()? else {
            return Err(format!("it ends after {found} of {rows} rows"));
        };
        if found == 0 && decode(&payload)?.schema().fields() != schema.fields() {
            return Err("it has other columns".to_owned());
        }
        found += in_frame;
    }
    Ok(if found == rows { Prefix::Frames(frames.at) } else { Prefix::Within })
}

/// The first `rows` rows of the spool at `path`.
pub(super) fn head(path: &Path, rows: u64) -> Result<Vec<RecordBatch>, String> {
    let length = std::fs::metadata(path).map_err(|e| e.to_string())?.len();
    let mut missing = usize::try_from(rows).map_err(|e| e.to_string())?;
    let mut batches = Vec::new();
    for batch in Frames::open(path, length)? {
        let batch = batch?;
        let taken = missing.min(batch.num_rows());
        batches.push(batch.slice(0, taken));
        missing -= taken;
        if missing == 0 {
            break;
        }
    }
    Ok(batches)
}

fn decode(payload: &[u8]) -> Result<RecordBatch, String> {
    let mut reader = StreamReader::try_new(payload, None).map_err(|e| e.to_string())?;
    reader.next().ok_or("a frame without a batch")?.map_err(|e| e.to_string())
}

/// Reads a spool from its start.
#[derive(Debug)]
pub(super) struct Frames {
    file: BufReader<File>,
    at: u64,
    end: u64,
}

impl Frames {
    fn open(path: &Path, end: u64) -> Result<Self, String> {
        let file = File::open(path).map_err(|e| e.to_string())?;
        Ok(Self { file: BufReader::new(file), at: 0, end })
    }

    /// Rows and payload of the next frame, checked; `None` at the end.
    fn next_payload(&mut self) -> Result<Option<(u64, Vec<u8>)>, String> {
        let left = self.end - self.at;
        if left == 0 {
            return Ok(None);
        }
        let torn = || format!("the frame at byte {} is not whole", self.at);
        if left < HEADER as u64 {
            return Err(torn());
        }
        let mut header = [0; HEADER];
        self.file.read_exact(&mut header).map_err(|e| e.to_string())?;
        let number = |from: usize| u64::from_le_bytes(std::array::from_fn(|i| header[from + i]));
        let (length, rows) = (number(0), number(8));
        let crc = u32::from_le_bytes(std::array::from_fn(|i| header[16 + i]));
        if length > left - HEADER as u64 {
            return Err(torn());
        }
        let mut payload = vec![0; length as usize];
        self.file.read_exact(&mut payload).map_err(|e| e.to_string())?;
        if checksum(&header[..16], &payload) != crc {
            return Err(format!("the frame at byte {} has a wrong checksum", self.at));
        }
        self.at += HEADER as u64 + length;
        Ok(Some((rows, payload)))
    }
}

impl Iterator for Frames {
    type Item = Result<RecordBatch, String>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.next_payload() {
            Ok(None) => None,
            Ok(Some((_, payload))) => Some(decode(&payload)),
            Err(problem) => Some(Err(problem)),
        }
    }
}
