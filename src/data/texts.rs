//! Texts that many rows have in common.

use std::collections::HashSet;
use std::sync::Arc;

/// Texts are forgotten when there are this many, so that endless new keys do not fill the memory.
const KNOWN: usize = 65_536;
/// Rows of a batch whose texts are remembered: the keys of several hundred devices that report in turn.
const SLOTS: usize = 512;

/// One shared copy of each text, found by what it is the text of, so that most rows need no text made.
pub(super) struct Texts {
    known: HashSet<Arc<str>>,
    /// By fingerprint: a row of the batch, and its text.
    slots: Vec<Option<(usize, Arc<str>)>>,
    text: String,
}

impl Texts {
    pub(super) fn new() -> Self {
        Self { known: HashSet::new(), slots: vec![None; SLOTS], text: String::new() }
    }

    /// The rows of another batch follow.
    pub(super) fn next_batch(&mut self) {
        self.slots.fill(None);
    }

    /// The text of a row: that of an earlier row of the batch which has the same `fingerprint` and is the `same`, else what
    /// is written. A row without fingerprint has no text that others could share.
    ///
    /// # Errors
    /// If the text cannot be written.
    pub(super) fn of<E>(
        &mut self,
        row: usize,
        fingerprint: Option<u64>,
        same: impl Fn(usize) -> bool,
        write: impl FnOnce(&mut String) -> Result<(), E>,
    ) -> Result<Arc<str>, E> {
        // The upper bits of a product depend on all bits of its factors.
        let slot = fingerprint.map(|print| (print.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % SLOTS);
        if let Some((known, text)) = slot.and_then(|slot| self.slots[slot].as_ref())
            && same(*known)
        {
            return Ok(Arc::clone(text));
        }
        self.text.clear();
        write(&mut self.text)?;
        let text = self.shared();
        if let Some(slot) = slot {
            self.slots[slot] = Some((row, Arc::clone(&text)));
        }
        Ok(text)
    }

    fn shared(&mut self) -> Arc<str> {
        if let Some(known) = self.known.get(self.text.as_str()) {
            return Arc::clone(known);
        }
        if self.known.len() >= KNOWN {
            self.known.clear();
        }
        let text: Arc<str> = Arc::from(self.text.as_str());
        self.known.insert(Arc::clone(&text));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(texts: &mut Texts, values: &[u64], row: usize) -> Arc<str> {
        let write = |out: &mut String| {
            out.push_str(&values[row].to_string());
            Ok::<_, ()>(())
        };
        texts.of(row, Some(values[row] % 3), |other| values[other] == values[row], write).unwrap()
    }

    #[test]
    fn every_row_has_its_own_text_whatever_fingerprints_collide() {
        let values: Vec<u64> = (0..2_000).map(|row| row * 7 % 11).collect();
        let mut texts = Texts::new();
        for (row, value) in values.iter().enumerate() {
            if row % 100 == 0 {
                texts.next_batch();
            }
            assert_eq!(*of(&mut texts, &values, row), value.to_string());
        }
    }

    #[test]
    fn equal_texts_are_one_over_batches_as_well() {
        let mut texts = Texts::new();
        let first = of(&mut texts, &[4, 5], 0);
        texts.next_batch();
        assert!(Arc::ptr_eq(&first, &of(&mut texts, &[9, 4], 1)));
    }

    #[test]
    fn a_text_of_an_earlier_row_is_not_made_again() {
        let mut texts = Texts::new();
        of(&mut texts, &[4, 4], 0);
        let unneeded = |_: &mut String| Err("it was made again");
        assert_eq!(&*texts.of(1, Some(4 % 3), |row| row == 0, unneeded).unwrap(), "4");
    }

    #[test]
    fn a_row_that_has_no_text_is_told() {
        let mut texts = Texts::new();
        assert_eq!(texts.of(0, None, |_| true, |_| Err("it is null")), Err("it is null"));
    }

    #[test]
    fn endless_new_texts_do_not_stay() {
        let values: Vec<u64> = (0..2 * KNOWN as u64).collect();
        let mut texts = Texts::new();
        (0..values.len()).for_each(|row| drop(of(&mut texts, &values, row)));
        assert!(texts.known.len() <= KNOWN);
    }
}
