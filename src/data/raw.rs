//! Messages as they came, kept until their rows have been used.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// One message, byte for byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawMessage<'a> {
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its payload.
    pub value: Option<&'a [u8]>,
    /// Its headers, in order; names may repeat.
    pub headers: &'a [(String, Option<Vec<u8>>)],
    /// When it was produced, if the broker says so.
    pub timestamp_ms: Option<i64>,
}

/// Messages that were read together, in one block of memory.
#[derive(Default, PartialEq, Eq)]
pub struct RawMessages {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

#[derive(PartialEq, Eq)]
struct Place {
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
    timestamp_ms: Option<i64>,
}

impl RawMessages {
    /// Room for so many messages with so many bytes of keys and payloads.
    pub fn with_capacity(messages: usize, bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), places: Vec::with_capacity(messages) }
    }

    /// Adds a copy of a message.
    pub fn push(
        &mut self,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: Vec<(String, Option<Vec<u8>>)>,
        timestamp_ms: Option<i64>,
    ) {
        let mut keep = |part: Option<&[u8]>| {
            part.map(|part| {
                let from = self.bytes.len();
                self.bytes.extend_from_slice(part);
                from..self.bytes.len()
            })
        };
        let (key, value) = (keep(key), keep(value));
        self.places.push(Place { key, value, headers, timestamp_ms });
    }

    /// The message at `index`.
    pub fn get(&self, index: usize) -> RawMessage<'_> {
        let Some(place) = self.places.get(index) else { return RawMessage::default() };
        let part = |range: &Option<Range<usize>>| range.clone().map(|range| &self.bytes[range]);
        let (key, value) = (part(&place.key), part(&place.value));
        RawMessage { key, value, headers: &place.headers, timestamp_ms: place.timestamp_ms }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Bytes of all keys and payloads.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

impl fmt::Debug for RawMessages {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} messages of {} bytes", self.len(), self.bytes())
    }
}

/// The message that each row of a batch came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origins {
    /// The messages.
    pub messages: Arc<RawMessages>,
    /// Index of the message of each row of the batch.
    pub indices: Arc<[u32]>,
    /// Offset of the message of each row of the batch.
    pub offsets: Arc<[i64]>,
}

/// One message among those it was read with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The messages.
    pub messages: Arc<RawMessages>,
    /// Which of them.
    pub index: u32,
}

impl Origin {
    /// The message.
    pub fn message(&self) -> RawMessage<'_> {
        self.messages.get(self.index as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_kept_byte_for_byte() {
        let mut messages = RawMessages::default();
        messages.push(Some(b"k"), Some(b"first"), vec![("h".to_owned(), None)], Some(7));
        messages.push(None, None, Vec::new(), None);
        messages.push(None, Some(b""), Vec::new(), None);
        assert_eq!((messages.len(), messages.bytes()), (3, 6));
        let first = messages.get(0);
        assert_eq!((first.key, first.value, first.timestamp_ms), (Some(&b"k"[..]), Some(&b"first"[..]), Some(7)));
        assert_eq!(first.headers, [("h".to_owned(), None)]);
        assert_eq!(messages.get(1), RawMessage::default());
        assert_eq!(messages.get(2).value, Some(&b""[..]));
    }
}
