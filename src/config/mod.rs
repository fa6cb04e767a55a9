//! What the user wrote ([`Config`]) and what is valid ([`Plan`]).
//!
//! [`load`] reads a pipeline file: TOML, then `--set` overrides, then `${VAR}` in values, then the tables, each of them a
//! struct of the room it configures. Names are checked against the JSON Schema of those structs, so that a mistyped key is
//! answered with its line and the nearest valid name. [`Config::check`] holds every rule of what makes sense; the other
//! rooms are given only what passed it.

mod check;
mod cores;
mod error;
mod kafka;
mod load;
mod method;
mod names;
mod plan;
mod positions;
mod substitute;
mod tables;

pub use check::Rule;
pub use error::{ConfigError, Rules, UnknownKey};
pub use load::{assemble, load, open, parse};
pub use plan::{Plan, Source};
pub use tables::{Config, PipelineParameters, ServeParameters, SinkParameters, SourceParameters, json_schema};
