//! The client: where the table is, its connections and its statements.

use super::{session::Pool, standard::Standard, statements::Statements};
use crate::{clock::ServerTime, endpoint::PostgresPlace};
use std::{
    fmt,
    sync::{Arc, OnceLock},
};

/// A table in a PostgreSQL database.
///
/// Connections are made when they are needed, at most eight, and kept for the lifetime of the value. Any future may be
/// dropped: its connection is then closed, and a transaction that was not committed is rolled back.
pub struct PostgresTable {
    pub(super) pool: Arc<Pool>,
    pub(super) statements: Statements,
    pub(super) home: OnceLock<String>,
}

impl fmt::Debug for PostgresTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresTable").field("place", self.pool.place()).finish_non_exhaustive()
    }
}

impl PostgresTable {
    /// Creates a handle of the table at a place. Sends nothing yet.
    #[must_use]
    pub fn new(place: PostgresPlace, standard: Standard) -> Self {
        let statements = Statements::new(&place.quoted());
        Self { pool: Arc::new(Pool::new(place, standard)), statements, home: OnceLock::new() }
    }

    /// Returns the time of the server, which each new connection states.
    #[must_use]
    pub fn server_time(&self) -> ServerTime {
        self.pool.time()
    }

    pub(super) fn reading(&self) -> String {
        format!("reading the table {}", self.pool.place().table)
    }

    pub(super) fn writing(&self) -> String {
        format!("writing to the table {}", self.pool.place().table)
    }
}
