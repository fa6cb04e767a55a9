//! Feature columns: numbers and lists of numbers, concatenated.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::{Array, FixedSizeListArray, OffsetSizeTrait, RecordBatch};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use arrow_schema::DataType;

use super::super::error::FeatureError;
use super::Flaw;
use super::extras::column;
use super::numbers::{Numbers, is_number};
use crate::stats::all_finite;

/// Whether [`FeatureColumns`] can read the type.
pub(in crate::data) fn is_feature(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item) | DataType::LargeList(item) => item.data_type().is_floating(),
        DataType::FixedSizeList(item, size) => item.data_type().is_floating() && *size > 0,
        other => is_number(other),
    }
}

/// The feature columns of one batch.
pub(in crate::data) struct FeatureColumns<'a> {
    columns: Vec<FeatureColumn<'a>>,
}

struct FeatureColumn<'a> {
    name: &'a str,
    numbers: Numbers,
    shape: Shape,
}

/// Where the numbers of a row lie.
enum Shape {
    /// One number a row.
    Scalar,
    /// As many a row as the type says.
    Fixed { size: usize, nulls: Option<NullBuffer> },
    /// From one bound to the next.
    Ragged { bounds: Vec<usize>, nulls: Option<NullBuffer> },
}

/// The first value of a row that is not a finite number.
struct Hole<'a> {
    column: &'a str,
    element: Option<usize>,
    null: bool,
    value: f32,
}

impl<'a> FeatureColumns<'a> {
    /// Finds and downcasts the columns.
    ///
    /// # Errors
    /// If one is missing or of another type.
    pub(in crate::data) fn bind(batch: &RecordBatch, names: &'a [String]) -> Result<Self, FeatureError> {
        let columns = names.iter().map(|name| FeatureColumn::bind(batch, name)).collect::<Result<_, _>>()?;
        Ok(Self { columns })
    }

    /// Appends the features of a row to `out`, unusable ones as NaN or infinity. `widths` holds the number of features of
    /// every column as far as known, and learns it from the first row that has them.
    ///
    /// # Errors
    /// If a list has another length; if a list of unknown length is null; with `strict` if a value is null or not finite.
    pub(in crate::data) fn read(
        &self,
        row: usize,
        widths: &mut [Option<usize>],
        strict: bool,
        out: &mut Vec<f32>,
    ) -> Result<(), Flaw> {
        for (column, width) in self.columns.iter().zip(widths) {
            let start = out.len();
            column.read(row, width, out)?;
            if strict {
                column.whole(row, &out[start..])?;
            }
        }
        Ok(())
    }

    /// The features of a row, of which each must be there: where they lie if that is one place, else gathered. `widths` as in
    /// [`read`](Self::read).
    ///
    /// # Errors
    /// If a list is null or has another length, or a value is null or not finite.
    pub(in crate::data) fn whole(&self, row: usize, widths: &mut [Option<usize>]) -> Result<ScalarBuffer<f32>, Flaw> {
        if let ([column], [width]) = (self.columns.as_slice(), &mut *widths)
            && let Some(range) = column.range(row)
            && column.numbers.all_there()
        {
            column.check_width(range.len(), width)?;
            let values = column.numbers.slice(range);
            column.whole(row, &values)?;
            return Ok(values);
        }
        let mut values = Vec::with_capacity(widths.iter().flatten().sum());
        self.read(row, widths, true, &mut values)?;
        Ok(values.into())
    }
}

impl<'a> FeatureColumn<'a> {
    fn bind(batch: &RecordBatch, name: &'a str) -> Result<Self, FeatureError> {
        let array = column(batch, name)?;
        let wrong = || FeatureError::WrongType {
            key: "features.columns",
            column: name.to_owned(),
            found: array.data_type().clone(),
            wanted: "numbers or lists of floats are needed",
        };
        let (numbers, shape) = match array.data_type() {
            DataType::FixedSizeList(_, _) => fixed(array.as_fixed_size_list()),
            DataType::List(_) => ragged::<i32>(array),
            DataType::LargeList(_) => ragged::<i64>(array),
            _ => (Numbers::new(array), Shape::Scalar),
        };
        Ok(Self { name, numbers: numbers.ok_or_else(wrong)?, shape })
    }

    fn range(&self, row: usize) -> Option<Range<usize>> {
        match &self.shape {
            Shape::Scalar => Some(row..row + 1),
            Shape::Fixed { size, nulls } => present(nulls, row).then(|| row * size..(row + 1) * size),
            Shape::Ragged { bounds, nulls } => present(nulls, row).then(|| bounds[row]..bounds[row + 1]),
        }
    }

    fn read(&self, row: usize, width: &mut Option<usize>, out: &mut Vec<f32>) -> Result<(), Flaw> {
        let name = self.name;
        let Some(range) = self.range(row) else {
            let wanted = width.ok_or_else(|| {
                Flaw::new("null_feature", format!("column `{name}` is null and its length is not known yet"))
            })?;
            out.resize(out.len() + wanted, f32::NAN);
            return Ok(());
        };
        self.check_width(range.len(), width)?;
        self.numbers.extend(range, out);
        Ok(())
    }

    fn check_width(&self, found: usize, width: &mut Option<usize>) -> Result<(), Flaw> {
        let wanted = width.unwrap_or(found);
        if found != wanted || wanted == 0 {
            let wanted = if wanted == 0 { "at least one".to_owned() } else { wanted.to_string() };
            let detail = format!("column `{}` has {found} values, {wanted} are needed", self.name);
            return Err(Flaw::new("list_length", detail));
        }
        *width = Some(wanted);
        Ok(())
    }

    /// Whether all values of a row are finite.
    fn whole(&self, row: usize, values: &[f32]) -> Result<(), Flaw> {
        if all_finite(values) {
            return Ok(());
        }
        let hole = values.iter().position(|value| !value.is_finite());
        hole.map_or(Ok(()), |place| Err(self.hole(row, place, values[place]).flaw()))
    }

    fn hole(&self, row: usize, place: usize, value: f32) -> Hole<'a> {
        let range = self.range(row);
        let null = range.as_ref().is_none_or(|range| self.numbers.is_null(range.start + place));
        let element = (range.is_some() && !matches!(self.shape, Shape::Scalar)).then_some(place);
        Hole { column: self.name, element, null, value }
    }
}

impl Hole<'_> {
    fn flaw(&self) -> Flaw {
        let element = self.element.map(|element| format!(" element {element}")).unwrap_or_default();
        let column = self.column;
        if self.null {
            Flaw::new("null_feature", format!("column `{column}`{element} is null"))
        } else {
            Flaw::new("not_finite", format!("column `{column}`{element} is {}, a finite number is needed", self.value))
        }
    }
}

fn present(nulls: &Option<NullBuffer>, row: usize) -> bool {
    nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row))
}

fn fixed(lists: &FixedSizeListArray) -> (Option<Numbers>, Shape) {
    let size = usize::try_from(lists.value_length()).unwrap_or(0);
    (Numbers::new(lists.values()), Shape::Fixed { size, nulls: lists.nulls().cloned() })
}

/// Of a slice of a long column only the numbers of its own rows are taken, so that conversion costs what is read.
fn ragged<O: OffsetSizeTrait>(array: &dyn Array) -> (Option<Numbers>, Shape) {
    let lists = array.as_list::<O>();
    let offsets = lists.value_offsets();
    let first = offsets[0].as_usize();
    let last = offsets[lists.len()].as_usize();
    let bounds = offsets.iter().map(|offset| offset.as_usize() - first).collect();
    (Numbers::new(&lists.values().slice(first, last - first)), Shape::Ragged { bounds, nulls: lists.nulls().cloned() })
}

#[cfg(test)]
mod tests;
