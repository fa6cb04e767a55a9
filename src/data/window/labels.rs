//! Labels of readings, as small numbers.

use std::collections::HashMap;

use arrow_array::{Array, ArrayRef, UInt32Array, new_empty_array, new_null_array};
use arrow_schema::{ArrowError, DataType};
use arrow_select::concat::concat;
use arrow_select::take::take;

use super::super::columns::{Scalars, scalars};

/// The number of no label.
pub(super) const NO_LABEL: u32 = u32::MAX;

/// Every label value met so far; its number is its place. There are as many as there are different labels.
#[derive(Default)]
pub(super) struct Labels {
    numbers: HashMap<String, u32>,
    values: Option<ArrayRef>,
    text: String,
}

impl Labels {
    /// The number of the label of row `row`.
    ///
    /// # Errors
    /// If the type cannot hold one more value (dictionaries with small keys).
    pub(super) fn number(&mut self, column: &ArrayRef, scalars: &dyn Scalars, row: usize) -> Result<u32, ArrowError> {
        if scalars.is_null(row) {
            return Ok(NO_LABEL);
        }
        self.text.clear();
        scalars.write(row, &mut self.text);
        if let Some(&number) = self.numbers.get(&self.text) {
            return Ok(number);
        }
        // A copy: a slice would keep its whole batch in memory.
        let value = take(column.as_ref(), &UInt32Array::from(vec![row as u32]), None)?;
        self.values = Some(match &self.values {
            Some(values) => concat(&[values.as_ref(), value.as_ref()])?,
            None => value,
        });
        let number = self.numbers.len() as u32;
        self.numbers.insert(self.text.clone(), number);
        Ok(number)
    }

    /// The labels of those numbers as a column of the label's type.
    pub(super) fn column(&self, data_type: &DataType, numbers: &[u32]) -> ArrayRef {
        let Some(values) = &self.values else { return new_null_array(data_type, numbers.len()) };
        let numbers: UInt32Array = numbers.iter().map(|&number| (number != NO_LABEL).then_some(number)).collect();
        take(values.as_ref(), &numbers, None).expect("a label's number is its place among the values")
    }

    /// Every label value, by number.
    pub(super) fn values(&self, data_type: &DataType) -> ArrayRef {
        self.values.clone().unwrap_or_else(|| new_empty_array(data_type))
    }

    /// From [`values`](Self::values).
    ///
    /// # Errors
    /// If these are no labels.
    pub(super) fn from_values(values: Option<ArrayRef>) -> Result<Self, String> {
        let mut labels = Self::default();
        let Some(values) = values.filter(|values| !values.is_empty()) else { return Ok(labels) };
        let scalars = scalars(values.as_ref())
            .ok_or_else(|| format!("labels of type {} are not possible", values.data_type()))?;
        for row in 0..values.len() {
            let mut text = String::new();
            if scalars.is_null(row) {
                return Err("a label in the snapshot is null".to_owned());
            }
            scalars.write(row, &mut text);
            if labels.numbers.insert(text, row as u32).is_some() {
                return Err("a label is twice in the snapshot".to_owned());
            }
        }
        drop(scalars);
        labels.values = Some(values);
        Ok(labels)
    }

    pub(super) fn knows(&self, number: u32) -> bool {
        number == NO_LABEL || (number as usize) < self.numbers.len()
    }
}

/// The label that covers at least `share` (more than half) of the readings, else [`NO_LABEL`].
///
/// A majority survives pairwise cancellation (Boyer and Moore), so only one candidate needs counting.
pub(super) fn majority(labels: &[u32], share: f64) -> u32 {
    let (candidate, _) = labels.iter().fold((NO_LABEL, 0_usize), |(candidate, votes), &label| match votes {
        0 => (label, 1),
        _ if label == candidate => (candidate, votes + 1),
        _ => (candidate, votes - 1),
    });
    let count = labels.iter().filter(|&&label| label == candidate).count();
    if count as f64 / labels.len() as f64 >= share { candidate } else { NO_LABEL }
}

#[cfg(test)]
mod tests {
    use super::{NO_LABEL, majority};

    #[test]
    fn a_window_has_the_label_that_covers_the_share_exactly() {
        let mut labels = vec![4; 11];
        labels.extend([7; 9]);
        assert_eq!(majority(&labels, 0.55), 4);
        assert_eq!(majority(&labels, 0.56), NO_LABEL);
    }

    #[test]
    fn a_window_without_a_majority_has_no_label() {
        assert_eq!(majority(&[1, 2, 1, 2], 0.51), NO_LABEL);
        assert_eq!(majority(&[NO_LABEL, NO_LABEL, NO_LABEL, 2], 0.6), NO_LABEL);
    }

    #[test]
    fn the_order_of_labels_in_a_window_does_not_matter() {
        for labels in [[3, 3, 3, 1, 2], [1, 2, 3, 3, 3], [3, 1, 3, 2, 3], [1, 3, 3, 2, 3]] {
            assert_eq!(majority(&labels, 0.6), 3);
        }
    }
}
