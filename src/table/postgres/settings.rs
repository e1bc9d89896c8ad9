//! The settings of the table and its server that a ledger relies on.

use super::{PostgresTable, create::shape};
use crate::{
    fault::{Fault, FaultKind},
    model::{Setting, SettingState, Severity},
};
use std::collections::HashMap;

/// A setting of the server that must be on.
struct Known {
    name: &'static str,
    /// The parameter in PostgreSQL.
    parameter: &'static str,
    title: &'static str,
    severity: Severity,
    repair: &'static str,
    holds: fn(&str) -> bool,
}

const SERVER: [Known; 5] = [
    Known {
        name: "server_fsync",
        parameter: "fsync",
        title: "flushing to the disk (fsync)",
        severity: Severity::Serious,
        repair: "ALTER SYSTEM SET fsync = on",
        holds: is_on,
    },
    Known {
        name: "server_full_page_writes",
        parameter: "full_page_writes",
        title: "surviving a torn page (full_page_writes)",
        severity: Severity::Serious,
        repair: "ALTER SYSTEM SET full_page_writes = on",
        holds: is_on,
    },
    Known {
        name: "server_synchronous_commit",
        parameter: "synchronous_commit",
        title: "commits that wait for the disk by default (sacker's own always do)",
        severity: Severity::Minor,
        repair: "ALTER SYSTEM SET synchronous_commit = on",
        holds: |value| matches!(value, "on" | "remote_apply"),
    },
    Known {
        name: "server_synchronous_standby",
        parameter: "synchronous_standby_names",
        title: "a synchronous standby, without which a failover to a standby can lose changes",
        severity: Severity::Minor,
        repair: "ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (NAME, NAME)'",
        holds: |value| !value.is_empty(),
    },
    Known {
        name: "server_archive_mode",
        parameter: "archive_mode",
        title: "continuous archiving, for point-in-time recovery (archive_mode)",
        severity: Severity::Minor,
        repair: "ALTER SYSTEM SET archive_mode = on",
        holds: |value| matches!(value, "on" | "always"),
    },
];

fn is_on(value: &str) -> bool {
    value == "on"
}

/// Reads each setting.
pub(super) async fn look(table: &PostgresTable) -> Result<Vec<Setting>, Fault> {
    let name = &table.pool.place().table;
    let doing = format!("checking the settings of the table {name}");
    let Some(shape) = shape(table, &doing).await? else {
        return Err(Fault::new(FaultKind::Missing, doing, "there is no such table"));
    };
    let wrong = shape.wrong();
    let mut settings = vec![
        Setting {
            name: "table_keys",
            title: format!("the columns, the keys and the encoding of the table {name}"),
            state: state(wrong.is_none()),
            // Only a new table can have others.
            repair: None,
            severity: Severity::Serious,
            found: wrong,
        },
        Setting {
            name: "table_logged",
            title: format!("surviving a crash (logging) of the table {name}"),
            state: state(shape.is_logged),
            repair: (!shape.is_logged).then(|| format!("ALTER TABLE {} SET LOGGED", table.statements.table)),
            severity: Severity::Serious,
            found: None,
        },
    ];
    let values = values(table, &doing).await?;
    settings.extend(SERVER.iter().map(|known| {
        let value = values.get(known.parameter);
        let state = match value {
            None => SettingState::NotKnown(format!("the server does not show {}", known.parameter)),
            Some(value) => state((known.holds)(value)),
        };
        let repair = (state == SettingState::Off).then(|| known.repair.to_owned());
        Setting {
            name: known.name,
            title: known.title.to_owned(),
            repair,
            severity: known.severity,
            found: value.filter(|value| !value.is_empty()).cloned(),
            state,
        }
    }));
    Ok(settings)
}

fn state(is_on: bool) -> SettingState {
    if is_on { SettingState::On } else { SettingState::Off }
}

/// Returns the values of the parameters that this role may read.
async fn values(table: &PostgresTable, doing: &str) -> Result<HashMap<String, String>, Fault> {
    let names = SERVER.map(|known| format!("'{}'", known.parameter)).join(", ");
    let sql = format!("SELECT pg_is_in_recovery(), name, setting FROM pg_settings WHERE name IN ({names})");
    let odd = |error: tokio_postgres::Error| Fault::new(FaultKind::Unexpected, doing, error);
    let mut values = HashMap::new();
    for row in table.read(doing, &sql, &[]).await? {
        values.insert(row.try_get(1).map_err(odd)?, row.try_get(2).map_err(odd)?);
    }
    Ok(values)
}
