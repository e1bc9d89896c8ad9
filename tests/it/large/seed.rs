//! Large sound ledgers, written into the table past the protocol: the result of the same number of changes.

use futures_util::{StreamExt, TryStreamExt, stream};
use sacker::table::{Action, Change, Condition, Item, Key, Table, Transaction};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{fs, path::Path};

/// The size of a ledger.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// The versions of the package `large`.
    pub versions: u64,
    /// Its tags that were taken off.
    pub dead_tags: u64,
    /// The versions of other packages, 1000 each.
    pub others: u64,
    /// The number of consecutive versions that have the same blob.
    pub share: u64,
}

impl Sizes {
    /// The blobs that no version needs any more.
    pub fn unneeded(self) -> u64 {
        if self.share == 1 { (self.versions + self.others) / 10 } else { 0 }
    }
}

/// Returns true for a version that was deleted.
fn is_deleted(n: u64, versions: u64) -> bool {
    n % 10 == 5 && n < versions
}

/// The versions of each other package.
const EACH: u64 = 1000;
/// The number of transactions that are under way at a time.
const AT_ONCE: usize = 4;

/// The content of a version.
fn content(package: &str, n: u64, share: u64) -> String {
    format!("{package} {}\n", (n - 1) / share)
}

fn sha256(content: &str) -> String {
    hex::encode(Sha256::digest(content))
}

fn object(value: Value) -> Item {
    let Value::Object(item) = value else { panic!("no item: {value}") };
    item
}

/// A log that grows.
struct Log {
    pk: String,
    rev: u64,
    when: u64,
    chain: String,
}

impl Log {
    fn new(pk: String) -> Self {
        Self { pk, rev: 0, when: 1_700_000_000_000, chain: String::new() }
    }

    /// An entry with this start of its sort key, which its number or its rev follows.
    fn entry(&mut self, kind: char, number: Option<u64>, mut item: Item) -> (Key, Item) {
        self.rev += 1;
        self.when += 1;
        let key = Key::new(&self.pk, format!("{kind}#{:016}", number.unwrap_or(self.rev)));
        let op = hex::encode(&Sha256::digest(key.to_string())[..16]);
        for (name, value) in
            [("rev", json!(self.rev)), ("when", json!(self.when)), ("op", json!(op)), ("who", json!("seed"))]
        {
            item.insert(name.to_owned(), value);
        }
        let mut covered = item.clone();
        covered.retain(|name, _| !["more_labels", "state"].contains(&name.as_str()));
        covered.insert("pk".to_owned(), json!(key.pk));
        covered.insert("sk".to_owned(), json!(key.sk));
        self.chain = hex::encode(Sha256::digest(format!("{}\n{}", self.chain, canonical(&covered))));
        item.insert("chain".to_owned(), json!(self.chain));
        (key, item)
    }

    fn head(&self, more: Value) -> (Key, Item) {
        let mut head = object(json!({ "rev": self.rev, "when": self.when, "chain": self.chain }));
        head.extend(object(more));
        (Key::new(&self.pk, "H"), head)
    }
}

/// An item with its names in order, and those of its objects: all strings and numbers.
fn canonical(item: &Item) -> String {
    let mut names: Vec<_> = item.iter().collect();
    names.sort_by_key(|(name, _)| *name);
    let members = names.into_iter().map(|(name, value)| match value {
        Value::Object(inner) => format!("{}:{}", json!(name), canonical(inner)),
        value => format!("{}:{value}", json!(name)),
    });
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

/// The items of a package's releases: of each ten versions one is yanked, one deleted and one labelled later. Every
/// third was added with a key.
fn releases(package: &str, versions: u64, share: u64) -> impl Iterator<Item = (Key, Item)> + use<> {
    let mut log = Log::new(format!("P#{package}"));
    let directory = Key::new(format!("D#{}", Sha256::digest(package)[0] % 4), package);
    let name = package.to_owned();
    let entries = (1..=versions + 1).flat_map(move |n| {
        let content = content(&name, n.min(versions), share);
        let blob =
            json!({ "sha256": sha256(&content), "gen": 0, "size": content.len(), "filename": "app.tar.gz" });
        if n > versions {
            return vec![log.head(json!({ "n": versions, "latest": versions, "blob": blob }))];
        }
        let last = n == versions;
        let (kind, state) = match n % 10 {
            3 => (Some("label"), "active"),
            5 if is_deleted(n, versions) => (Some("delete"), "deleted"),
            7 if !last => (Some("yank"), "yanked"),
            _ => (None, "active"),
        };
        let mut version = object(blob);
        let labels = json!({ "commit": &sha256(&content)[..16], "branch": "main" });
        version.extend(object(json!({ "n": n, "state": state, "labels": labels, "message": "weekly" })));
        let later = json!({ "tested": "yes" });
        if kind == Some("label") {
            version.insert("more_labels".to_owned(), later.clone());
        }
        let sharing = n..(n + share).min(versions + 1);
        let refs = sharing.filter(|n| !is_deleted(*n, versions)).count();
        let item = json!({ "state": "kept", "gen": 0, "refs": refs });
        let blob = (Key::new(format!("B#{}", sha256(&content)), "B"), object(item));
        let version = log.entry('V', Some(n), version);
        let op = version.1["op"].clone();
        let entry = json!({ "request": "add", "entry": version.0.sk, "op": op });
        let key = (Key::new(&log.pk, format!("K#job-{n}")), object(entry));
        let mut all = vec![version];
        all.extend(((n - 1) % share == 0).then_some(blob));
        if let Some(kind) = kind {
            let mut event = object(json!({ "kind": kind, "version": n, "was": "active" }));
            if kind == "label" {
                event.insert("labels".to_owned(), later);
            }
            all.push(log.entry('A', None, event));
        }
        all.extend((n % 3 == 0).then_some(key));
        all
    });
    std::iter::once((directory, Item::new())).chain(entries)
}

/// The items of the tags of `large`: each was put on version 1 and taken off, and `live` is there.
fn tags(dead: u64) -> impl Iterator<Item = (Key, Item)> + use<> {
    let mut log = Log::new("T#large".to_owned());
    let content = content("large", 1, 1);
    (0..=dead + 1).flat_map(move |n| {
        let tag = if n == dead { "live".to_owned() } else { format!("job-{n}") };
        if n > dead {
            let live = json!({ "rev": log.rev, "count": 1, "on": { "live": 1 } });
            return vec![log.head(json!({ "live": live }))];
        }
        let key = Key::new(&log.pk, format!("t#{tag}"));
        let put = log.entry('E', None, object(json!({ "kind": "move", "tag": tag, "version": 1 })));
        let mut all = vec![put];
        if n < dead {
            let untag = json!({ "kind": "untag", "tag": tag, "previous": 1, "back": log.rev });
            all.push(log.entry('E', None, object(untag)));
        }
        let mut item = all[all.len() - 1].1.clone();
        let set = item.remove("rev").unwrap();
        item.insert("set".to_owned(), set);
        item.retain(|name, _| name != "op" && name != "chain");
        if n == dead {
            let blob = json!({ "sha256": sha256(&content), "gen": 0, "size": content.len(), "filename": "app.tar.gz" });
            item.insert("blob".to_owned(), blob);
        }
        all.push((key, item));
        all
    })
}

/// The names of the other packages.
fn others(sizes: Sizes) -> impl Iterator<Item = (String, u64)> {
    let full = (0..sizes.others / EACH).map(|number| (format!("other-{number:04}"), EACH));
    full.chain(Some(("rest".to_owned(), sizes.others % EACH)).filter(|(_, versions)| *versions > 0))
}

/// Puts it all into a table that knows its ledger already, this number of items in each transaction.
pub async fn seed(table: &dyn Table, sizes: Sizes, items: usize) {
    let packages = std::iter::once(("large".to_owned(), sizes.versions)).chain(others(sizes));
    let all = packages
        .flat_map(|(name, versions)| releases(&name, versions, sizes.share))
        .chain(tags(sizes.dead_tags));
    // The iterator is lazy: a million items are never there at once.
    let mut all = all.peekable();
    let batches = std::iter::from_fn(move || {
        all.peek()?;
        Some(all.by_ref().take(items).collect::<Vec<_>>())
    });
    let put = batches.map(|batch| async move {
        let mut put = Transaction::new(uuid::Uuid::new_v4().to_string());
        for (key, item) in batch {
            put.push(Action { key, condition: Condition::Absent, change: Change::Put(item) });
        }
        table.transact(&put).await.map_err(|error| format!("{error:?}"))
    });
    stream::iter(put).buffer_unordered(AT_ONCE).try_collect::<()>().await.unwrap();
}

/// Puts the blobs of all versions into a directory store, and as many that no version needs.
pub fn fill(store: &Path, sizes: Sizes, orphans: u64) {
    let directory = store.join("sha256");
    fs::create_dir_all(&directory).unwrap();
    let packages = std::iter::once(("large".to_owned(), sizes.versions)).chain(others(sizes));
    for (name, versions) in packages.chain([("orphan".to_owned(), orphans)]) {
        let share = if name == "orphan" { 1 } else { sizes.share };
        for n in (1..=versions).step_by(usize::try_from(share).unwrap()) {
            let content = content(&name, n, share);
            fs::write(directory.join(sha256(&content)), content).unwrap();
        }
    }
}
