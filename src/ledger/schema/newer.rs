//! Rules by which releases of this program share a ledger: the releases that an item needs for reading and for writing.
//!
//! Any item may have an attribute `needs`, a map of release numbers such as `{"read": "0.4.0", "write": "0.6.0"}`. A
//! release older than `read` refuses to read the item; one older than `write` refuses to change the item, and
//! everything below it if it is a head. `all` is the oldest release that knows everything in the package; it is only
//! used in messages. A head is part of every change of its log, under the condition of its `rev`: a change that was
//! planned before the head had its `needs` does not commit. A blob's item is under no head: each change of it is
//! conditional on its own `needs`.

use crate::{
    ledger::{Error, Refused},
    table::{Condition, Item, Key},
};
use serde_json::{Value, json};

/// The attribute that names the releases that an item needs.
const NEEDS: &str = "needs";

/// The "release" that may write a ledger while an import of it is unfinished: none, so that every release refuses.
pub(in crate::ledger) const UNFINISHED_IMPORT: &str = "import";

/// The release that this program counts as: the one that it becomes.
const THIS: &str = "0.2.0";

/// The oldest release that obeys freezes.
const FREEZES: &str = "0.2.0";

/// The schema number of a ledger that was ever frozen. It stops the releases that ignore `needs`.
const FREEZES_SCHEMA: u64 = 2;

/// Returns true if only releases that obey freezes may change the ledger with this item `M`.
pub(in crate::ledger) fn knows_freezes(meta: &Item) -> bool {
    let write = meta.get(NEEDS).and_then(|needs| needs.get("write")).and_then(Value::as_str);
    let schema = meta.get("schema").and_then(Value::as_u64);
    write.and_then(number) >= number(FREEZES) && schema >= Some(FREEZES_SCHEMA)
}

/// Makes an item `M` refuse the changes of all releases that do not obey freezes. They may still read.
pub(in crate::ledger) fn require_freezes(schema: &mut u64, rest: &mut Item) {
    *schema = FREEZES_SCHEMA.max(*schema);
    let needs = rest.entry(NEEDS).or_insert_with(|| json!({}));
    if let Value::Object(needs) = needs {
        let least = |needs: &Item, purpose: &str| needs.get(purpose).and_then(Value::as_str).and_then(number);
        if least(needs, "write") < number(FREEZES) {
            needs.insert("write".to_owned(), FREEZES.into());
        }
        needs.entry("read").or_insert_with(|| "0.1.0".into());
    }
}

/// Returns the release that `needs` names for a purpose, if this release is older or can't parse it.
pub(in crate::ledger) fn least(item: &Item, purpose: &str) -> Option<String> {
    least_of(item.get(NEEDS)?, purpose, THIS)
}

fn least_of(needs: &Value, purpose: &str, this: &str) -> Option<String> {
    const SHOWN: usize = 32;
    let required = match needs {
        Value::Object(needs) => needs.get(purpose)?,
        other => other,
    };
    let text = required.as_str().map_or_else(|| required.to_string(), str::to_owned);
    match (number(&text), number(this)) {
        (Some(required), Some(this)) if required <= this => None,
        _ => Some(text.chars().take(SHOWN).collect()),
    }
}

/// Returns the three numbers of a release.
fn number(text: &str) -> Option<[u64; 3]> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    let number = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(number)
}

fn check(key: &Key, item: &Item, purpose: &str, done: &str) -> Result<(), Error> {
    match least(item, purpose) {
        None => Ok(()),
        Some(least) if purpose == "write" && least == UNFINISHED_IMPORT => Err(Refused::Importing.into()),
        Some(least) => Err(Error::Newer { what: item_name(key), done: done.to_owned(), least: Some(least) }),
    }
}

/// Returns an item's name for a message.
fn item_name(key: &Key) -> String {
    match (key.pk.split_at_checked(2), key.sk.as_str()) {
        (Some(("P#", package)), "H") => format!("the package {package}"),
        (Some(("T#", package)), "H") => format!("the tags of the package {package}"),
        _ if key.pk == "M" => "the ledger".to_owned(),
        (None, "H") if key.pk == "F" => "the freezes of the ledger".to_owned(),
        _ => format!("the ledger's item {key}"),
    }
}

/// Checks that this release may read an item.
///
/// # Errors
/// [`Error::Newer`].
pub(super) fn check_read(key: &Key, item: &Item) -> Result<(), Error> {
    check(key, item, "read", "be read")
}

/// Checks that this release may change an item, and everything below it if it is a head.
///
/// # Errors
/// [`Error::Newer`].
pub(in crate::ledger) fn check_write(key: &Key, item: &Item) -> Result<(), Error> {
    check(key, item, "write", "be changed")
}

/// Returns the condition that an item needs the same releases as when it was read, for an item that is under no head
/// and so not under a `rev`.
pub(in crate::ledger) fn still_needs(item: Option<&Item>) -> Condition {
    item.map_or(Condition::Lacks(NEEDS), |item| Condition::same(NEEDS, item))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_compared_by_its_numbers() {
        let least = |needs: Value| least_of(&needs, "read", "0.10.2");
        for met in ["0.1.0", "0.9.9", "0.10.2"] {
            assert_eq!(least(json!({ "read": met })), None, "{met}");
        }
        for not in ["0.10.3", "0.11.0", "1.0.0", "1", "1.0", "1.0.0.0", "soon", ""] {
            assert_eq!(least(json!({ "read": not })), Some(not.to_owned()), "{not}");
        }
        assert_eq!(least(json!({ "write": "9.0.0" })), None, "it is for another purpose");
        // An unreadable value counts as not met.
        assert_eq!(least(json!({ "read": 7 })), Some("7".to_owned()));
        assert_eq!(least(json!("everything")), Some("everything".to_owned()));
    }
}
