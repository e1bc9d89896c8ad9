//! Everything that is tested from outside, against real back ends, in one binary.

mod aws;
mod backends;
mod cli;
mod dynamodb;
mod layers;
mod sqlite;
mod store;
mod table;
mod wire;
