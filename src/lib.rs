//! Clusters sensor streams and keeps the clusters even.
//!
//! Rows come from Parquet as Arrow batches, raw readings are cut into windows, and a timely dataflow takes every row through a
//! deep encoder and balanced centroids that learn from it afterwards. What leaves are assignments, drift events and metrics.
//!
//! # The house
//!
//! Two sentences carry the design. The dataflow knows no tensors, the learner knows no timestamps, and they meet at one trait,
//! [`Replica`](replica::Replica). Everything that crosses workers is a sum.
//!
//! ```text
//!  7   main  cli                        the door: arguments in, exit code out
//!  6   pipeline  config  error          the rooms that see every other; report, benchmark and serve beside them
//!  5   flow                             time: epochs, rounds, checkpoints   (the only room that says `timely`)
//!  4   learner                          one model replica: predict, then train
//!  3   objective                        what is learned: losses behind one trait
//!  2   network                          tensors from one flat vector        (these three are the only ones to say `burn`)
//!  2'  connector  checkpoint            the outside world: Parquet, files
//!  1   data  replica  telemetry         rows, windows, the seam; names of metrics
//!  0   stats                            arithmetic on slices
//! ```
//!
//! A room uses lower floors only; `tests/architecture.rs` holds this. To add a method, write one file in [`objective`]; to add an
//! input or output, implement [`Source`](connector::Source) or [`Sink`](connector::Sink).
//!
//! # Without a stream
//!
//! The objectives cluster arrays as well: [`learner::Fit`] trains one on [`learner::Rows`], [`learner::Model`] assigns new rows,
//! is saved and loaded. `examples/cluster_an_array.rs` does all of it, `examples/own_objective.rs` adds a method of its own.
//!
//! ```
//! use evenkeel::learner::{Fit, Model, Rows};
//!
//! let features: Vec<f32> = (0..300).flat_map(|i| [(i % 3) as f32, (i % 3 * i % 2) as f32]).collect();
//! let fit = Fit { clusters: 3, encoder: vec![16], embedding: 4, steps: 50, ..Fit::default() };
//! let model: Model = fit.run(&Rows::new(&features, 2)?)?;
//! let assignment = model.assign(&Rows::new(&[2.0, 0.0], 2)?)?;
//! assert!(assignment.clusters[0] < 3);
//! # Ok::<(), evenkeel::learner::ArrayError>(())
//! ```
//!
//! # A stream
//!
//! ```
//! use std::path::Path;
//!
//! let plan = evenkeel::config::open(Path::new("pipelines/quickstart.toml"), &["model.clusters=5".to_owned()])?;
//! assert_eq!(plan.model().clusters, 5);
//! assert_eq!(plan.features().window().map(|window| (window.length(), window.hop())), Some((128, 64)));
//! # Ok::<(), evenkeel::config::ConfigError>(())
//! ```

#![warn(clippy::unwrap_used)]

pub mod benchmark;
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
