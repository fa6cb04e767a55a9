//! Parquet files as a live stream: published to a topic in event-time order, as fast as wanted.
//!
//! [`replay`] reads the rows (`Rows`), brings them into order, waits until each is due ([`Tempo`]) and publishes them in
//! any of the message formats, keyed, with an idempotent producer: every row once, in order, or an error.

mod error;
mod publisher;
mod rows;
mod run;
mod tempo;

pub use error::ReplayError;
pub use run::{Replay, Replayed, replay};
pub use tempo::Tempo;
