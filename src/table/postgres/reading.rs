//! Reads: each is one statement, which sees one snapshot.

use super::{
    PostgresTable,
    fault::{Stage, fault, silent, standby},
};
use crate::{
    fault::{Fault, FaultKind},
    table::{Item, Key},
};
use std::{collections::HashMap, time::Duration};
use tokio::time::timeout;
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};
use tracing::{Instrument, debug_span};

/// The time in which a statement must be answered: longer than the server's own limit within a transaction.
pub(super) const ANSWER: Duration = Duration::from_secs(10);

/// A parameter of a statement.
pub(super) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

impl PostgresTable {
    /// Reads by one statement, on a connection that is made if none is idle.
    pub(super) async fn read(
        &self,
        doing: &str,
        sql: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, Fault> {
        let lease = self.pool.lease(doing).await?;
        let span = debug_span!("postgres.SELECT", table = self.statements.table);
        let asked = lease.client().query_typed(sql, parameters).instrument(span);
        let Ok(answer) = timeout(ANSWER, asked).await else {
            return Err(silent(doing, Stage::Reading, ANSWER.as_secs()));
        };
        let rows = answer.map_err(|error| fault(doing, Stage::Reading, &error));
        if let Ok(rows) = &rows {
            // A connection that leads to a standby is not used again.
            check_primary(rows, doing)?;
        }
        lease.finish();
        rows
    }

    /// Returns the item in a column, and its text as it is stored; `None` if there is no item.
    pub(super) fn item(
        &self,
        row: &Row,
        column: usize,
        key: impl FnOnce() -> String,
    ) -> Result<Option<(Item, String)>, Fault> {
        let doing = self.reading();
        let damaged = |source: String| Fault::new(FaultKind::Corrupt, &doing, source);
        let text: Option<String> = row.try_get(column).map_err(|error| damaged(error.to_string()))?;
        let Some(text) = text else { return Ok(None) };
        let item = serde_json::from_str(&text);
        let item = item.map_err(|error| damaged(format!("the item {} is no JSON: {error}", key())))?;
        Ok(Some((item, text)))
    }

    /// Returns the items of a page with the keys that the rows hold, and whether more than `limit` were read.
    pub(super) fn page(&self, rows: &[Row], limit: usize) -> Result<(Vec<(Key, Item)>, bool), Fault> {
        let doing = self.reading();
        let damaged = |error: tokio_postgres::Error| Fault::new(FaultKind::Corrupt, &doing, error);
        let mut items = Vec::new();
        for row in rows {
            // The one row of an empty page has only what was read of the server.
            let Some(pk) = row.try_get::<_, Option<String>>(1).map_err(damaged)? else { continue };
            let key = Key::new(pk, row.try_get::<_, String>(2).map_err(damaged)?);
            if let Some((item, _)) = self.item(row, 3, || key.to_string())? {
                items.push((key, item));
            }
        }
        let more = items.len() > limit;
        items.truncate(limit);
        Ok((items, more))
    }

    /// Returns the items of rows that answer to these keys.
    pub(super) fn items<'a>(
        &self,
        keys: &[&'a Key],
        rows: &[Row],
    ) -> Result<HashMap<&'a Key, (Item, String)>, Fault> {
        if rows.len() != keys.len() {
            let source = format!("{} answers to {} keys", rows.len(), keys.len());
            return Err(Fault::new(FaultKind::Unexpected, self.reading(), source));
        }
        let mut items = HashMap::new();
        for (key, row) in keys.iter().zip(rows) {
            if let Some(found) = self.item(row, 1, || key.to_string())? {
                items.insert(*key, found);
            }
        }
        Ok(items)
    }
}

/// Refuses rows that a standby returned: they may be old.
pub(super) fn check_primary(rows: &[Row], doing: &str) -> Result<(), Fault> {
    match rows.first().map(|row| row.try_get(0)) {
        Some(Ok(false)) => Ok(()),
        Some(Ok(true)) => Err(standby(doing, "the connection leads to a standby now")),
        Some(Err(error)) => Err(Fault::new(FaultKind::Unexpected, doing, error)),
        None => Err(Fault::new(FaultKind::Unexpected, doing, "an answer without a row")),
    }
}
