//! Clusters sensor streams and keeps the clusters even.

pub mod cli;
pub mod config;
pub mod connector;
pub mod data;
pub mod error;
pub mod learner;
pub mod stats;
