//! The table in PostgreSQL.
//!
//! The table has a row for each item: two keys, ordered bytewise, and the item as JSON text. All reads and writes go to
//! the primary; a standby is refused. A read is one statement, which sees all that was committed before it. Writers lock
//! the partitions of their items, by advisory locks that end with the transaction, so transactions are serialisable, and
//! wait for each other in a queue of the server. A commit is durable on return: it sets `synchronous_commit` itself.

mod api;
mod client;
mod commit;
mod create;
mod fault;
mod grants;
mod reading;
mod session;
mod settings;
mod standard;
mod statements;
mod tls;

pub use client::PostgresTable;
pub use standard::Standard;
