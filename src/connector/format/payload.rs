//! What can be said about a message before its format is looked at.

use super::{Message, Reject};

/// The payloads that are there and not too large, with the indices of their messages; the others are rejected.
pub(super) fn payloads<'a>(
    messages: &[Message<'a>],
    most_bytes: usize,
    rejects: &mut Vec<Reject>,
) -> Vec<(usize, &'a [u8])> {
    let mut found = Vec::with_capacity(messages.len());
    for (message, record) in messages.iter().enumerate() {
        match record.value {
            None => rejects.push(Reject {
                message,
                reason: "no_value",
                detail: "the record has no value; compacted topics with tombstones cannot be read".to_owned(),
            }),
            Some(value) if value.len() > most_bytes => rejects.push(Reject {
                message,
                reason: "too_large",
                detail: format!("the value has {} bytes, at most {most_bytes} are read", value.len()),
            }),
            Some(value) => found.push((message, value)),
        }
    }
    found
}
