//! The tests that use sacker from outside, against real back ends, in one binary.

mod adversarial;
mod aws;
mod benches;
mod cli;
mod conformance;
mod docs;
mod examples;
mod faults;
mod large;
mod layers;
mod operations;
mod packaging;
mod pipelines;
#[cfg(feature = "postgres")]
mod postgres;
mod properties;
mod protocol_models;
mod releases;
mod simulation;
mod support;
#[cfg(feature = "weak-s3-ledger")]
mod weak_s3;
mod words;
