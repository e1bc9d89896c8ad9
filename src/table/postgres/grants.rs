//! The privileges of the role on the table, which the server states: nothing has to be tried.

use super::PostgresTable;
use crate::{
    fault::{Fault, FaultKind},
    model::{Grant, GrantState},
};

const PRIVILEGES: [&str; 4] = ["SELECT", "INSERT", "UPDATE", "DELETE"];

/// Returns whether the role has each privilege.
pub(super) async fn grants(table: &PostgresTable) -> Result<Vec<Grant>, Fault> {
    let name = &table.pool.place().table;
    let doing = format!("checking the privileges on the table {name}");
    let has = PRIVILEGES.map(|privilege| format!("has_table_privilege(t, '{privilege}')")).join(", ");
    let sql = format!(
        "SELECT pg_is_in_recovery(), row_security_active(t), {has} FROM (SELECT '{}'::regclass::oid AS t) AS named",
        table.statements.table
    );
    let rows = table.read(&doing, &sql, &[]).await?;
    let odd = |error: tokio_postgres::Error| Fault::new(FaultKind::Unexpected, &doing, error);
    let Some(row) = rows.first() else { return Ok(Vec::new()) };
    let by_row: bool = row.try_get(1).map_err(odd)?;
    PRIVILEGES
        .into_iter()
        .enumerate()
        .map(|(number, action)| {
            let state = match row.try_get(number + 2).map_err(odd)? {
                false => GrantState::Denied("the role has no such privilege".to_owned()),
                true if by_row => GrantState::NotKnown("row security decides for each item".to_owned()),
                true => GrantState::Granted,
            };
            Ok(Grant { action, resource: format!("the table {name}"), state })
        })
        .collect()
}
