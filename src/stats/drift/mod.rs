//! Has the stream left what the model was made for, and in which way?
//!
//! A [`Monitor`] sees every assigned row through a frozen reference encoder, in stream order, and looks at it every
//! [`CHECK_ROWS`] rows. Four signals answer different questions:
//!
//! | signal | window | question |
//! | --- | --- | --- |
//! | [`Reconstruction`](Signal::Reconstruction) | [`WINDOW_ROWS`] | do the features still hang together as they did? (a sensor) |
//! | [`Centroid`](Signal::Centroid) | [`WINDOW_ROWS`] | do the clusters still lie where they lay? (a sensor; slower) |
//! | [`Shares`](Signal::Shares) | [`SHARE_ROWS`] | are the clusters as frequent as they were? (the population) |
//! | [`Embedding`](Signal::Embedding) | [`WINDOW_ROWS`] | are the rows as a whole where they were? (the population) |
//!
//! With each [`Reference`] a new calibration starts. It lasts [`CALIBRATION_ROWS`] rows for the signals of the sensor, twice
//! that for those of the population, and at least [`CALIBRATION_CHECKS`] checks, and gives
//!
//! ```text
//! threshold = mean + z * deviation        of the signal's scores during the calibration
//! threshold = (mean + z * deviation)^2    of the square roots of the scores, for the shares
//! ```
//!
//! An alarm is raised when the score is above the threshold on [`CONSECUTIVE_CHECKS`] checks in a row, and no other before
//! it has been at or below it for as many. The windows overlap and the deviation is an estimate from few windows, so `z` is
//! larger than a normal distribution and the accepted number of false alarms would suggest: it never goes below 6.
//!
//! The order of the rows matters more than any of this, and the budget of false alarms is no promise on a stream that stays
//! with one activity for long. Of 40 simulated streams of 20,000 rows without drift and with four equally frequent clusters
//! none had an alarm where rows were independent, two at most where a cluster lasted for 6 rows on average, six at most where
//! it lasted for 12.
//!
//! Nothing here depends on how the rows are grouped into calls, and all state can be serialised: a restored monitor goes on
//! as the one that was saved.
//!
//! Source of the window, the step, the consecutive checks and `z`: our own experiments on UCI HAR with injected faults.

mod event;
mod features;
mod monitor;
mod parameters;
mod threshold;
mod window;

#[cfg(test)]
mod tests;

pub use event::{Event, Score, Signal};
pub use monitor::{Monitor, Observation, Reference};
pub use parameters::{DriftParameterError, DriftParameters};

/// Rows in the window of every signal but the shares.
pub const WINDOW_ROWS: usize = 256;
/// Rows in the window of the shares.
pub const SHARE_ROWS: usize = 512;
/// Rows between two checks.
pub const CHECK_ROWS: u64 = 16;
/// How long a calibration lasts at least, in rows after the reference; see [`Signal::calibration_rows`].
pub const CALIBRATION_ROWS: u64 = 2000;
/// How many checks a calibration has at least.
pub const CALIBRATION_CHECKS: u64 = 64;
/// How many checks in a row it takes to raise an alarm, and to end it.
pub const CONSECUTIVE_CHECKS: u32 = 3;
/// Checks between two events that only report the scores.
pub const REPORT_CHECKS: u64 = 64;
