//! `[features]` against the columns that the input really has.

use arrow_schema::{DataType, Field, Schema};

use super::columns::{is_feature, is_number, is_scalar, is_time};
use super::error::FeatureError;
use super::nearest::nearest;
use super::{Features, Statistics};

const NUMBER: &str = "a column of floats or integers is needed";
const FEATURE: &str = "a column, list or fixed-size list of floats, or a column of integers is needed";
const SCALAR: &str = "a column of numbers, booleans, text, bytes, dates or timestamps is needed";
const TIME: &str = "a timestamp, or int64 nanoseconds since the epoch, is needed";

impl Features {
    /// Checks that every named column exists in `schema` with a type that can be used.
    ///
    /// # Errors
    /// The first column that is missing (with the nearest name) or of another type.
    pub fn check_schema(&self, schema: &Schema) -> Result<(), FeatureError> {
        let (key, usable, wanted): (_, fn(&DataType) -> bool, _) = match self.window() {
            Some(_) => ("features.window.sensors", is_number, NUMBER),
            None => ("features.columns", is_feature, FEATURE),
        };
        for column in self.columns() {
            check(schema, key, column, usable, wanted)?;
        }
        for column in self.key() {
            check(schema, "features.key", column, is_scalar, SCALAR)?;
        }
        if let Some(column) = self.time() {
            check(schema, "features.time", column, is_time, TIME)?;
        }
        if let Some(column) = self.series() {
            check(schema, "features.series", column, is_scalar, SCALAR)?;
        }
        if let Some(column) = self.label() {
            check(schema, "features.label", column, is_scalar, SCALAR)?;
        }
        for column in self.keep() {
            check(schema, "features.keep", column, |_| true, "")?;
        }
        Ok(())
    }

    /// The columns of [`Minibatch::extras`](super::Minibatch::extras): `label`, then the kept columns; all may be null.
    ///
    /// # Errors
    /// If `schema` lacks one of them.
    pub fn extra_fields(&self, schema: &Schema) -> Result<Vec<Field>, FeatureError> {
        let mut fields = Vec::new();
        if let Some(column) = self.label() {
            let field = find(schema, "features.label", column)?;
            fields.push(Field::new("label", field.data_type().clone(), true));
        }
        for column in self.keep() {
            let field = find(schema, "features.keep", column)?;
            fields.push(Field::new(column, field.data_type().clone(), true));
        }
        Ok(fields)
    }

    /// Number of features of a row, unless lists of any length make it a matter of the rows.
    pub fn width(&self, schema: &Schema) -> Option<usize> {
        match self.window() {
            Some(window) => Some(Statistics::feature_names(window.sensors()).len()),
            None => self.lengths(schema).into_iter().map(|length| Some(length?.max(1))).sum(),
        }
    }

    /// Length of each feature column: 0 for a single value, `None` if the rows decide.
    fn lengths(&self, schema: &Schema) -> Vec<Option<usize>> {
        self.columns()
            .iter()
            .map(|column| match schema.field_with_name(column).map(Field::data_type) {
                Ok(DataType::FixedSizeList(_, size)) => usize::try_from(*size).ok(),
                Ok(DataType::List(_) | DataType::LargeList(_)) | Err(_) => None,
                Ok(_) => Some(0),
            })
            .collect()
    }

    /// Names of the `width` features of a row, for people: `mean(ax)`, a column, or a column and the place in its list.
    pub fn feature_names(&self, schema: &Schema, width: usize) -> Vec<String> {
        if let Some(window) = self.window() {
            return Statistics::feature_names(window.sensors());
        }
        let lengths = self.lengths(schema);
        let known: usize = lengths.iter().flatten().map(|&length| length.max(1)).sum();
        // Only the length of a single list can be told from the width; with more the rest is numbered through.
        let unknown = lengths.iter().filter(|length| length.is_none()).count();
        let mut names = Vec::with_capacity(width);
        for (column, length) in self.columns().iter().zip(&lengths) {
            match length {
                Some(0) => names.push(column.clone()),
                Some(length) => names.extend((0..*length).map(|i| format!("{column}[{i}]"))),
                None if unknown == 1 => {
                    names.extend((0..width.saturating_sub(known)).map(|i| format!("{column}[{i}]")));
                }
                None => return (0..width).map(|i| format!("feature[{i}]")).collect(),
            }
        }
        names
    }
}

fn find<'a>(schema: &'a Schema, key: &'static str, column: &str) -> Result<&'a Field, FeatureError> {
    schema.field_with_name(column).map_err(|_| FeatureError::MissingColumn {
        key,
        column: column.to_owned(),
        suggestion: nearest(column, schema.fields().iter().map(|field| field.name().as_str())).map(str::to_owned),
    })
}

fn check(
    schema: &Schema,
    key: &'static str,
    column: &str,
    usable: fn(&DataType) -> bool,
    wanted: &'static str,
) -> Result<(), FeatureError> {
    let found = find(schema, key, column)?.data_type();
    if usable(found) {
        return Ok(());
    }
    Err(FeatureError::WrongType { key, column: column.to_owned(), found: found.clone(), wanted })
}
