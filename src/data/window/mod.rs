//! Raw readings become windows.
//!
//! Readings are grouped by key and put into the order of event time ([`reorder`]), split into series and cut into windows of
//! a fixed number of readings ([`cut`]); every window is one row. A reading ends in exactly one of three ways: it is in at
//! least one window, it is a dead letter, or it is counted in [`Minibatch::unwindowed`](super::Minibatch::unwindowed) as soon
//! as it is certain that no window will contain it.
//!
//! Only readings that lie within `lateness_s` of their key's newest are held back. What belongs to a key is kept in flat
//! buffers that are reused; a reading costs no allocation.

mod cut;
mod featurizer;
mod held;
mod labels;
mod reorder;
mod run;
mod snapshot;

pub use featurizer::WindowFeaturizer;

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
