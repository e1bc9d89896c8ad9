//! An independent check of a package's items, by the schema as the design states it and with none of the ledger's code.

use super::world::{partition, read};
use sacker::table::{Item, Table};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

fn number(item: &Item, name: &str) -> u64 {
    item.get(name).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {name} in {item:?}"))
}

fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no {name} in {item:?}"))
}

/// Canonical JSON, written out here once more.
fn canonical(value: &Value, into: &mut String) {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<_, _> = map.iter().collect();
            into.push('{');
            for (at, (name, value)) in sorted.into_iter().enumerate() {
                if at > 0 {
                    into.push(',');
                }
                into.push_str(&serde_json::to_string(name).unwrap());
                into.push(':');
                canonical(value, into);
            }
            into.push('}');
        }
        other => into.push_str(&other.to_string()),
    }
}

/// The entries of a log by `rev` must be dense from 1 to the head's, with times that grow, and chained up to the head.
fn check_log(pk: &str, head: Option<&Item>, entries: &[(String, Item)]) {
    let mut sorted: Vec<_> = entries.iter().collect();
    sorted.sort_by_key(|(_, item)| number(item, "rev"));
    let (mut chain, mut when, mut rev) = (String::new(), 0, 0);
    for (sk, item) in sorted {
        rev += 1;
        assert_eq!(number(item, "rev"), rev, "{pk} has a gap, or a rev twice");
        assert!(number(item, "when") > when, "{pk}/{sk}: time stands still");
        when = number(item, "when");
        let mut fields = item.clone();
        for mutable in ["chain", "state", "more_labels"] {
            fields.remove(mutable);
        }
        fields.insert("pk".to_owned(), pk.into());
        fields.insert("sk".to_owned(), sk.as_str().into());
        let mut form = format!("{chain}\n");
        canonical(&Value::Object(fields), &mut form);
        chain = hex::encode(Sha256::digest(form));
        assert_eq!(text(item, "chain"), chain, "{pk}/{sk}");
    }
    match head {
        None => assert_eq!(rev, 0, "{pk} has entries and no head"),
        Some(head) => {
            assert_eq!(number(head, "rev"), rev);
            assert_eq!(text(head, "chain"), chain);
            assert_eq!(number(head, "when"), when);
        }
    }
}

/// Versions must be in the state, and have the later labels, that the events say; no label is ever replaced.
fn check_states(events: &[(String, Item)], versions: &[&(String, Item)]) {
    let mut events: Vec<_> = events.iter().map(|(_, event)| event).collect();
    events.sort_by_key(|event| number(event, "rev"));
    for (sk, version) in versions {
        let (mut state, mut more) = ("active", serde_json::Map::new());
        let mut before = "active";
        let first = version.get("labels").and_then(Value::as_object);
        for event in events.iter().filter(|event| event.get("version") == version.get("n")) {
            assert_eq!(text(event, "was"), state, "{sk}: an event found another state");
            match text(event, "kind") {
                "yank" => state = "yanked",
                "unyank" => state = "active",
                "delete" => {
                    before = state;
                    state = "deleted";
                }
                "undelete" => {
                    assert_eq!(text(event, "state"), before, "{sk}: it came back in another state");
                    state = before;
                }
                "label" => {
                    for (name, value) in event["labels"].as_object().unwrap() {
                        let there = first.and_then(|first| first.get(name)).or(more.get(name));
                        assert!(there.is_none_or(|there| there == value), "{sk}: {name} was replaced");
                        if there.is_none() {
                            more.insert(name.clone(), value.clone());
                        }
                    }
                }
                other => panic!("{sk}: an event {other}"),
            }
        }
        assert_eq!(text(version, "state"), state, "{sk}");
        let there = version.get("more_labels").and_then(Value::as_object).cloned().unwrap_or_default();
        assert_eq!(there, more, "{sk}: its later labels are not those of the events");
    }
}

/// Checks the way back that an event of a tag records, given the one before it.
fn check_back<'a>(event: &Item, before: Option<&Item>, mut all: impl Iterator<Item = &'a Item>) {
    let back = event.get("back");
    match text(event, "kind") {
        "move" | "untag" => assert_eq!(back, before.map(|before| &before["rev"])),
        "protect" | "unprotect" => assert_eq!(back, before.and_then(|before| before.get("back"))),
        "rollback" => {
            let same = |it: &&Item, name: &str| it.get(name) == event.get(name);
            let restored = |it: &&Item| {
                number(it, "rev") < number(event, "rev")
                    && ["tag", "version", "back"].iter().all(|name| same(it, name))
            };
            let first = event.get("version").is_none() && before.is_some_and(|it| !it.contains_key("back"));
            assert!(all.any(|it| restored(&it)) || first, "it restores nothing: {event:?}");
        }
        other => panic!("an event {other}"),
    }
}

fn beginning<'a>(items: &'a [(String, Item)], prefix: &str) -> Vec<&'a (String, Item)> {
    items.iter().filter(|(sk, _)| sk.starts_with(prefix)).collect()
}

/// The counts that the audit of a package found.
pub struct Audited {
    /// The numbers of versions, of changes of tags, and of fences in both logs.
    pub versions: usize,
    pub moves: usize,
    pub fences: usize,
    /// The rev of the release log's head.
    pub revs: u64,
}

/// Panics unless everything that the ledger holds of a package is what it must be.
pub async fn audit(table: &dyn Table, package: &str) -> Audited {
    let (releases, tags) = (format!("P#{package}"), format!("T#{package}"));
    let (of_releases, of_tags) = (partition(table, &releases).await, partition(table, &tags).await);
    let head =
        |items: &[(String, Item)]| items.iter().find(|(sk, _)| sk == "H").map(|(_, item)| item.clone());
    let logged = |items: &[(String, Item)], kinds: &[&str]| -> Vec<_> {
        kinds.iter().flat_map(|kind| beginning(items, kind)).cloned().collect()
    };
    let (release_head, tag_head) = (head(&of_releases), head(&of_tags));
    check_log(&releases, release_head.as_ref(), &logged(&of_releases, &["V#", "A#"]));
    check_log(&tags, tag_head.as_ref(), &logged(&of_tags, &["E#"]));

    // Numbers are dense, and the head knows the last one and the latest.
    let versions = beginning(&of_releases, "V#");
    for (at, (sk, item)) in versions.iter().enumerate() {
        assert_eq!(number(item, "n"), at as u64 + 1);
        assert_eq!(*sk, format!("V#{:016}", at + 1));
    }
    let count = versions.len() as u64;
    if let Some(head) = &release_head {
        assert_eq!(number(head, "n"), count);
        let latest = versions.iter().rev().find(|(_, item)| text(item, "state") == "active");
        assert_eq!(head.get("latest").and_then(Value::as_u64), latest.map(|(_, item)| number(item, "n")));
        if let Some((_, latest)) = latest {
            assert_eq!(head["blob"]["sha256"], latest["sha256"]);
            assert_eq!(head["blob"]["gen"], latest["gen"]);
        }
    }
    check_states(&logged(&of_releases, &["A#"]), &versions);
    let first = Sha256::digest(package)[0];
    let listed = read(table, &format!("D#{}", first % 4), package).await.is_some();
    assert_eq!(listed, count > 0);

    // Each operation made one version, and each tag is where its last event says.
    let mut ops: Vec<_> = versions.iter().map(|(_, item)| text(item, "op")).collect();
    ops.sort_unstable();
    ops.dedup();
    assert_eq!(ops.len(), versions.len(), "an operation made two versions");
    let mut last: BTreeMap<&str, &Item> = BTreeMap::new();
    let events = beginning(&of_tags, "E#");
    for (sk, event) in &events {
        assert_eq!(*sk, format!("E#{:016}", number(event, "rev")));
        let Some(tag) = event.get("tag").and_then(Value::as_str) else { continue };
        let before = last.insert(tag, event);
        let previous = before.and_then(|before| before.get("version"));
        assert_eq!(event.get("previous"), previous, "{sk} overwrote what it did not see");
        check_back(event, before, events.iter().map(|(_, item)| item));
    }
    let items = beginning(&of_tags, "t#");
    assert_eq!(items.len(), last.len());
    for (sk, item) in items {
        let event = last[sk.strip_prefix("t#").unwrap()];
        assert_eq!(item["set"], event["rev"]);
        for same in ["version", "previous", "back", "who", "when", "message", "kind", "protection"] {
            assert_eq!(item.get(same), event.get(same), "{sk}: {same}");
        }
        if let Some(version) = item.get("version").and_then(Value::as_u64) {
            let (_, tagged) = versions[usize::try_from(version - 1).unwrap()];
            assert_eq!(item["blob"]["sha256"], tagged["sha256"]);
            assert_eq!(item["blob"]["gen"], tagged["gen"]);
        }
    }
    let fence = |item: &Item| item.get("kind").is_some_and(|kind| kind == "fence");
    let fences = of_releases.iter().chain(&of_tags).filter(|(_, item)| fence(item)).count();
    let moves = events.iter().filter(|(_, item)| !fence(item)).count();
    let revs = release_head.map_or(0, |head| number(&head, "rev"));
    Audited { versions: versions.len(), moves, fences, revs }
}
