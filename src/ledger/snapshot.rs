//! Items as they were read, and a record of the facts that a decision used.
//!
//! A change is decided on in [`Operation::plan`](super::engine::operation::Operation::plan) from a [`Snapshot`] and
//! nothing else, and each accessor of the snapshot records what it returns. The engine therefore knows what a decision
//! depends on, and sends a transaction only if all of that still holds at the commit: see [`coverage`].

pub(super) mod coverage;
mod facts;

use super::{
    Error,
    schema::{self, BlobFields, Head, Record, TagHead, VersionItem, decode},
};
use crate::{
    model::{Labels, PackageName, Timestamp, Version},
    table::{Condition, Item, Key},
};
use facts::{Fact, Used};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A version, without the attributes that can change.
#[derive(Debug, Clone)]
pub(super) struct FixedVersion {
    pub blob: BlobFields,
    pub when: Timestamp,
    pub clock: Option<Timestamp>,
}

/// A value that may be shown with an outcome, but not used for a decision.
#[derive(Debug, Clone)]
pub(super) struct Shown<T>(T);

impl<T> Shown<T> {
    /// Wraps a value that was decided on already.
    pub(super) fn of(known: T) -> Self {
        Self(known)
    }

    /// Returns the value, to be shown.
    pub(super) fn show(self) -> T {
        self.0
    }
}

/// Data that a plan needs, or the keys that must be read first.
pub(super) enum Lookup<T> {
    Ready(T),
    Missing(Vec<Key>),
}

impl<T> Lookup<T> {
    /// Returns the data of all lookups, in their order, or all keys that must be read first.
    pub(super) fn all(each: impl IntoIterator<Item = Result<Self, Error>>) -> Result<Lookup<Vec<T>>, Error> {
        let (mut ready, mut missing) = (Vec::new(), BTreeSet::new());
        for one in each {
            match one? {
                Self::Ready(one) => ready.push(one),
                Self::Missing(keys) => missing.extend(keys),
            }
        }
        if missing.is_empty() {
            return Ok(Lookup::Ready(ready));
        }
        Ok(Lookup::Missing(missing.into_iter().collect()))
    }
}

/// An item, and the read that returned it.
#[derive(Debug, Clone)]
struct Seen {
    item: Option<Item>,
    read: usize,
}

/// Items as they were read; `None` for one that was absent.
#[derive(Default)]
pub(super) struct Snapshot {
    items: BTreeMap<Key, Seen>,
    /// The reads that returned the items, in order: true for a read at one instant.
    reads: Vec<bool>,
    used: Mutex<Vec<Used>>,
}

impl Clone for Snapshot {
    fn clone(&self) -> Self {
        Self { items: self.items.clone(), reads: self.reads.clone(), used: Mutex::default() }
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("items", &self.items)
            .field("reads", &self.reads)
            .finish_non_exhaustive()
    }
}

impl Snapshot {
    /// Creates a snapshot from one read: at one instant if `one`, else with an instant for each item.
    pub(super) fn new(keys: Vec<Key>, items: Vec<Option<Item>>, one: bool) -> Self {
        let mut snapshot = Self::default();
        snapshot.read(keys.into_iter().zip(items), one);
        snapshot
    }

    /// Adds items that were read after all present ones, each at an instant of its own.
    pub(super) fn more(&mut self, items: impl IntoIterator<Item = (Key, Option<Item>)>) {
        self.read(items, false);
    }

    /// Takes over the entries of tag logs that an earlier snapshot has read and this one has not: they never change.
    pub(super) fn keep_entries(&mut self, earlier: Self) {
        let is_kept = |key: &Key, seen: &Seen| schema::rev_of_tag_entry(key).is_some() && seen.item.is_some();
        let kept = earlier.items.into_iter().filter(|(key, seen)| is_kept(key, seen) && !self.contains(key));
        let kept: Vec<_> = kept.map(|(key, seen)| (key, seen.item)).collect();
        self.more(kept);
    }

    fn read(&mut self, items: impl IntoIterator<Item = (Key, Option<Item>)>, one: bool) {
        let read = self.reads.len();
        self.reads.push(one);
        self.items.extend(items.into_iter().map(|(key, item)| (key, Seen { item, read })));
    }

    fn used(&self) -> MutexGuard<'_, Vec<Used>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn uses(&self, key: &Key, fact: Fact) {
        self.used().push(Used { key: key.clone(), fact, decides: true });
    }

    pub(super) fn contains(&self, key: &Key) -> bool {
        self.items.contains_key(key)
    }

    /// Checks that this release may change those of these items that were read. For the engine: no use is recorded.
    ///
    /// # Errors
    /// [`Error::Newer`], [`Error::Schema`].
    pub(super) fn check_writable<'a>(&self, keys: impl IntoIterator<Item = &'a Key>) -> Result<(), Error> {
        for key in keys {
            if let Some(item) = self.item(key) {
                schema::check_write(key, item)?;
            }
        }
        Ok(())
    }

    /// Returns an item as it is stored. For the engine: no use of it is recorded.
    pub(super) fn item(&self, key: &Key) -> Option<&Item> {
        self.items.get(key).and_then(|seen| seen.item.as_ref())
    }

    /// Returns the item at a key that must have been read.
    fn known(&self, key: &Key) -> Option<&Item> {
        assert!(self.contains(key), "{key} is used for a decision and was not read");
        self.item(key)
    }

    /// Returns the record at `key`.
    ///
    /// # Panics
    /// If the key was not read.
    pub(super) fn get<T: Record>(&self, key: &Key) -> Result<Option<T>, Error> {
        let item = self.known(key);
        match item {
            None => self.used().push(Used { key: key.clone(), fact: Fact::Absent, decides: T::DECIDES }),
            Some(_) if T::MARKS.is_empty() => {}
            Some(_) => {
                self.used().push(Used { key: key.clone(), fact: Fact::Same(T::MARKS), decides: T::DECIDES });
            }
        }
        item.map(|item| decode(key, item)).transpose()
    }

    /// Returns the record at `key`, to which another item refers; `None` if the key was not read.
    pub(super) fn get_referenced<T: Record>(&self, key: &Key) -> Result<Option<T>, Error> {
        if !self.contains(key) {
            return Ok(None);
        }
        self.get(key)?.map_or_else(|| Err(missing(key)), |record| Ok(Some(record)))
    }

    /// Returns the record at `key`, to which another item refers, to be shown; `None` if the key was not read.
    pub(super) fn shown<T: Record>(&self, key: &Key) -> Result<Option<Shown<T>>, Error> {
        if !self.contains(key) {
            return Ok(None);
        }
        let item = self.item(key).ok_or_else(|| missing(key))?;
        Ok(Some(Shown(decode(key, item)?)))
    }

    /// Returns the immutable part of the version at `key`.
    pub(super) fn version(&self, key: &Key) -> Result<Option<FixedVersion>, Error> {
        let Some(item) = self.known(key) else {
            self.uses(key, Fact::Absent);
            return Ok(None);
        };
        let item: VersionItem = decode(key, item)?;
        Ok(Some(FixedVersion { blob: item.copied_blob(), when: item.when, clock: item.clock }))
    }

    /// Returns the value of a label of the version at `key`. An existing label never changes; a missing one may be
    /// added.
    pub(super) fn label(&self, key: &Key, name: &str) -> Result<Option<String>, Error> {
        let item: Option<VersionItem> = self.known(key).map(|item| decode(key, item)).transpose()?;
        let labels = item.map_or_else(Labels::default, |item| item.labels.and(&item.more_labels));
        let value = labels.iter().find(|(label, _)| *label == name).map(|(_, value)| value.to_owned());
        if value.is_none() {
            self.uses(key, Fact::Same(&["more_labels"]));
        }
        Ok(value)
    }

    /// Returns `latest` of the head at `key`, with its blob, which follows from the version.
    pub(super) fn latest(&self, key: &Key) -> Result<Option<(Version, BlobFields)>, Error> {
        let head: Option<Head> = self.known(key).map(|item| decode(key, item)).transpose()?;
        self.uses(key, if head.is_some() { Fact::Same(&["latest"]) } else { Fact::Absent });
        Ok(head.and_then(|head| head.latest.zip(head.blob)))
    }

    /// Returns true if the package has a version. A package is never removed.
    pub(super) fn has_package(&self, package: &PackageName) -> Result<bool, Error> {
        let key = schema::head_key(&schema::releases(package));
        let head: Option<Head> = self.known(&key).map(|item| decode(&key, item)).transpose()?;
        match head {
            Some(head) if head.n > 0 => return Ok(true),
            Some(_) => self.uses(&key, Fact::Same(&["n"])),
            None => self.uses(&key, Fact::Absent),
        }
        Ok(false)
    }

    /// Returns the `rev` in the head of a log, 0 for none, as the base of a transaction or for a check.
    pub(super) fn rev(&self, log: &str) -> Result<u64, Error> {
        Ok(self.get::<TagHead>(&schema::head_key(log))?.map_or(0, |head| head.rev))
    }

    /// Returns true if the condition holds for the item at `key`.
    pub(super) fn fits(&self, key: &Key, condition: &Condition) -> bool {
        let holds = condition.holds(self.known(key));
        self.uses(key, Fact::Holds(condition.clone(), holds));
        holds
    }

    /// Returns the item at `key` as it is stored, for a decision on all of it.
    pub(super) fn whole(&self, key: &Key) -> Option<&Item> {
        self.stored(key, Fact::Whole)
    }

    /// Returns the item at `key` as it is stored, for a decision on these attributes.
    pub(super) fn attributes(&self, key: &Key, used: &'static [&'static str]) -> Option<&Item> {
        self.stored(key, Fact::Same(used))
    }

    fn stored(&self, key: &Key, fact: Fact) -> Option<&Item> {
        let item = self.known(key);
        self.uses(key, item.map_or(Fact::Absent, |_| fact));
        item
    }

    /// Returns the condition that the record at `key` is as it was read.
    pub(super) fn unchanged<T: Record>(&self, key: &Key) -> Condition {
        self.known(key).map_or(Condition::Absent, |item| {
            Condition::All(T::MARKS.iter().map(|mark| Condition::same(mark, item)).collect())
        })
    }
}

fn missing(key: &Key) -> Error {
    Error::damaged(key, "it is missing, and another item refers to it")
}
