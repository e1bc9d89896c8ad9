//! Attacks by someone who can write to the ledger, to the store, to a directory that is downloaded to, or to the
//! configuration, and the secrets that a reader of the logs must not see. `SECURITY.md` states the promises.

mod edits;
mod grants;
mod items;
mod objects;
mod permissions;
mod places;
mod secrets;
mod store_permissions;
mod targets;
mod text;

use crate::support::sandbox::Sandbox;
use rusqlite::Connection;
use serde_json::Value;
use std::process::Output;

/// A row of the embedded ledger: partition key, sort key, and item.
type Row = (String, String, Value);

fn database(sandbox: &Sandbox) -> Connection {
    Connection::open(sandbox.data().join("ledger/ledger.db")).unwrap()
}

/// Everything that the embedded ledger holds.
fn rows(sandbox: &Sandbox) -> Vec<Row> {
    let database = database(sandbox);
    let mut all = database.prepare("SELECT pk, sk, item FROM items ORDER BY pk, sk").unwrap();
    let row = |row: &rusqlite::Row<'_>| {
        let item: String = row.get(2)?;
        Ok((row.get(0)?, row.get(1)?, serde_json::from_str(&item).unwrap()))
    };
    all.query_map([], row).unwrap().map(Result::unwrap).collect()
}

/// Writes an item past the program, as it stands.
fn plant(sandbox: &Sandbox, pk: &str, sk: &str, item: &str) {
    let change = "INSERT OR REPLACE INTO items (pk, sk, item) VALUES (?1, ?2, ?3)";
    database(sandbox).execute(change, [pk, sk, item]).unwrap();
}

/// Changes an item past the program.
fn edit(sandbox: &Sandbox, pk: &str, sk: &str, change: impl FnOnce(&mut Value)) {
    let found = rows(sandbox).into_iter().find(|row| row.0 == pk && row.1 == sk);
    let (_, _, mut item) = found.unwrap_or_else(|| panic!("there is no {pk}/{sk}"));
    change(&mut item);
    plant(sandbox, pk, sk, &item.to_string());
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

const V1: &str = "V#0000000000000001";
const E1: &str = "E#0000000000000001";
