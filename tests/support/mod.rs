//! Services that tests need, started and stopped by the tests themselves.

pub mod kafka;
