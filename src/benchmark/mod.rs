//! Published tables, measured again: which method reaches what on which data, beside what its paper says.
//!
//! A [`Suite`] is a file of lines, each a method on a data set. Everything a line says is said in the tables of a pipeline file,
//! and checked by the same rules. A line without an order is fitted on all rows at once, as papers do, for
//! `learning.warmup_steps` steps; a line with an order is streamed once through the learner, as a pipeline would be.
//! [`run`] measures what has not been [recorded](Record) yet, and draws what a network made of the rows; [`render`] shows all of
//! it.

mod baseline;
mod data;
mod document;
mod error;
mod file;
mod measure;
mod order;
mod picture;
mod record;
mod run;
mod suite;
mod table;
mod tables;

pub use baseline::{Baseline, BaselineKind};
pub use data::{DataPaths, data_paths};
pub use document::{document, render};
pub use error::BenchmarkError;
pub use file::write_text;
pub use measure::Score;
pub use order::Order;
pub use record::{Record, Records};
pub use run::{Progress, RunPlan, Task, plan, run};
pub use suite::{DataParameters, Line, LineParameters, MethodParameters, Nmi, Published, Suite, SuiteParameters};
pub use table::{Cell, Summary, summarise};
pub use tables::Tables;
