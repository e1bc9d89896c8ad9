//! The transaction that writes some items of an import. Pure.

use super::item::{ExportItem, ItemKind, number, position, text};
use crate::{
    ledger::{
        Error, Refused,
        schema::{self, BlobItem, BlobState, VersionItem, decode, still_at, still_needs},
        snapshot::Snapshot,
    },
    model::{Address, PackageName, State, epoch},
    table::{Action, Change, Condition, Item, Key},
};
use serde_json::json;
use std::collections::BTreeMap;

/// The attribute of a head whose log is imported in part. The head that ends the import does not have it.
pub(super) const PARTIAL: &str = "importing";

/// The source's heads, if these items are the last ones of a package.
pub(super) type LastHeads<'a> = Option<[Option<&'a Item>; 2]>;

/// A transaction in the making.
pub(super) struct Plan<'a> {
    package: &'a PackageName,
    seen: &'a Snapshot,
    actions: Vec<Action>,
    /// The head of each log after the transaction, as far as it changes.
    heads: [Option<Item>; 2],
    /// For each blob that gains or loses versions: its address, and the difference.
    blobs: BTreeMap<Key, (Address, i64)>,
}

/// Returns the keys that planning these items needs.
pub(super) fn reads(package: &PackageName, items: &[ExportItem]) -> Result<Vec<Key>, Error> {
    let mut keys = vec![schema::meta_key()];
    keys.extend([schema::releases(package), schema::tags(package)].map(|log| schema::head_key(&log)));
    for item in items.iter().filter(|item| item.kind() != ItemKind::Head) {
        keys.push(item.key.clone());
        if item.kind() == ItemKind::Version {
            let version: VersionItem = decode(&item.key, &item.item)?;
            keys.push(schema::blob_key(&version.blob.sha256, epoch(version.blob.generation)));
        }
    }
    keys.sort();
    keys.dedup();
    Ok(keys)
}

/// Returns the actions that make the ledger hold these items; none if it does already.
///
/// # Errors
/// [`Refused::Diverged`], [`Refused::Collected`]; those of reading the items.
pub(super) fn plan(
    package: &PackageName,
    items: &[ExportItem],
    last: LastHeads<'_>,
    seen: &Snapshot,
) -> Result<Vec<Action>, Error> {
    let mut plan = Plan { package, seen, actions: Vec::new(), heads: [None, None], blobs: BTreeMap::new() };
    for item in items {
        match item.kind() {
            ItemKind::Head => {}
            ItemKind::Version | ItemKind::Event => plan.entry(item)?,
            ItemKind::Key => plan.fixed(item)?,
            ItemKind::Tag | ItemKind::Other => plan.current(item),
        }
    }
    plan.close(last)
}

impl<'a> Plan<'a> {
    fn log(&self, of_tags: bool) -> String {
        if of_tags { schema::tags(self.package) } else { schema::releases(self.package) }
    }

    /// Returns the head of a log in the ledger.
    fn head(&self, of_tags: bool) -> Option<&'a Item> {
        self.seen.attributes(&schema::head_key(&self.log(of_tags)), &["rev", "chain"])
    }

    fn put(&mut self, item: &ExportItem, condition: Condition) {
        self.actions.push(Action {
            key: item.key.clone(),
            condition,
            change: Change::Put(item.item.clone()),
        });
    }

    /// Plans an entry: a new one, or a version whose state has changed.
    fn entry(&mut self, item: &ExportItem) -> Result<(), Error> {
        let of_tags = item.is_of_tags();
        let (rev, stored) = (item.number("rev"), self.seen.whole(&item.key));
        let head = self.head(of_tags);
        let at = position(head);
        if rev == at.rev && item.text("chain") != at.chain {
            return Err(diverged(item, "the ledger has another entry there"));
        }
        if rev <= at.rev {
            return match stored {
                None => Err(diverged(item, "the ledger does not have it")),
                Some(stored) if text(stored, "chain") != item.text("chain") => {
                    Err(diverged(item, "the ledger has another one there"))
                }
                Some(stored) if item.kind() == ItemKind::Version => self.version_state(item, stored),
                Some(_) => Ok(()),
            };
        }
        if stored.is_some() {
            return Err(diverged(item, "the ledger has another one there"));
        }
        self.put(item, Condition::Absent);
        let mut head = self.heads[usize::from(of_tags)].take().or_else(|| head.cloned()).unwrap_or_default();
        // Names of live tags are only valid for the rev at which they were written.
        head.remove(schema::live::LIVE);
        head.insert(PARTIAL.to_owned(), 1.into());
        for name in ["rev", "chain", "when"] {
            head.insert(name.to_owned(), item.item.get(name).cloned().unwrap_or_default());
        }
        if !of_tags {
            let n = number(&head, "n");
            let n = if item.kind() == ItemKind::Version { item.number("n") } else { n };
            head.insert("n".to_owned(), n.into());
        }
        self.heads[usize::from(of_tags)] = Some(head);
        if item.kind() == ItemKind::Version {
            let version: VersionItem = decode(&item.key, &item.item)?;
            if version.state != State::Deleted {
                self.count(&version, 1);
            }
        }
        Ok(())
    }

    /// Plans the state and the later labels of a version that is there.
    fn version_state(&mut self, item: &ExportItem, stored: &Item) -> Result<(), Error> {
        let names = ["state", "more_labels"];
        if names.iter().all(|name| stored.get(*name) == item.item.get(*name)) {
            return Ok(());
        }
        let (was, is): (VersionItem, VersionItem) =
            (decode(&item.key, stored)?, decode(&item.key, &item.item)?);
        let set = names.iter().filter_map(|name| Some(((*name).to_owned(), item.item.get(*name)?.clone())));
        let condition = Condition::All(names.map(|name| Condition::same(name, stored)).into());
        let change = Change::Update { set: set.collect(), add: BTreeMap::new() };
        self.actions.push(Action { key: item.key.clone(), condition, change });
        match (was.state == State::Deleted, is.state == State::Deleted) {
            (false, true) => self.count(&is, -1),
            (true, false) => self.count(&is, 1),
            _ => {}
        }
        Ok(())
    }

    fn count(&mut self, version: &VersionItem, by: i64) {
        let address = version.blob.to_blob().address;
        let key = schema::blob_key(&address.sha256, address.epoch());
        let (highest, sum) = self.blobs.entry(key).or_insert_with(|| (address.clone(), 0));
        highest.generation = highest.generation.max(address.generation);
        *sum += by;
    }

    /// Plans an item that never changes once it is written, so that no use of it is recorded.
    fn fixed(&mut self, item: &ExportItem) -> Result<(), Error> {
        match self.seen.item(&item.key) {
            None => self.put(item, Condition::Absent),
            Some(stored) if *stored == item.item => {}
            Some(_) => return Err(diverged(item, "the ledger has another one")),
        }
        Ok(())
    }

    /// Plans an item that is to be as it is in the source.
    fn current(&mut self, item: &ExportItem) {
        let condition = match self.seen.whole(&item.key) {
            Some(stored) if *stored == item.item => return,
            Some(stored) => Condition::same("set", stored),
            None => Condition::Absent,
        };
        self.put(item, condition);
    }

    /// Adds the items of blobs, the heads and the directory.
    fn close(mut self, last: LastHeads<'_>) -> Result<Vec<Action>, Error> {
        for (key, (address, by)) in std::mem::take(&mut self.blobs) {
            if by != 0 {
                let action = counted(&key, &address, by, self.seen)?;
                self.actions.push(action);
            }
        }
        let is_new = self.head(false).is_none();
        for of_tags in [false, true] {
            let key = schema::head_key(&self.log(of_tags));
            let stored = self.head(of_tags).cloned();
            let at = position(stored.as_ref());
            let mut after = self.heads[usize::from(of_tags)].take();
            if let Some(last) = last {
                let stated = last[usize::from(of_tags)];
                if position(stated).rev < at.rev {
                    let what = format!("the ledger is at rev {}, past {}", at.rev, position(stated).rev);
                    return Err(Refused::Diverged { place: key.to_string(), what }.into());
                }
                after = stated.filter(|head| Some(*head) != stored.as_ref()).cloned();
            }
            let same = || {
                let chain = Condition::equals("chain", at.chain.clone());
                if at.rev == 0 { still_at(0) } else { Condition::All(vec![still_at(at.rev), chain]) }
            };
            match after {
                Some(head) => {
                    self.actions.push(Action { key, condition: same(), change: Change::Put(head) });
                }
                None if !self.actions.is_empty() => {
                    self.actions.push(Action { key, condition: same(), change: Change::Check });
                }
                None => {}
            }
        }
        if is_new && !self.actions.is_empty() {
            let key = schema::directory_key(self.package);
            self.actions.push(Action { key, condition: Condition::Always, change: Change::Put(Item::new()) });
        }
        Ok(self.actions)
    }
}

/// Returns the action that changes the number of versions that need a blob, which becomes one that is kept there.
///
/// A blob of an earlier generation is no longer needed in the source, since it was collected there. Versions that need
/// it may still be counted here, until the import reaches their deletion; they are counted in the same item until then.
fn counted(key: &Key, address: &Address, by: i64, seen: &Snapshot) -> Result<Action, Error> {
    let item = seen.attributes(key, &["state", "gen", "needs"]);
    let generation = address.generation;
    let act = |condition, change| Action { key: key.clone(), condition, change };
    let Some(stored) = item else {
        let put = json!({ "state": "kept", "gen": generation, "refs": by });
        return Ok(act(Condition::Absent, Change::Put(put.as_object().cloned().unwrap_or_default())));
    };
    schema::check_write(key, stored)?;
    let blob: BlobItem = decode(key, stored)?;
    let is_condemned = match blob.state {
        BlobState::Kept => false,
        BlobState::Condemned => true,
        BlobState::Other(word) => {
            return Err(Error::unknown_word(
                &format!("the blob {}", address.sha256),
                word.as_str(),
                "be imported",
            ));
        }
    };
    let is_past = if is_condemned { blob.generation >= generation } else { blob.generation > generation };
    if is_past && by > 0 {
        return Err(Refused::Collected(address.clone()).into());
    }
    let same = ["state", "gen"].map(|name| Condition::same(name, stored)).into_iter();
    let same = Condition::All(same.chain([still_needs(item)]).collect());
    let set = if by > 0 { json!({ "state": "kept", "gen": generation }) } else { json!({}) };
    let set = set.as_object().cloned().unwrap_or_default();
    Ok(act(same, Change::Update { set, add: BTreeMap::from([("refs", by)]) }))
}

pub(super) fn diverged(item: &ExportItem, what: &str) -> Error {
    Refused::Diverged { place: item.place(), what: what.to_owned() }.into()
}
