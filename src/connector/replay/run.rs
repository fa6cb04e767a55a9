//! From files to a topic.

use std::time::{Duration, Instant};

use arrow_array::{RecordBatch, UInt32Array};
use arrow_select::take::take_record_batch;
use serde::Serialize;

use super::super::format::{Encoder, Format, FormatError, FormatOptions, encoder};
use super::publisher::Publisher;
use super::rows::{Chunk, Rows};
use super::{ReplayError, Tempo};

/// Rows that fall due within this time are published together.
const TICK: Duration = Duration::from_millis(10);

/// What is replayed, and how.
#[derive(Clone, Debug)]
pub struct Replay {
    /// Parquet files, globs, folders.
    pub files: Vec<String>,
    /// Format, topic and registry.
    pub format: FormatOptions,
    /// The columns that make the message key; without any, messages have no key.
    pub key: Vec<String>,
    /// The event time column; without one rows keep the order of the files.
    pub time: Option<String>,
    /// How fast.
    pub tempo: Tempo,
    /// Stop after so many rows.
    pub limit: Option<u64>,
    /// Rows of one Arrow IPC message, at most. All of them have one key.
    pub message_rows: usize,
    /// librdkafka properties, `bootstrap.servers` among them.
    pub properties: Vec<(String, String)>,
}

/// What was published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Replayed {
    /// Rows.
    pub rows: u64,
    /// Messages that the broker has confirmed.
    pub messages: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// From the first row to the last confirmation.
    pub seconds: f64,
}

/// Publishes all rows and waits until the broker has them.
///
/// # Errors
/// If the files cannot be read, a column is missing or has no place in the format, or the broker does not take a message.
pub fn replay(replay: &Replay) -> Result<Replayed, ReplayError> {
    let mut rows = Rows::open(&replay.files, &replay.key, replay.time.as_deref())?;
    let mut writer = Writer {
        publisher: Publisher::open(&replay.format.topic, &replay.properties)?,
        encoder: encoder(&replay.format, rows.schema())?,
        whole_batches: replay.format.format == Format::ArrowIpc,
        keyed: !replay.key.is_empty(),
        message_rows: replay.message_rows.max(1),
        topic: replay.format.topic.clone(),
        done: Replayed::default(),
    };
    let start = Instant::now();
    let mut first_time = None;
    while let Some(chunk) = rows.next()? {
        first_time = first_time.or(chunk.times[0]);
        let left = replay.limit.map_or(u64::MAX, |limit| limit - writer.done.rows);
        let end = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.batch.num_rows());
        let due = |row: usize, at: &Writer, from: usize| {
            replay.tempo.due(at.done.rows + (row - from) as u64, chunk.times[row], first_time)
        };
        let mut from = 0;
        while from < end {
            let now = start.elapsed();
            let ready = (from..end).take_while(|row| due(*row, &writer, from) <= now + TICK).count();
            if ready == 0 {
                writer.publisher.wait((due(from, &writer, from) - now).min(Duration::from_millis(200)))?;
                continue;
            }
            writer.write(&chunk, from, ready)?;
            from += ready;
        }
        if writer.done.rows == replay.limit.unwrap_or(u64::MAX) {
            break;
        }
    }
    writer.done.messages = writer.publisher.finish()?;
    writer.done.seconds = start.elapsed().as_secs_f64();
    Ok(writer.done)
}

struct Writer {
    publisher: Publisher,
    encoder: Box<dyn Encoder>,
    /// Whether a payload holds a batch, not a row.
    whole_batches: bool,
    keyed: bool,
    message_rows: usize,
    topic: String,
    done: Replayed,
}

impl Writer {
    /// Publishes `count` rows of a chunk, from row `from` on.
    fn write(&mut self, chunk: &Chunk, from: usize, count: usize) -> Result<(), ReplayError> {
        let batch = chunk.batch.slice(from, count);
        let keys = &chunk.keys[from..from + count];
        if self.whole_batches {
            for group in groups(keys, self.message_rows) {
                let key = &keys[group[0] as usize];
                let indices = UInt32Array::from(group);
                let rows = take_record_batch(&batch, &indices)
                    .map_err(|error| FormatError::Encode { topic: self.topic.clone(), problem: error.to_string() })?;
                self.publish(&rows, std::iter::repeat(key))?;
            }
        } else {
            self.publish(&batch, keys.iter())?;
        }
        self.done.rows += count as u64;
        Ok(())
    }

    fn publish<'a>(&mut self, rows: &RecordBatch, keys: impl Iterator<Item = &'a String>) -> Result<(), ReplayError> {
        for (payload, key) in self.encoder.encode(rows)?.iter().zip(keys) {
            self.publisher.send(self.keyed.then_some(key.as_str()), payload)?;
            self.done.bytes += payload.len() as u64;
        }
        Ok(())
    }
}

/// Rows of one key together, at most `most` in a group; keys in the order of their first row, rows in order.
fn groups(keys: &[String], most: usize) -> Vec<Vec<u32>> {
    let mut groups: Vec<Vec<u32>> = Vec::new();
    let mut open: std::collections::HashMap<&str, usize> = std::collections::HashMap::new();
    for (row, key) in keys.iter().enumerate() {
        match open.get(key.as_str()) {
            Some(&group) if groups[group].len() < most => groups[group].push(row as u32),
            _ => {
                open.insert(key, groups.len());
                groups.push(vec![row as u32]);
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_one_key_stay_in_order_and_in_small_enough_groups() {
        let keys = ["a", "b", "a", "a", "b", "a"].map(str::to_owned);
        assert_eq!(groups(&keys, 2), [vec![0, 2], vec![1, 4], vec![3, 5]]);
        assert_eq!(groups(&keys, 9), [vec![0, 2, 3, 5], vec![1, 4]]);
        assert!(groups(&[], 2).is_empty());
    }
}
