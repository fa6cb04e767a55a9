//! Messages that gave no row, as dead letters.

use std::fmt::Write;
use std::sync::Arc;

use super::block::Partition;
use crate::connector::format::Reject;
use crate::data::{Coordinates, DeadLetter, Origin, RawMessages};

/// Longer payloads are cut where a dead letter is a row of a table; a dead-letter topic has them whole.
const MOST_BYTES: usize = 1 << 20;

/// The dead letter of a message that cannot be decoded.
pub(super) fn undecoded(
    partition: &Partition,
    offset: i64,
    messages: &Arc<RawMessages>,
    reject: &Reject,
) -> DeadLetter {
    let origin = Origin { messages: Arc::clone(messages), index: reject.message as u32 };
    let message = origin.message();
    let mut record = String::from("{");
    member("key", message.key, &mut record);
    if message.key.is_some() && message.value.is_some() {
        record.push(',');
    }
    member("value", message.value, &mut record);
    record.push('}');
    DeadLetter {
        coordinates: Coordinates { source: Arc::clone(&partition.topic), partition: partition.number, offset },
        key: Arc::from(""),
        event_time: None,
        reason: reject.reason,
        detail: reject.detail.clone(),
        record,
        origin: Some(origin),
    }
}

/// Bytes as text if they are text, else in hexadecimal digits.
fn member(name: &str, bytes: Option<&[u8]>, out: &mut String) {
    let Some(bytes) = bytes else { return };
    let shown = &bytes[..bytes.len().min(MOST_BYTES)];
    if let Ok(text) = std::str::from_utf8(shown) {
        let _ = write!(out, "\"{name}\":{}", serde_json::Value::from(text));
    } else {
        let _ = write!(out, "\"{name}_hex\":\"");
        // Writing to a string cannot fail.
        for byte in shown {
            let _ = write!(out, "{byte:02x}");
        }
        out.push('"');
    }
    if shown.len() < bytes.len() {
        let _ = write!(out, ",\"{name}_bytes\":{}", bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(key: Option<&[u8]>, value: Option<&[u8]>) -> serde_json::Value {
        let mut messages = RawMessages::default();
        messages.push(key, value, Vec::new(), None);
        let partition = Partition { topic: Arc::from("t"), number: 3 };
        let reject = Reject { message: 0, reason: "undecodable", detail: "no".to_owned() };
        let letter = undecoded(&partition, 41, &Arc::new(messages), &reject);
        assert_eq!((letter.coordinates.partition, letter.coordinates.offset), (3, 41));
        serde_json::from_str(&letter.record).unwrap()
    }

    #[test]
    fn text_stays_text_and_bytes_become_digits() {
        assert_eq!(letter(Some(b"k"), Some(b"a\"b")), serde_json::json!({ "key": "k", "value": "a\"b" }));
        assert_eq!(letter(None, Some(&[0xff, 0])), serde_json::json!({ "value_hex": "ff00" }));
        assert_eq!(letter(None, None), serde_json::json!({}));
        let long = vec![b'x'; MOST_BYTES + 1];
        assert_eq!(letter(None, Some(&long))["value_bytes"], MOST_BYTES + 1);
    }
}
