//! Columns of lists of numbers.

use std::sync::Arc;

use arrow_array::{ArrayRef, FixedSizeListArray, ListArray};
use arrow_schema::{ArrowError, DataType, Field, FieldRef};

use super::cursor::Cursor;
use super::values::{Numbers, Values, offsets};

/// Lists as they come, of which the last can be taken back.
pub(super) struct Lists {
    item: FieldRef,
    items: Numbers,
    /// Where each list ends.
    ends: Values<i32>,
    /// How long every list is; `None` if that is not said.
    size: Option<usize>,
    /// How long the last one was.
    usual: usize,
}

impl Lists {
    /// `None` if the field is not of such a type.
    pub(super) fn of(field: &Field) -> Option<Self> {
        let (item, size) = match field.data_type() {
            DataType::List(item) => (item, None),
            DataType::FixedSizeList(item, size) => (item, Some(usize::try_from(*size).ok()?)),
            _ => return None,
        };
        let items = Numbers::of(item)?;
        Some(Self { item: Arc::clone(item), items, ends: Values::new(field.is_nullable()), size, usual: 0 })
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Makes room for lists like the last one. A number and its comma take two bytes at least.
    pub(super) fn reserve(&mut self, lists: usize, bytes: usize) {
        self.ends.reserve(lists);
        self.items.reserve((lists * self.usual).min(bytes / 2));
    }

    pub(super) fn read(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        let before = self.items.len();
        self.items.read_list(cursor)?;
        self.usual = self.items.len() - before;
        if self.size.is_some_and(|size| size != self.usual) {
            return None;
        }
        self.ends.push(i32::try_from(self.items.len()).ok()?);
        Some(())
    }

    pub(super) fn push_null(&mut self) -> Option<()> {
        self.items.pad(self.size.unwrap_or(0));
        self.ends.push_null(i32::try_from(self.items.len()).ok()?)
    }

    pub(super) fn truncate(&mut self, lists: usize) {
        self.ends.truncate(lists);
        self.items.truncate(self.ends.last().map_or(0, |end| *end as usize));
    }

    /// # Errors
    /// None that is known of.
    pub(super) fn array(&mut self) -> Result<ArrayRef, ArrowError> {
        let (item, items, lists) = (Arc::clone(&self.item), self.items.array(), self.len());
        let (ends, nulls) = self.ends.take();
        Ok(match self.size {
            Some(size) => Arc::new(FixedSizeListArray::try_new_with_length(item, size as i32, items, nulls, lists)?),
            None => Arc::new(ListArray::try_new(item, offsets(ends), items, nulls)?),
        })
    }
}
