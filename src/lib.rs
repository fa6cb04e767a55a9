//! Clusters sensor streams and keeps the clusters even.

pub mod connector;
pub mod data;
pub mod serve;
pub mod stats;
pub mod telemetry;
