//! Creating the table, checking its shape, and identifying it.

use super::{
    PostgresTable,
    fault::{Stage, fault, silent},
    reading::ANSWER,
};
use crate::{
    failpoint::reach,
    fault::{Fault, FaultKind},
    model::Created,
};
use tokio::time::timeout;
use tokio_postgres::{Error, Row, error::SqlState};

/// The columns of the table: name, type and collation.
pub(super) const COLUMNS: &str = "pk text C, sk text C, item text";
/// The columns of its primary key.
pub(super) const PRIMARY: &str = "pk, sk";

/// The shape of a table.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) columns: Option<String>,
    pub(super) primary: Option<String>,
    /// True for an ordinary table: no view, and no foreign, partitioned or temporary table.
    pub(super) is_ordinary: bool,
    /// False for an unlogged table, which a crash empties.
    pub(super) is_logged: bool,
    /// The encoding of the database.
    pub(super) encoding: String,
}

impl Shape {
    /// Returns the reason why it can't hold a ledger.
    pub(super) fn wrong(&self) -> Option<String> {
        let columns = self.columns.as_deref().unwrap_or("none");
        let primary = self.primary.as_deref().unwrap_or("none");
        if !self.is_ordinary {
            return Some("it is no ordinary table".to_owned());
        }
        if self.encoding != "UTF8" {
            return Some(format!("the encoding of its database is {}, not UTF8", self.encoding));
        }
        if columns != COLUMNS {
            return Some(format!("its columns are {columns}, not {COLUMNS}"));
        }
        (primary != PRIMARY).then(|| format!("its primary key is {primary}, not {PRIMARY}"))
    }
}

/// Returns the shape of the table, if there is one.
pub(super) async fn shape(table: &PostgresTable, doing: &str) -> Result<Option<Shape>, Fault> {
    let sql = format!(
        "SELECT pg_is_in_recovery(), \
         (SELECT string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod) \
          || CASE WHEN l.collname = 'C' THEN ' C' ELSE '' END, ', ' ORDER BY a.attnum) \
          FROM pg_attribute a LEFT JOIN pg_collation l ON l.oid = a.attcollation \
          WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), \
         (SELECT string_agg(a.attname, ', ' ORDER BY k.n) FROM pg_index x \
          CROSS JOIN LATERAL unnest(x.indkey::int2[]) WITH ORDINALITY AS k(attnum, n) \
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum \
          WHERE x.indrelid = c.oid AND x.indisprimary), \
         c.relkind = 'r' AND c.relpersistence <> 't', c.relpersistence = 'p', getdatabaseencoding()::text, \
         c.oid IS NOT NULL \
         FROM (SELECT to_regclass('{}')::oid AS oid) AS named LEFT JOIN pg_class c ON c.oid = named.oid",
        table.statements.table
    );
    let rows = table.read(doing, &sql, &[]).await?;
    let odd = |error: Error| Fault::new(FaultKind::Unexpected, doing, error);
    let Some(row) = rows.first() else { return Ok(None) };
    let read = |row: &Row| -> Result<Option<Shape>, Error> {
        if !row.try_get::<_, bool>(6)? {
            return Ok(None);
        }
        Ok(Some(Shape {
            columns: row.try_get(1)?,
            primary: row.try_get(2)?,
            is_ordinary: row.try_get(3)?,
            is_logged: row.try_get(4)?,
            encoding: row.try_get(5)?,
        }))
    };
    read(row).map_err(odd)
}

/// Creates the table, or checks the one that is there.
pub(super) async fn create(table: &PostgresTable) -> Result<Created, Fault> {
    let doing = format!("creating the table {}", table.pool.place().table);
    if let Some(shape) = shape(table, &doing).await? {
        return match shape.wrong() {
            None => Ok(Created::Present),
            Some(wrong) => Err(Fault::new(FaultKind::Misconfigured, doing, wrong)),
        };
    }
    // Two at once would meet in the catalogue, with an error that says nothing.
    let sql = format!(
        "BEGIN; SET LOCAL synchronous_commit = on; SELECT pg_advisory_xact_lock(hashtextextended('sacker', 0)); \
         CREATE TABLE {} (pk text COLLATE \"C\" NOT NULL, sk text COLLATE \"C\" NOT NULL, item text NOT NULL, \
         PRIMARY KEY (pk, sk)); COMMIT",
        table.statements.table
    );
    let lease = table.pool.lease(&doing).await?;
    let Ok(made) = timeout(ANSWER, lease.client().batch_execute(&sql)).await else {
        return Err(silent(&doing, Stage::Committing, ANSWER.as_secs()));
    };
    match made {
        Ok(()) => {
            lease.finish();
            reach("table-made");
            Ok(Created::Made)
        }
        // Another client was faster. The transaction ends with the connection.
        Err(error) if error.code() == Some(&SqlState::DUPLICATE_TABLE) => {
            Err(Fault::new(FaultKind::Contended, doing, "another client has just created it"))
        }
        Err(error) => Err(fault(&doing, Stage::Committing, &error)),
    }
}

/// Returns the numbers of the cluster, the database and the table; `None` if there is no table.
///
/// A standby has the same numbers as its primary. A table that was restored from a dump, or by `pg_upgrade`, has others.
pub(super) async fn home(table: &PostgresTable) -> Result<Option<String>, Fault> {
    let doing = table.reading();
    let sql = |system: &str| {
        format!(
            "SELECT pg_is_in_recovery(), {system}, \
             (SELECT oid FROM pg_database WHERE datname = current_database())::text, to_regclass('{}')::oid::text",
            table.statements.table
        )
    };
    let rows =
        table.read(&doing, &sql("(SELECT system_identifier::text FROM pg_control_system())"), &[]).await;
    let rows = match rows {
        // Some operators revoke the function.
        Err(fault) if fault.kind == FaultKind::Denied => {
            table.read(&doing, &sql("'unknown'::text"), &[]).await?
        }
        rows => rows?,
    };
    let odd = |error: Error| Fault::new(FaultKind::Unexpected, &doing, error);
    let Some(row) = rows.first() else { return Ok(None) };
    let (system, database): (String, String) = (row.try_get(1).map_err(odd)?, row.try_get(2).map_err(odd)?);
    let number: Option<String> = row.try_get(3).map_err(odd)?;
    Ok(number.map(|number| format!("postgres:{system}/{database}/{number}")))
}
