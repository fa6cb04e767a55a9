//! Clusters sensor streams and keeps the clusters even.

pub mod config;
pub mod connector;
pub mod data;
pub mod learner;
pub mod report;
pub mod stats;
