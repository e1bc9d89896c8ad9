//! Conformance suites: one body of tests for each interface, run against every back end.

pub mod ledger;
mod store;
mod table;
