//! The ledger in PostgreSQL: the program on it, faults of the server and of the network, and what its roles may do.
//!
//! The conformance suites of tables and ledgers run on it as on any other back end.

mod commands;
mod failover;
mod kills;
mod lost;
mod order;
mod roles;
mod shapes;
mod troubles;
