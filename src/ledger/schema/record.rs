//! The common interface of all records, and writing one as an item.

use crate::table::Item;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// A record of the ledger, and the attributes that show its changes.
pub(in crate::ledger) trait Record: Serialize + DeserializeOwned {
    /// The attributes of which at least one differs whenever anything in the record differs. Empty for a record that
    /// never changes once it is written.
    const MARKS: &'static [&'static str];
    /// False for a record that only shows where a log ends: it is the base of a transaction, but no answer depends on
    /// it.
    const DECIDES: bool = true;
}

impl<T: Record> Record for Box<T> {
    const MARKS: &'static [&'static str] = T::MARKS;
    const DECIDES: bool = T::DECIDES;
}

/// Writes a record as an item.
pub(in crate::ledger) fn encode(record: &impl Serialize) -> Item {
    match serde_json::to_value(record) {
        Ok(Value::Object(item)) => item,
        // Every record above is a struct of strings, numbers and maps of them.
        other => unreachable!("a record is no item: {other:?}"),
    }
}
