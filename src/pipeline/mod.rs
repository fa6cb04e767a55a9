//! Wires the rooms to each other: a plan becomes connectors, workers and checkpoints.
//!
//! [`run`] learns while it labels and resumes where it was stopped; [`assign`] labels with a frozen model. Both take the run
//! from the plan to the summary and leave printing, bars and exit codes to the door. [`portray`] shows what a run has left,
//! [`load`] reads a whole input for what needs it at once.

mod assign;
mod brokers;
mod feed;
mod load;
mod metrics;
mod model;
mod outlets;
mod portrait;
mod progress;
mod record;
mod run;
mod setup;
mod signals;
mod verify;

pub use assign::assign;
pub use load::{load, taught_settings};
pub use metrics::observe;
pub use portrait::{label_names, portray};
pub use progress::{GAP_BUCKETS, Progress, Totals};
pub use run::{Observers, Outcome, run};
pub use setup::{Input, PLAN_FILE, input_rows, settings, survey};
pub use signals::stop_on_signals;
pub use verify::{Verified, verify};
