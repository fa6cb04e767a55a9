//! Clusters sensor streams and keeps the clusters even.

pub mod checkpoint;
pub mod cli;
pub mod config;
pub mod connector;
pub mod data;
pub mod error;
pub mod flow;
pub mod learner;
pub mod network;
pub mod objective;
pub mod pipeline;
pub mod replica;
pub mod report;
pub mod serve;
pub mod stats;
pub mod telemetry;
