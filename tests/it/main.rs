//! Everything that is tested from outside, against real back ends, in one binary.

mod ambiguity;
mod attacks;
mod aws;
mod backends;
mod benches;
mod capacity;
mod cli;
mod collect;
mod durability;
mod dynamodb;
mod faults;
mod garbage;
#[cfg(feature = "failpoints")]
mod kills;
mod large;
mod lasting;
mod layers;
mod ledger;
mod link;
mod model;
mod models;
mod proxy;
mod releases;
mod resume;
mod retries;
mod rewriting;
mod server;
mod simulation;
mod slow;
mod sqlite;
mod stalls;
mod store;
mod table;
mod transfers;
mod trips;
#[cfg(feature = "weak-s3-ledger")]
mod weak_s3;
mod wire;
mod words;
mod workflows;
