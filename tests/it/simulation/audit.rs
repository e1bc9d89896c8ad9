//! The invariants of the raw items and objects, by the schema as the design states it and with none of the
//! ledger's code. Unlike the audit of the ledger's tests it reports every breach, since here some are expected.

use super::adoption::EPOCH;
use bytes::Bytes;
use sacker::{
    model::{Address, Digest},
    store::{Store, memory::MemoryStore},
    table::{Item, Key, Table},
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Everything in a table, by partition.
pub type Dump = BTreeMap<String, BTreeMap<String, Item>>;

pub async fn dump(table: &dyn Table) -> Dump {
    let (mut dump, mut after) = (Dump::new(), None::<Key>);
    loop {
        let page = table.scan(after.as_ref()).await.unwrap();
        for (key, item) in page.items {
            dump.entry(key.pk).or_default().insert(key.sk, item);
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return dump,
        }
    }
}

/// Returns `true` if a version that is not deleted needs what is at this address.
pub async fn needed(table: &dyn Table, at: &Address) -> bool {
    let dump = dump(table).await;
    dump.iter().filter(|(pk, _)| pk.starts_with("P#")).any(|(_, items)| {
        items.iter().filter(|(sk, _)| sk.starts_with("V#")).any(|(_, item)| {
            text(item, "sha256") == at.sha256.as_str()
                && number(item, "gen") == at.generation
                && text(item, "state") != "deleted"
        })
    })
}

/// The sort key of the item of a blob in an epoch.
pub fn blob_sk(epoch: u64) -> String {
    if epoch == 0 { "B".to_owned() } else { format!("B#{epoch:016}") }
}

pub fn number(item: &Item, name: &str) -> u64 {
    item.get(name).and_then(Value::as_u64).unwrap_or_default()
}

pub fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The violations, one line each.
#[derive(Default)]
pub struct Violations(pub Vec<String>);

impl Violations {
    pub fn check(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.0.push(otherwise());
        }
    }
}

/// Checks everything.
pub async fn audit(dump: &Dump, store: &MemoryStore, contents: &BTreeMap<Digest, Bytes>) -> Violations {
    let mut violations = Violations::default();
    if let Some(freezes) = dump.get("F") {
        check_log(&mut violations, "F", freezes, &["E#"]);
        check_keys(&mut violations, freezes);
    }
    let packages: BTreeSet<&str> = dump.keys().filter_map(|pk| pk.get(2..)).collect();
    let none = BTreeMap::new();
    let mut needed: BTreeMap<(&str, u64), Vec<&Item>> = BTreeMap::new();
    for package in packages {
        let releases = dump.get(&format!("P#{package}")).unwrap_or(&none);
        let tags = dump.get(&format!("T#{package}")).unwrap_or(&none);
        check_log(&mut violations, &format!("P#{package}"), releases, &["V#", "A#"]);
        check_log(&mut violations, &format!("T#{package}"), tags, &["E#"]);
        check_releases(&mut violations, package, releases);
        check_tags(&mut violations, package, releases, tags);
        check_keys(&mut violations, releases);
        check_keys(&mut violations, tags);
        for (_, version) in beginning(releases, "V#") {
            let of_blob =
                needed.entry((text(version, "sha256"), number(version, "gen") / EPOCH)).or_default();
            if text(version, "state") != "deleted" {
                of_blob.push(version);
            }
        }
    }
    for ((sha256, epoch), versions) in needed {
        let blob = dump.get(&format!("B#{sha256}")).and_then(|items| items.get(&blob_sk(epoch)));
        let Some(blob) = blob else {
            violations.0.push(format!("blob {sha256} is unknown"));
            continue;
        };
        violations.check(number(blob, "refs") == versions.len() as u64, || {
            format!("refs of {sha256}: {blob:?}, and {} versions need it", versions.len())
        });
        for version in versions {
            violations.check(text(blob, "state") == "kept" && blob.get("gen") == version.get("gen"), || {
                format!("{version:?} needs {blob:?}")
            });
            let at = Address { sha256: sha256.parse().unwrap(), generation: number(version, "gen") };
            let size = contents[&at.sha256].len() as u64;
            let body = store.get(&at, 0..size, None).await.ok().flatten();
            let right = match body {
                Some(body) => futures_util::StreamExt::collect::<Vec<_>>(body.stream)
                    .await
                    .first()
                    .is_some_and(|bytes| bytes.as_ref().is_ok_and(|bytes| *bytes == contents[&at.sha256])),
                None => false,
            };
            violations.check(right, || format!("the object {at} of {version:?} is missing or wrong"));
        }
    }
    violations
}

pub fn beginning<'a>(
    items: &'a BTreeMap<String, Item>,
    prefix: &'a str,
) -> impl DoubleEndedIterator<Item = (&'a String, &'a Item)> {
    items.iter().filter(move |(sk, _)| sk.starts_with(prefix))
}

/// By `rev`, entries are dense from 1 to the head's, with times that grow, and chained up to the head.
fn check_log(violations: &mut Violations, pk: &str, items: &BTreeMap<String, Item>, kinds: &[&str]) {
    let mut entries: Vec<_> = kinds.iter().flat_map(|kind| beginning(items, kind)).collect();
    entries.sort_by_key(|(_, item)| number(item, "rev"));
    let (mut chain, mut when) = (String::new(), 0);
    for ((sk, item), rev) in entries.iter().zip(1..) {
        violations.check(number(item, "rev") == rev, || format!("{pk}: a gap, or a rev twice, at {sk}"));
        violations.check(number(item, "when") > when, || format!("{pk}/{sk}: time stands still"));
        when = number(item, "when");
        let mut fields = (*item).clone();
        fields.retain(|name, _| !["chain", "state", "more_labels"].contains(&name.as_str()));
        fields.insert("pk".to_owned(), pk.into());
        fields.insert("sk".to_owned(), sk.as_str().into());
        // A map of serde_json is ordered by name; the audit of the ledger's tests has a writer of its own.
        chain = hex::encode(Sha256::digest(format!("{chain}\n{}", Value::Object(fields))));
        violations.check(text(item, "chain") == chain, || format!("chain: {pk}/{sk}"));
    }
    let empty = Item::new();
    let head = items.get("H").unwrap_or(&empty);
    let count = entries.len() as u64;
    violations.check(number(head, "rev") == count, || format!("{pk}: {head:?} heads {count} entries"));
    violations.check(text(head, "chain") == chain, || format!("chain: {pk}/H"));
}

fn check_releases(violations: &mut Violations, package: &str, releases: &BTreeMap<String, Item>) {
    let versions: Vec<_> = beginning(releases, "V#").collect();
    let mut ops = BTreeSet::new();
    for ((sk, version), n) in versions.iter().zip(1..) {
        violations.check(number(version, "n") == n && **sk == format!("V#{n:016}"), || {
            format!("{package}: a gap, or a number twice, at {sk}")
        });
        violations
            .check(ops.insert(text(version, "op")), || format!("{package}: an operation made two versions"));
    }
    for (sk, event) in beginning(releases, "A#") {
        violations
            .check(ops.insert(text(event, "op")), || format!("{package}: the operation of {sk} did more"));
    }
    let Some(head) = releases.get("H") else { return };
    let latest = versions.iter().rev().find(|(_, item)| text(item, "state") == "active");
    let latest = latest.map(|(_, item)| number(item, "n"));
    violations.check(number(head, "n") == versions.len() as u64, || format!("{package}: {head:?} miscounts"));
    violations.check(head.get("latest").and_then(Value::as_u64) == latest, || {
        format!("{package}: {head:?}, and the highest active version is {latest:?}")
    });
}

fn check_tags(
    violations: &mut Violations,
    package: &str,
    releases: &BTreeMap<String, Item>,
    tags: &BTreeMap<String, Item>,
) {
    let mut last: BTreeMap<&str, &Item> = BTreeMap::new();
    for (sk, event) in beginning(tags, "E#").filter(|(_, event)| event.contains_key("tag")) {
        let before = last.insert(text(event, "tag"), event);
        violations.check(event.get("previous") == before.and_then(|before| before.get("version")), || {
            format!("{package}: {sk} overwrote what it did not see")
        });
    }
    let items: Vec<_> = beginning(tags, "t#").collect();
    violations.check(items.len() == last.len(), || format!("{package}: tags without events, or the reverse"));
    for (sk, item) in items {
        let event = last.get(&sk[2..]);
        violations.check(
            event.is_some_and(|event| {
                event.get("rev") == item.get("set") && event.get("version") == item.get("version")
            }),
            || format!("{package}: {sk} is not its last event"),
        );
        let Some(version) = item.get("version").and_then(Value::as_u64) else { continue };
        let on = releases.get(&format!("V#{version:016}"));
        violations.check(on.is_some_and(|on| text(on, "state") == "active"), || {
            format!("{package}: {sk} is on {version}, which is not active")
        });
    }
}

/// A key leads to the entry that its operation made.
fn check_keys(violations: &mut Violations, items: &BTreeMap<String, Item>) {
    for (sk, key) in beginning(items, "K#") {
        let entry = items.get(text(key, "entry"));
        // With `unchanged` it leads to an older one, or to one of the other log; and so may that of a plan.
        let older = ["unchanged", "moves"].iter().any(|name| key.contains_key(*name));
        let right = older || entry.is_some_and(|entry| entry["op"] == key["op"]);
        violations.check(right, || format!("{sk} leads to {entry:?}"));
    }
}
