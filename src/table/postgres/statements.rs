//! The statements, each for one table.
//!
//! None is prepared by name, so that any connection of a pooler serves. Every statement that reads also returns
//! `pg_is_in_recovery()`, with at least one row: a connection of a pooler may lead to another server later. Keys are
//! ordered bytewise (`COLLATE "C"`). A limit is part of the text: as a parameter, the planner does not know it.

use crate::table::Order;

/// Begins a transaction. The settings hold for it alone, whatever the role's or the server's defaults are.
///
/// A commit returns when it is flushed, here and on the synchronous standbys. A client that stops in the middle blocks
/// others for no longer than its locks may last.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; \
     SET LOCAL synchronous_commit = on; \
     SET LOCAL lock_timeout = 5000; \
     SET LOCAL statement_timeout = 8000; \
     SET LOCAL idle_in_transaction_session_timeout = 10000";

/// Ends the limit of time: a `COMMIT` that waits for a standby and is cancelled reports success without the standby.
pub(super) const UNLIMITED: &str = "SET LOCAL statement_timeout = 0";

/// The statements for one table.
#[derive(Debug)]
pub(super) struct Statements {
    /// The table's name in SQL.
    pub(super) table: String,
    /// Locks partitions (`$1`), each exclusively (`$2`) or shared, in one order for all clients.
    pub(super) lock: String,
    /// Reads the items with these keys (`$1`, `$2`), in their order: in one snapshot.
    pub(super) get: String,
    /// Inserts items: `$1`, `$2`, `$3`.
    pub(super) insert: String,
    /// Replaces items (`$1`, `$2`, `$3`) that still are as they were read (`$4`), or fails with a division by zero.
    pub(super) update: String,
    /// Removes items (`$1`, `$2`) that still are as they were read (`$3`), or fails with a division by zero.
    pub(super) delete: String,
}

impl Statements {
    pub(super) fn new(table: &str) -> Self {
        const SAME: &str = "i.pk = k.pk COLLATE \"C\" AND i.sk = k.sk COLLATE \"C\"";
        let keys = "unnest($1::text[], $2::text[])";
        Self {
            // The number of the table distinguishes the locks of tables, however the URLs spell the name.
            lock: format!(
                "SELECT CASE WHEN changes THEN pg_advisory_xact_lock(lock) ELSE pg_advisory_xact_lock_shared(lock) END \
                 FROM (SELECT hashtextextended(pk, '{table}'::regclass::oid::bigint) AS lock, bool_or(c) AS changes \
                 FROM unnest($1::text[], $2::bool[]) AS k(pk, c) GROUP BY 1 ORDER BY 1) AS locks"
            ),
            get: format!(
                "SELECT pg_is_in_recovery(), i.item FROM {keys} WITH ORDINALITY AS k(pk, sk, n) \
                 LEFT JOIN {table} AS i ON {SAME} ORDER BY k.n"
            ),
            insert: format!(
                "INSERT INTO {table} (pk, sk, item) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])"
            ),
            update: format!(
                "WITH done AS (UPDATE {table} AS i SET item = k.item \
                 FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS k(pk, sk, item, before) \
                 WHERE {SAME} AND i.item = k.before RETURNING 1) \
                 SELECT 1 / (count(*) = cardinality($1::text[]))::int FROM done"
            ),
            delete: format!(
                "WITH done AS (DELETE FROM {table} AS i \
                 USING unnest($1::text[], $2::text[], $3::text[]) AS k(pk, sk, before) \
                 WHERE {SAME} AND i.item = k.before RETURNING 1) \
                 SELECT 1 / (count(*) = cardinality($1::text[]))::int FROM done"
            ),
            table: table.to_owned(),
        }
    }

    /// Reads at most `limit` items of a partition (`$1`), with sort keys from `$2` to `$3`. The bound at which the order
    /// begins is outside of the range if `after` it.
    pub(super) fn query(&self, order: Order, after: bool, limit: u64) -> String {
        let (low, high, direction) = match (order, after) {
            (Order::Ascending, true) => (">", "<=", "ASC"),
            (Order::Ascending, false) => (">=", "<=", "ASC"),
            (Order::Descending, true) => (">=", "<", "DESC"),
            (Order::Descending, false) => (">=", "<=", "DESC"),
        };
        Self::page(&format!(
            "SELECT pk, sk, item FROM {} WHERE pk = $1 AND sk {low} $2 AND sk {high} $3 ORDER BY sk {direction} LIMIT {limit}",
            self.table
        ))
    }

    /// Reads at most `limit` items of the whole table after the key `$1`, `$2`.
    pub(super) fn scan(&self, limit: u64) -> String {
        Self::page(&format!(
            "SELECT pk, sk, item FROM {} WHERE (pk, sk) > ($1, $2) ORDER BY pk, sk LIMIT {limit}",
            self.table
        ))
    }

    fn page(items: &str) -> String {
        format!(
            "SELECT standby, pk, sk, item FROM (SELECT pg_is_in_recovery() AS standby) AS s \
             LEFT JOIN LATERAL ({items}) AS i ON true"
        )
    }
}
