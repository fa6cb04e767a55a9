//! Keys and event times of rows that are not clustered, only passed on.

use arrow_array::RecordBatch;

use super::FeatureError;
use super::columns::Identity;

/// The key of every row, its columns joined by `/` as the featurisers do, and its event time; `None` without a time column.
///
/// # Errors
/// If a column is missing or of another type, or holds null, or a time that nanoseconds in 64 bits cannot hold.
pub fn identify(
    batch: &RecordBatch,
    key: &[String],
    time: Option<&str>,
) -> Result<Vec<(String, Option<i64>)>, FeatureError> {
    let identity = Identity::of(batch, key, time)?;
    let row = |row: usize| {
        let mut text = String::new();
        let unusable = |detail: String| FeatureError::Row { row, detail };
        identity.key(row, &mut text).map_err(|flaw| unusable(flaw.detail))?;
        let time = identity.time(row).map_err(|flaw| unusable(flaw.detail))?;
        Ok((text, time))
    };
    (0..batch.num_rows()).map(row).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int32Array, StringArray, TimestampMillisecondArray};

    use super::*;

    fn batch() -> RecordBatch {
        let subject: ArrayRef = Arc::new(Int32Array::from(vec![7, 8]));
        let side: ArrayRef = Arc::new(StringArray::from(vec![Some("left"), None]));
        let time: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![5, i64::MAX]));
        RecordBatch::try_from_iter_with_nullable([
            ("subject", subject, false),
            ("side", side, true),
            ("at", time, false),
        ])
        .unwrap()
    }

    #[test]
    fn keys_are_joined_and_times_are_nanoseconds() {
        let key = ["subject".to_owned(), "side".to_owned()];
        let first = identify(&batch().slice(0, 1), &key, Some("at")).unwrap();
        assert_eq!(first, [("7/left".to_owned(), Some(5_000_000))]);
        let bare = identify(&batch(), &[], None).unwrap();
        assert_eq!(bare, [(String::new(), None), (String::new(), None)]);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let said = |key: &str, time| identify(&batch(), &[key.to_owned()], time).unwrap_err().to_string();
        assert!(said("side", None).contains("row 1: column `side` is null"));
        assert!(said("subject", Some("at")).contains("row 1: column `at` is 9223372036854775807"));
        assert!(said("subjekt", None).contains("subject"));
        assert!(said("subject", Some("side")).contains("side"));
    }
}
