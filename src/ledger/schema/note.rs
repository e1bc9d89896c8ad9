//! The description of a transaction for people, from the entries that it puts.
//!
//! The items are read leniently, since this is shown only: what is missing or unknown is left out.

use super::freezes::FREEZES;
use crate::table::{Action, Change, Item, Note, Transaction};
use serde_json::Value;

/// The maximum length of a summary that lists all changes.
const WIDTH: usize = 72;

/// Adds a description to a transaction.
pub(in crate::ledger) fn described(transaction: Transaction) -> Transaction {
    let note = note(transaction.actions());
    transaction.with_note(note)
}

fn note(actions: &[Action]) -> Note {
    let entries: Vec<_> = actions.iter().filter_map(entry).collect();
    let mut changes: Vec<_> = entries.iter().map(|(change, _)| change.clone()).collect();
    if changes.is_empty() {
        changes = actions.iter().filter_map(other).collect();
    }
    let of_first = |name: &str| entries.iter().find_map(|(_, item)| Some(text(item, name)?.to_owned()));
    let (message, actor) = (of_first("message"), of_first("who"));
    Note { summary: summary(&changes, actions.len()), changes, message, actor, operation: of_first("op") }
}

fn summary(changes: &[String], actions: usize) -> String {
    let all = changes.join(", ");
    match changes {
        [] => format!("change {actions} items"),
        [one] => one.clone(),
        _ if all.len() <= WIDTH => all,
        [first, rest @ ..] => format!("{first}, and {} more", rest.len()),
    }
}

/// Returns what an entry of a log says, and its item; `None` for other items.
fn entry(action: &Action) -> Option<(String, &Item)> {
    let Change::Put(item) = &action.change else { return None };
    if action.key.pk == FREEZES {
        let prefix = text(item, "prefix").map(|prefix| format!(" {prefix}*")).unwrap_or_default();
        let is_entry = action.key.sk.starts_with("E#");
        return is_entry.then(|| Some((format!("{}{prefix}", text(item, "kind")?), item)))?;
    }
    let (log, package) = action.key.pk.split_once('#')?;
    let (kind, _) = action.key.sk.split_once('#')?;
    let says = match (log, kind) {
        ("P", "V") => format!("add {package} {}", number(item, "n")?),
        ("P", "A") => {
            let labels = item.get("labels").and_then(Value::as_object).map(labels).unwrap_or_default();
            let version = number(item, "version").map(|version| format!(" {version}")).unwrap_or_default();
            format!("{} {package}{version}{labels}", text(item, "kind")?)
        }
        ("T", "E") => tag_event(item, package)?,
        _ => return None,
    };
    Some((says, item))
}

fn tag_event(item: &Item, package: &str) -> Option<String> {
    let Some(tag) = text(item, "tag") else { return Some(format!("{} {package}", text(item, "kind")?)) };
    let place = |name| number(item, name).map_or("none".to_owned(), |version| version.to_string());
    let (from, to) = (place("previous"), place("version"));
    Some(match text(item, "kind")? {
        "move" if item.contains_key("override") => format!("tag {package} {tag}: {from} -> {to} (override)"),
        "move" => format!("tag {package} {tag}: {from} -> {to}"),
        kind @ ("rollback" | "untag") => format!("{kind} {package} {tag}: {from} -> {to}"),
        kind => format!("{kind} {package} {tag}"),
    })
}

/// Returns what is said of an item that is no entry; `None` for one that only accompanies others.
fn other(action: &Action) -> Option<String> {
    let (Change::Put(item) | Change::Update { set: item, .. }) = &action.change else {
        return (action.change == Change::Delete).then(|| format!("remove {}", action.key));
    };
    Some(match (action.key.pk.split_once('#'), text(item, "state")) {
        (Some((FREEZES, replica)), _) => format!("bring the freezes to replica {replica}"),
        (None, _) if action.key.pk == "M" => "identify the ledger".to_owned(),
        (Some(("B", sha256)), Some("condemned")) => format!("condemn the blob {sha256}"),
        (Some(("B", sha256)), Some("kept")) => format!("keep the blob {sha256}"),
        _ => format!("set {}", action.key),
    })
}

fn labels(labels: &Item) -> String {
    let mut text = String::new();
    for (name, value) in labels {
        text.extend([" ", name, "=", value.as_str().unwrap_or("?")]);
    }
    text
}

fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name).and_then(Value::as_str)
}

fn number(item: &Item, name: &str) -> Option<u64> {
    item.get(name).and_then(Value::as_u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Condition, Key};
    use serde_json::json;

    fn put(pk: &str, sk: &str, item: Value) -> Action {
        let Value::Object(item) = item else { unreachable!() };
        Action { key: Key::new(pk, sk), condition: Condition::Always, change: Change::Put(item) }
    }

    #[test]
    fn an_addition_with_a_tag() {
        let note = note(&[
            put("P#app", "H", json!({"n": 2, "rev": 5})),
            put(
                "P#app",
                "V#0000000000000002",
                json!({"n": 2, "who": "ann@host", "op": "o", "message": "why"}),
            ),
            put("T#app", "E#0000000000000001", json!({"kind": "move", "tag": "live", "version": 2})),
            put("B#aa", "B", json!({"state": "kept", "gen": 0, "refs": 1})),
        ]);
        assert_eq!(note.summary, "add app 2, tag app live: none -> 2");
        assert_eq!((note.actor.as_deref(), note.operation.as_deref()), (Some("ann@host"), Some("o")));
        assert_eq!(note.message.as_deref(), Some("why"));
    }

    #[test]
    fn changes_of_each_kind() {
        for (action, says) in [
            (put("P#a", "A#1", json!({"kind": "yank", "version": 3})), "yank a 3"),
            (
                put("P#a", "A#1", json!({"kind": "label", "version": 3, "labels": {"k": "v"}})),
                "label a 3 k=v",
            ),
            (put("P#a", "A#1", json!({"kind": "fence"})), "fence a"),
            (
                put("T#a", "E#1", json!({"kind": "rollback", "tag": "t", "previous": 2, "version": 1})),
                "rollback a t: 2 -> 1",
            ),
            (put("T#a", "E#1", json!({"kind": "untag", "tag": "t", "previous": 2})), "untag a t: 2 -> none"),
            (put("T#a", "E#1", json!({"kind": "protect", "tag": "t"})), "protect a t"),
            (
                put("T#a", "E#1", json!({"kind": "move", "tag": "t", "version": 1, "override": {}})),
                "tag a t: none -> 1 (override)",
            ),
            (put("T#a", "E#1", json!({"kind": "fence"})), "fence a"),
            (put("F", "E#1", json!({"kind": "freeze", "prefix": "web/"})), "freeze web/*"),
            (put("F", "E#2", json!({"kind": "thaw", "prefix": ""})), "thaw *"),
            (put("F#07", "F", json!({"rev": 2})), "bring the freezes to replica 07"),
            (put("M", "M", json!({"schema": 1})), "identify the ledger"),
            (put("B#aa", "B", json!({"state": "condemned"})), "condemn the blob aa"),
            (put("X", "Y", json!({})), "set X/Y"),
        ] {
            assert_eq!(note(&[action]).summary, says);
        }
        let many: Vec<_> = (1..9).map(|n| put("P#some/package", "V#1", json!({"n": n}))).collect();
        let note = note(&many);
        assert_eq!((note.summary.as_str(), note.changes.len()), ("add some/package 1, and 7 more", 8));
    }
}
