//! Columns that are filled from JSON text, row by row.

use std::sync::Arc;

use arrow_array::timezone::Tz;
use arrow_array::types::{
    ArrowTimestampType, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow_array::{ArrayRef, BooleanArray, StringArray};
use arrow_buffer::{BooleanBuffer, Buffer};
use arrow_cast::parse::string_to_datetime;
use arrow_schema::{ArrowError, DataType, Field, TimeUnit};

use super::cursor::Cursor;
use super::lists::Lists;
use super::number::Number;
use super::values::{Numbers, Values, array, offsets};

/// One column.
pub(super) enum Column {
    Numbers(Numbers),
    Lists(Lists),
    Flags(Values<bool>),
    Texts(Texts),
    Times(Times),
}

/// Texts behind one another.
pub(super) struct Texts {
    text: String,
    /// Where each of them ends.
    ends: Values<i32>,
}

/// Instants.
pub(super) struct Times {
    values: Values<i64>,
    unit: TimeUnit,
    /// As the column has it.
    zone: Option<Arc<str>>,
    utc: Tz,
    text: String,
}

impl Column {
    /// A column for a field; `None` if its type is not among those that are read here.
    pub(super) fn of(field: &Field) -> Option<Self> {
        let nullable = field.is_nullable();
        Some(match field.data_type() {
            DataType::Boolean => Self::Flags(Values::new(nullable)),
            DataType::Utf8 => Self::Texts(Texts { text: String::new(), ends: Values::new(nullable) }),
            DataType::Timestamp(unit, zone) => Self::Times(Times {
                values: Values::new(nullable),
                unit: *unit,
                zone: zone.clone(),
                utc: "+00:00".parse().ok()?,
                text: String::new(),
            }),
            _ => match Numbers::of(field) {
                Some(numbers) => Self::Numbers(numbers),
                None => Self::Lists(Lists::of(field)?),
            },
        })
    }

    /// Rows so far.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Lists(lists) => lists.len(),
            Self::Flags(flags) => flags.len(),
            Self::Texts(texts) => texts.ends.len(),
            Self::Times(times) => times.values.len(),
        }
    }

    /// Makes room for the rows of messages of so many bytes.
    pub(super) fn reserve(&mut self, rows: usize, bytes: usize) {
        match self {
            Self::Numbers(numbers) => numbers.reserve(rows),
            Self::Lists(lists) => lists.reserve(rows, bytes),
            Self::Flags(flags) => flags.reserve(rows),
            Self::Texts(texts) => texts.ends.reserve(rows),
            Self::Times(times) => times.values.reserve(rows),
        }
    }

    /// Reads the value of a row. Where that is `None`, part of a value may have been read.
    pub(super) fn read(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        if cursor.peek()? == b'n' {
            cursor.word("null")?;
            return self.push_null();
        }
        match self {
            Self::Numbers(numbers) => numbers.read(cursor),
            Self::Lists(lists) => lists.read(cursor),
            Self::Flags(flags) => {
                let flag = cursor.first() == Some(b't');
                cursor.word(if flag { "true" } else { "false" })?;
                flags.push(flag);
                Some(())
            }
            Self::Texts(Texts { text, ends }) => {
                cursor.string(|piece| text.push_str(piece))?;
                ends.push(i32::try_from(text.len()).ok()?);
                Some(())
            }
            Self::Times(times) => times.read(cursor),
        }
    }

    /// A row without a value; `None` where there must be one.
    pub(super) fn push_null(&mut self) -> Option<()> {
        match self {
            Self::Numbers(numbers) => numbers.push_null(),
            Self::Lists(lists) => lists.push_null(),
            Self::Flags(flags) => flags.push_null(false),
            Self::Texts(texts) => {
                let end = i32::try_from(texts.text.len()).ok()?;
                texts.ends.push_null(end)
            }
            Self::Times(times) => times.values.push_null(0),
        }
    }

    /// Takes back whatever was read after so many rows.
    pub(super) fn truncate(&mut self, rows: usize) {
        match self {
            Self::Numbers(numbers) => numbers.truncate(rows),
            Self::Lists(lists) => lists.truncate(rows),
            Self::Flags(flags) => flags.truncate(rows),
            Self::Texts(Texts { text, ends }) => {
                ends.truncate(rows);
                text.truncate(ends.last().map_or(0, |end| *end as usize));
            }
            Self::Times(times) => times.values.truncate(rows),
        }
    }

    /// Gives away all rows.
    ///
    /// # Errors
    /// None that is known of.
    pub(super) fn array(&mut self) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Numbers(numbers) => numbers.array(),
            Self::Lists(lists) => lists.array()?,
            Self::Flags(flags) => {
                let (flags, nulls) = flags.take();
                Arc::new(BooleanArray::new(BooleanBuffer::from(flags), nulls))
            }
            Self::Texts(Texts { text, ends }) => {
                let (ends, nulls) = ends.take();
                let text = Buffer::from_vec(std::mem::take(text).into_bytes());
                Arc::new(StringArray::try_new(offsets(ends), text, nulls)?)
            }
            Self::Times(times) => match times.unit {
                TimeUnit::Second => times.array::<TimestampSecondType>(),
                TimeUnit::Millisecond => times.array::<TimestampMillisecondType>(),
                TimeUnit::Microsecond => times.array::<TimestampMicrosecondType>(),
                TimeUnit::Nanosecond => times.array::<TimestampNanosecondType>(),
            },
        })
    }
}

impl Times {
    /// Text as `arrow-json` understands it; a number counts units.
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        let value = if cursor.first() == Some(b'"') {
            self.text.clear();
            cursor.string(|piece| self.text.push_str(piece))?;
            let time = string_to_datetime(&self.utc, &self.text).ok()?;
            match self.unit {
                TimeUnit::Second => time.timestamp(),
                TimeUnit::Millisecond => time.timestamp_millis(),
                TimeUnit::Microsecond => time.timestamp_micros(),
                TimeUnit::Nanosecond => time.timestamp_nanos_opt()?,
            }
        } else {
            i64::read(cursor)?
        };
        self.values.push(value);
        Some(())
    }

    fn array<T: ArrowTimestampType>(&mut self) -> ArrayRef {
        Arc::new(array::<T>(self.values.take()).with_timezone_opt(self.zone.clone()))
    }
}
