//! The values of a column that is being read, and where they are null.

use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, Float32Type, Float64Type, Int32Type, Int64Type};
use arrow_array::{ArrayRef, PrimitiveArray};
use arrow_buffer::{NullBuffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field};

use super::cursor::Cursor;
use super::number::Number;

/// Values as they come, of which the last can be taken back.
pub(super) struct Values<T> {
    values: Vec<T>,
    nulls: NullBufferBuilder,
    nullable: bool,
}

impl<T: Clone + Default> Values<T> {
    pub(super) fn new(nullable: bool) -> Self {
        Self { values: Vec::new(), nulls: NullBufferBuilder::new(0), nullable }
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn reserve(&mut self, values: usize) {
        self.values.reserve(values);
    }

    pub(super) fn push(&mut self, value: T) {
        self.values.push(value);
        self.nulls.append_non_null();
    }

    /// Null, under which a value stands all the same; `None` where there may be no null.
    pub(super) fn push_null(&mut self, under: T) -> Option<()> {
        self.nullable.then(|| {
            self.values.push(under);
            self.nulls.append_null();
        })
    }

    /// The last value.
    pub(super) fn last(&self) -> Option<&T> {
        self.values.last()
    }

    /// Something to stand under a null list.
    fn pad(&mut self, values: usize) {
        self.values.resize(self.values.len() + values, T::default());
        self.nulls.append_n_non_nulls(values);
    }

    /// Takes back all but the first so many; of a list that was not read to its end there may be more values than nulls.
    pub(super) fn truncate(&mut self, values: usize) {
        self.values.truncate(values);
        self.nulls.truncate(values);
    }

    /// Gives away what there is.
    pub(super) fn take(&mut self) -> (Vec<T>, Option<NullBuffer>) {
        (std::mem::take(&mut self.values), self.nulls.finish().filter(|nulls| nulls.null_count() > 0))
    }
}

impl<T: Number> Values<T> {
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        self.push(T::read(cursor)?);
        Some(())
    }

    fn read_list(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        // A copy, which can stay in registers.
        let mut ahead = *cursor;
        ahead.take(b'[')?;
        let mut more = ahead.peek()? != b']';
        if !more {
            ahead.advance(1);
        }
        let mut known = self.values.len();
        while more {
            if ahead.peek() == Some(b'n') {
                ahead.word("null")?;
                self.nulls.append_n_non_nulls(self.values.len() - known);
                self.push_null(T::default())?;
                known = self.values.len();
            } else {
                self.values.push(T::read(&mut ahead)?);
            }
            more = ahead.another(b']')?;
        }
        self.nulls.append_n_non_nulls(self.values.len() - known);
        *cursor = ahead;
        Some(())
    }
}

/// Values of one of the types of numbers.
pub(super) enum Numbers {
    Float32(Values<f32>),
    Float64(Values<f64>),
    Int32(Values<i32>),
    Int64(Values<i64>),
}

/// The same for every type.
macro_rules! each {
    ($numbers:expr, $values:ident => $then:expr) => {
        match $numbers {
            Numbers::Float32($values) => $then,
            Numbers::Float64($values) => $then,
            Numbers::Int32($values) => $then,
            Numbers::Int64($values) => $then,
        }
    };
}

impl Numbers {
    /// `None` if the field is not of one of the types.
    pub(super) fn of(field: &Field) -> Option<Self> {
        let nullable = field.is_nullable();
        Some(match field.data_type() {
            DataType::Float32 => Self::Float32(Values::new(nullable)),
            DataType::Float64 => Self::Float64(Values::new(nullable)),
            DataType::Int32 => Self::Int32(Values::new(nullable)),
            DataType::Int64 => Self::Int64(Values::new(nullable)),
            _ => return None,
        })
    }

    pub(super) fn len(&self) -> usize {
        each!(self, values => values.len())
    }

    pub(super) fn reserve(&mut self, numbers: usize) {
        each!(self, values => values.reserve(numbers));
    }

    /// Reads one number.
    pub(super) fn read(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        each!(self, values => values.read(cursor))
    }

    /// Reads all numbers of a list.
    pub(super) fn read_list(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        each!(self, values => values.read_list(cursor))
    }

    pub(super) fn push_null(&mut self) -> Option<()> {
        each!(self, values => values.push_null(Default::default()))
    }

    pub(super) fn pad(&mut self, numbers: usize) {
        each!(self, values => values.pad(numbers));
    }

    pub(super) fn truncate(&mut self, numbers: usize) {
        each!(self, values => values.truncate(numbers));
    }

    pub(super) fn array(&mut self) -> ArrayRef {
        match self {
            Self::Float32(values) => Arc::new(array::<Float32Type>(values.take())),
            Self::Float64(values) => Arc::new(array::<Float64Type>(values.take())),
            Self::Int32(values) => Arc::new(array::<Int32Type>(values.take())),
            Self::Int64(values) => Arc::new(array::<Int64Type>(values.take())),
        }
    }
}

/// An array of values and nulls.
pub(super) fn array<T: ArrowPrimitiveType>((values, nulls): (Vec<T::Native>, Option<NullBuffer>)) -> PrimitiveArray<T> {
    PrimitiveArray::new(ScalarBuffer::from(values), nulls)
}

/// Offsets of what lies behind one another.
pub(super) fn offsets(ends: Vec<i32>) -> OffsetBuffer<i32> {
    OffsetBuffer::new(ScalarBuffer::from_iter([0].into_iter().chain(ends)))
}
