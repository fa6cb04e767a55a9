//! Plain objects, straight from their text into columns.

use std::collections::HashMap;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, SchemaRef};

use super::column::Column;
use super::cursor::Cursor;

/// Members whose columns are remembered.
const MOST_REMEMBERED: usize = 4096;

/// Reads objects that are written plainly: known columns of common types with values of their own type, no member twice, nothing
/// that JSON's grammar does not have. What is anything else, or wrong, is left to `arrow-json`, which also words what is wrong;
/// what is read here, `arrow-json` would have read alike, bit for bit.
pub(super) struct Plain {
    schema: SchemaRef,
    columns: Vec<Column>,
    places: HashMap<String, usize>,
    /// The column of each member of the last object; `None` for what is no column. The next one is probably alike.
    order: Vec<Option<usize>>,
    rows: usize,
}

impl Plain {
    /// `None` if there are no columns, or one is of a type, or has a name, that is not for here.
    pub(super) fn new(schema: SchemaRef) -> Option<Self> {
        let columns: Option<Vec<_>> = schema.fields().iter().map(|field| Column::of(field)).collect();
        let named = schema.fields().iter().enumerate().map(|(place, field)| (field.name().clone(), place));
        let places: HashMap<_, _> = named.collect();
        // In the text such a name has escapes, or would end too early.
        let plain = !places.is_empty()
            && places.len() == schema.fields().len()
            && !places.keys().any(|name| name.contains(['"', '\\']));
        let columns = columns.filter(|_| plain)?;
        Some(Self { schema, columns, places, order: Vec::new(), rows: 0 })
    }

    /// The rows of those payloads that can be read here, and the places of the others.
    ///
    /// # Errors
    /// None that is known of.
    pub(super) fn read(&mut self, payloads: &[&[u8]]) -> Result<(RecordBatch, Vec<usize>), ArrowError> {
        let bytes = payloads.iter().map(|payload| payload.len()).sum();
        self.columns.iter_mut().for_each(|column| column.reserve(payloads.len(), bytes));
        let mut others = Vec::new();
        for (place, payload) in payloads.iter().enumerate() {
            match self.object(Cursor::new(payload)) {
                Some(()) => self.rows += 1,
                None => {
                    self.columns.iter_mut().for_each(|column| column.truncate(self.rows));
                    others.push(place);
                }
            }
        }
        let arrays = self.columns.iter_mut().map(Column::array).collect::<Result<_, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(std::mem::take(&mut self.rows)));
        Ok((RecordBatch::try_new_with_options(SchemaRef::clone(&self.schema), arrays, &options)?, others))
    }

    fn object(&mut self, mut cursor: Cursor<'_>) -> Option<()> {
        cursor.take(b'{')?;
        let (mut member, mut filled) = (0, 0);
        if cursor.peek()? == b'}' {
            cursor.advance(1);
        } else {
            loop {
                match self.column(&mut cursor, member)? {
                    Some(place) => {
                        let column = &mut self.columns[place];
                        // The last of two members of one name counts.
                        if column.len() > self.rows {
                            return None;
                        }
                        column.read(&mut cursor)?;
                        filled += 1;
                    }
                    None => cursor.skip()?,
                }
                if !cursor.another(b'}')? {
                    break;
                }
                member += 1;
            }
        }
        cursor.end()?;
        if filled < self.columns.len() {
            let missing = self.columns.iter_mut().filter(|column| column.len() == self.rows);
            for column in missing {
                column.push_null()?;
            }
        }
        Some(())
    }

    /// Passes over the name of a member and says which column it is, if it is one.
    fn column(&mut self, cursor: &mut Cursor<'_>, member: usize) -> Option<Option<usize>> {
        if let Some(Some(place)) = self.order.get(member)
            && cursor.skip_if_named(self.schema.field(*place).name())
        {
            return Some(Some(*place));
        }
        let found = self.places.get(cursor.name()?).copied();
        match self.order.get_mut(member) {
            Some(remembered) => *remembered = found,
            None if member < MOST_REMEMBERED => self.order.push(found),
            None => {}
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests;
