//! The properties of each log: its `rev`, its times, and its hash chain.
//!
//! The chain shows manual edits, and truncation.
//!
//! It is not keyed, so anyone who can write the table can recompute it; publish a head's value elsewhere to make it
//! evidence.

use crate::{
    clock::CLOCKS_DIFFER,
    model::Timestamp,
    table::{Condition, Item, Key, canonical_object},
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The start of the chain: the value before a log's first entry.
pub(in crate::ledger) const START: &str = "";

/// Returns true if an attribute of an entry may change after it was written, or is the chain value itself. Attributes
/// that a newer release adds and changes later begin with `more_`, as `more_labels` does.
fn may_change(name: &str) -> bool {
    matches!(name, "chain" | "state") || name.starts_with("more_")
}

/// Returns the chain value at an entry: the sha256, in hex, of the previous value, a newline, and the entry's canonical
/// form.
///
/// The canonical form is JSON with no white space and its names in bytewise order: the entry's immutable attributes,
/// and its key as `pk` and `sk`.
pub(in crate::ledger) fn next(previous: &str, key: &Key, entry: &Item) -> String {
    let (pk, sk) = (Value::from(key.pk.as_str()), Value::from(key.sk.as_str()));
    let immutable = entry.iter().filter(|(name, _)| !may_change(name));
    let attributes = immutable.map(|(name, value)| (name.as_str(), value)).chain([("pk", &pk), ("sk", &sk)]);
    let mut hash = Sha256::new();
    hash.update(previous);
    hash.update("\n");
    hash.update(canonical_object(attributes));
    hex::encode(hash.finalize())
}

/// Returns the condition that a head's `rev` is still the one seen; 0 for an absent head.
pub(in crate::ledger) fn still_at(rev: u64) -> Condition {
    if rev == 0 { Condition::Absent } else { Condition::equals("rev", rev) }
}

/// Returns the time of an entry: now, or just after the previous entry if that is later.
pub(in crate::ledger) fn after(now: Timestamp, last: Option<Timestamp>) -> Timestamp {
    last.map_or(now, |last| now.max(Timestamp::from_millis(last.as_millis().saturating_add(1))))
}

/// Returns an entry with its chain value, and that value.
pub(in crate::ledger) fn chained(previous: &str, key: &Key, mut entry: Item) -> (Item, String) {
    let chain = next(previous, key, &entry);
    entry.insert("chain".to_owned(), chain.clone().into());
    (entry, chain)
}

/// Returns the time of an entry, as [`after`] does; and the clock's time, if it is far behind that.
pub(in crate::ledger) fn stamp(now: Timestamp, last: Option<Timestamp>) -> (Timestamp, Option<Timestamp>) {
    let when = after(now, last);
    (when, is_ahead(when, now).then_some(now))
}

/// Returns true if a time is so far ahead of now that a clock is or was wrong.
pub(in crate::ledger) fn is_ahead(when: Timestamp, now: Timestamp) -> bool {
    when.since(now) > CLOCKS_DIFFER
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn item(value: serde_json::Value) -> Item {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_canonical_form_is_pinned() {
        let key = Key::new("P#app", "V#0000000000000001");
        let entry = item(json!({"when": 7, "n": 1, "labels": {"b": "2", "a": "1"}, "op": "x"}));
        let form =
            r#"{"labels":{"a":"1","b":"2"},"n":1,"op":"x","pk":"P#app","sk":"V#0000000000000001","when":7}"#;
        let by_hand = hex::encode(Sha256::digest(format!("before\n{form}")));
        assert_eq!(next("before", &key, &entry), by_hand);
    }

    #[test]
    fn only_what_may_change_is_left_out() {
        let key = Key::new("P#app", "V#0000000000000001");
        let entry = item(json!({"n": 1, "state": "active"}));
        let base = next(START, &key, &entry);
        assert_eq!(base, next(START, &key, &item(json!({"n": 1, "state": "yanked", "chain": "y"}))));
        assert_ne!(base, next(START, &key, &item(json!({"n": 2, "state": "active"}))));
        assert_ne!(base, next("a", &key, &entry));
        assert_ne!(base, next(START, &Key::new("P#app", "V#0000000000000002"), &entry));
    }
}
