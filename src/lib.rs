//! Clusters sensor streams and keeps the clusters even.

pub mod checkpoint;
pub mod connector;
pub mod data;
