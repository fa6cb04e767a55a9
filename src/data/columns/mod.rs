//! Typed readers over the columns of one batch.
//!
//! Columns are looked up and downcast once a batch; after that everything is read by row number. A row that cannot be read
//! has a [`Flaw`], which [`Flaw::dead_letter`] turns into the record that people get to see.

mod extras;
mod features;
mod flaw;
mod identity;
mod json;
mod numbers;
mod scalar;
mod times;

pub(super) use extras::{column, keep_type};
pub(super) use features::{FeatureColumns, is_feature};
pub(super) use flaw::Flaw;
pub use flaw::REASONS;
pub(super) use identity::Identity;
pub use json::record_as_json;
pub(super) use numbers::is_number;
pub use scalar::label_text;
pub(super) use scalar::{Scalars, is_scalar, scalars};
pub(super) use times::is_time;
