//! The command line: one file per command, each with its arguments and `execute`.
//!
//! Standard output carries data and summaries, standard error carries messages.

pub mod arguments;
pub mod assign;
mod bar;
pub mod benchmark;
pub mod checkpoint;
pub mod completions;
pub mod evaluate;
mod launch;
pub mod logging;
pub mod replay;
pub mod report;
pub mod run;
pub mod schema;
mod summary;
mod table;
pub mod validate;
pub mod verify;

pub use arguments::{Arguments, Command};
pub use launch::run;
