//! Why one row cannot be used.

use std::sync::Arc;

use super::super::{DeadLetter, Records};
use super::record_as_json;

/// The kind of fault and one sentence about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::data) struct Flaw {
    pub(in crate::data) reason: &'static str,
    pub(in crate::data) detail: String,
}

impl Flaw {
    pub(in crate::data) fn new(reason: &'static str, detail: String) -> Self {
        Self { reason, detail }
    }

    /// The dead letter for row `row` of the batch, with what is known of its key and time.
    pub(in crate::data) fn dead_letter(
        self,
        records: &Records,
        row: usize,
        key: &str,
        event_time: Option<i64>,
    ) -> DeadLetter {
        DeadLetter {
            coordinates: records.coordinates(row),
            key: Arc::from(key),
            event_time,
            reason: self.reason,
            detail: self.detail,
            record: record_as_json(&records.batch, row),
        }
    }

    /// Dead letters for all meant rows of a batch whose columns cannot be used at all.
    pub(in crate::data) fn dead_letters(&self, records: &Records) -> Vec<DeadLetter> {
        records.indices().map(|row| self.clone().dead_letter(records, row, "", None)).collect()
    }
}
