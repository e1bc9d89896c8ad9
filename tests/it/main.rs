//! Tests over the library's public face, against real back ends.

mod aws;
mod backends;
mod dynamodb;
mod sqlite;
mod table;
mod wire;
