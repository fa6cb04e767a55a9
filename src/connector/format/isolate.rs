//! One bad message must not take its neighbours along.

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use arrow_select::concat::concat_batches;

use super::Reject;

/// Reads a group of payloads completely or not at all.
pub(super) trait GroupReader {
    /// Exactly one row per payload, in order.
    ///
    /// # Errors
    /// What is wrong with one of them. The reader is as new after that.
    fn read(&mut self, payloads: &[&[u8]]) -> Result<RecordBatch, String>;
}

/// The rows of all payloads that can be read, with the index of the message of each.
///
/// The whole group is read at once. Only if that fails is it read one by one, so that the work stays linear however many
/// messages are bad.
///
/// # Errors
/// If the rows that were read do not fit one batch.
pub(super) fn isolate(
    reader: &mut impl GroupReader,
    group: &[(usize, &[u8])],
    rejects: &mut Vec<Reject>,
) -> Result<(Option<RecordBatch>, Vec<usize>), ArrowError> {
    if group.is_empty() {
        return Ok((None, Vec::new()));
    }
    let payloads: Vec<&[u8]> = group.iter().map(|(_, payload)| *payload).collect();
    if let Ok(batch) = contained(|| reader.read(&payloads)) {
        return Ok((Some(batch), group.iter().map(|(message, _)| *message).collect()));
    }
    let (mut batches, mut origins) = (Vec::with_capacity(group.len()), Vec::with_capacity(group.len()));
    for (message, payload) in group {
        match contained(|| reader.read(&[payload])) {
            Ok(batch) => {
                batches.push(batch);
                origins.push(*message);
            }
            Err(detail) => rejects.push(Reject { message: *message, reason: "undecodable", detail: shortened(detail) }),
        }
    }
    let batch = batches.first().map(|first| concat_batches(&first.schema(), &batches)).transpose()?;
    Ok((batch, origins))
}

/// Runs a foreign decoder on bytes that anyone may have written: should it panic, that is the fault of the bytes.
pub(super) fn contained<T>(decode: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| Err("the decoder gave up on it".to_owned()))
}

/// Details quote the message; a long one is cut.
pub(super) fn shortened(mut detail: String) -> String {
    const MOST_BYTES: usize = 300;
    if detail.len() > MOST_BYTES {
        let end = (0..=MOST_BYTES).rev().find(|end| detail.is_char_boundary(*end)).unwrap_or(0);
        detail.truncate(end);
        detail.push('…');
    }
    detail
}
