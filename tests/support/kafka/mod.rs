//! A real Apache Kafka and a real schema registry for tests, without containers where there are none.
//!
//! [`shared`] is one broker for all tests of one test binary; [`Broker::start`] is one of your own that can be killed and started
//! again on the same folder. In this order a broker is: the one that `EVENKEEL_TEST_KAFKA=host:port` names (shared only), one in
//! Docker if an engine answers, one from Maven artefacts (Java 17 and Maven; 54 MB, fetched once into the target folder).
//! [`registry`] is an Apicurio with Confluent's API, likewise from Maven (142 MB), or what `EVENKEEL_TEST_REGISTRY=url` names.
//! Nothing outlives the test process, however it ends.

#![allow(dead_code, unused_imports, reason = "every test file uses its own part of this")]

mod artefacts;
mod broker;
mod client;
mod janitor;
mod registry;

pub use artefacts::{kafka as class_path, tool};
pub use broker::{Broker, Options, shared};
pub use client::{Follower, Received, create_topic, fresh_topic, produce, read_topic};
pub use registry::registry;
