//! Why messages are rejected.

/// Every [`Reject::reason`](super::Reject::reason), so that their counters can exist from the start.
pub const FORMAT_REASONS: [&str; 4] = [
    // No payload: a tombstone of a compacted topic.
    "no_value",
    // Larger than `max_value_bytes`.
    "too_large",
    // Not what the format or the schema says: random bytes, a truncated record, a null or a column where none may be.
    "undecodable",
    // Avro with the id of a schema that the registry does not have, or that cannot be read as the wanted one.
    "unknown_schema",
];
