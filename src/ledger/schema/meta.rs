//! The record of the ledger itself.

use super::{numbers::number, record::Record};
use crate::{ledger::Error, table::Item};
use serde::{Deserialize, Serialize};

/// The number of the schema that this module reads and writes.
pub(in crate::ledger) const SCHEMA: u64 = 1;

/// The ledger's identity: schema number and a random id, created once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::ledger) struct Meta {
    #[serde(deserialize_with = "number")]
    pub schema: u64,
    pub ledger: String,
    /// The table in which the ledger was created, which distinguishes it from a copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// The epoch of its store in which it adds: raised whenever it adopts a store.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub epoch: u64,
    /// The owner mark that the ledger had before an import raised its epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former_mark: Option<String>,
    /// The attributes that a newer release of this program wrote: kept whenever the item is written again.
    #[serde(flatten)]
    pub rest: Item,
}

impl Meta {
    /// Returns true if the ledger names the releases that may read it, and those that may write it.
    pub(in crate::ledger) fn required_release_attribute(&self) -> bool {
        self.rest.get("needs").is_some_and(|needs| ["read", "write"].iter().all(|it| needs.get(it).is_some()))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Record for Meta {
    // Any two identities have different ids; a newer release may raise the rest.
    const MARKS: &'static [&'static str] = &["ledger", "schema", "needs"];
}

/// Checks that this release may use a ledger. A ledger of a higher schema names the releases that it needs, for reading
/// and for writing; that this release suffices was checked when the item was decoded. A ledger with no identity is
/// empty.
pub(in crate::ledger) fn check_schema(meta: Option<&Meta>) -> Result<(), Error> {
    match meta {
        Some(meta) if meta.schema > SCHEMA && meta.required_release_attribute() => Ok(()),
        Some(meta) if meta.schema != SCHEMA => Err(Error::Schema { found: meta.schema, known: SCHEMA }),
        _ => Ok(()),
    }
}
