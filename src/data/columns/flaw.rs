//! Why one row cannot be used.

use std::sync::Arc;

use super::super::{DeadLetter, Records};
use super::record_as_json;

/// Every [`DeadLetter::reason`] a featuriser gives, so that their counters can exist from the start.
pub const REASONS: [&str; 10] = [
    // A column that is missing, or of another type than in the files before.
    "schema",
    "null_key",
    "null_time",
    "null_series",
    // An event time that nanoseconds in 64 bits cannot hold.
    "time_range",
    "null_feature",
    "not_finite",
    "list_length",
    // A label value that its dictionary type has no room for.
    "label",
    // An event time further back than `lateness_s`.
    "late",
];

/// The kind of fault and one sentence about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::data) struct Flaw {
    pub(in crate::data) reason: &'static str,
    pub(in crate::data) detail: String,
}

impl Flaw {
    pub(in crate::data) fn new(reason: &'static str, detail: String) -> Self {
        debug_assert!(REASONS.contains(&reason), "`{reason}` is not listed");
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
            origin: records.origin(row),
        }
    }

    /// Dead letters for all meant rows of a batch whose columns cannot be used at all.
    pub(in crate::data) fn dead_letters(&self, records: &Records) -> Vec<DeadLetter> {
        records.indices().map(|row| self.clone().dead_letter(records, row, "", None)).collect()
    }
}
