//! The records of a package, as far as judging it needs them.

use super::{
    facts::{Entry, EntryNumbers, Place, ReleaseFact, TagFact, VersionFact, room},
    findings::{Findings, Walked},
};
use crate::{
    ledger::schema::{self, BlobFields, ReleaseEvent, ReleaseEventKind, decode, still_at},
    model::{PackageName, Version},
    table::{Action, Change, Item, Key},
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The records of a package.
pub(super) struct Package {
    pub name: PackageName,
    pub releases: Releases,
    pub tags: Tags,
    /// True if the package is in the directory.
    pub listed: bool,
}

/// The records of its releases.
pub(super) struct Releases {
    pub log: Log,
    /// The versions, in ascending order once all were read.
    pub versions: Vec<VersionFact>,
    pub events: Vec<ReleaseFact>,
    /// The blobs of the versions that tags are on, and of the highest active one. No blob: the version is missing.
    pub blobs: BTreeMap<Version, Option<BlobFields>>,
    /// The highest active version that was read.
    pub latest: Option<Version>,
}

/// The records of its tags.
pub(super) struct Tags {
    pub log: Log,
    pub events: Vec<TagFact>,
    /// The tags by sort key.
    pub by_key: BTreeMap<Box<str>, Tag>,
    /// The number of tags that have events.
    pub met: usize,
}

/// The record of a tag.
#[derive(Default)]
pub(super) struct Tag {
    /// The tag's index in the order in which events of tags were read.
    pub number: Option<usize>,
    /// The tag's last event: the rev, the version that it is on, and the item.
    pub last: Option<(u64, Option<Version>, Box<str>)>,
    pub item: Option<Box<str>>,
    /// True if it was changed after the instant that the log is judged at.
    pub later: bool,
}

/// The records of either log.
pub(super) struct Log {
    pub pk: String,
    /// The head, read before everything else.
    pub head: Option<Item>,
    /// All entries up to the head, and those beyond it that no later head covers.
    pub entries: Vec<Entry>,
    /// The violations of single items.
    pub read: Findings,
    /// The violations of single idempotency keys. The rest of the log does not depend on them.
    pub keys: Findings,
    /// True if an entry needs a newer release to be read.
    pub closed: bool,
    /// The sort keys of items that need a newer release to be written.
    pub spared: BTreeSet<String>,
    /// Idempotency keys that refer to an entry that was not read, and that entry.
    pub dangling: Vec<(String, String)>,
    /// The numbers of the entries that were read, sound or not.
    pub met: EntryNumbers,
    /// The sort keys of entries that have no number.
    pub odd: BTreeSet<String>,
    /// The highest rev that the head had while the entries were read; 0 if it was not read again.
    pub seen: u64,
    /// The `rev` of the head that was read after all items, if it was another.
    pub until: Option<u64>,
    pub later: Later,
}

/// A summary of the entries after the first head, up to the second.
#[derive(Default)]
pub(super) struct Later {
    pub count: u64,
    pub entries: EntryNumbers,
    pub changed: Changed,
}

impl Releases {
    pub fn new(log: Log) -> Self {
        let n = number_in(log.head.as_ref(), "n");
        let versions = Vec::with_capacity(room(n));
        let events = Vec::with_capacity(room(log.rev().saturating_sub(n)));
        Self { log, versions, events, blobs: BTreeMap::new(), latest: None }
    }

    /// Returns a version that was read.
    pub fn version(&self, n: Version) -> Option<&VersionFact> {
        let at = self.versions.binary_search_by_key(&n, |version| version.n).ok()?;
        Some(&self.versions[at])
    }
}

impl Tags {
    pub fn new(log: Log) -> Self {
        let events = Vec::with_capacity(room(log.rev()));
        Self { log, events, by_key: BTreeMap::new(), met: 0 }
    }
}

impl Log {
    pub fn new(pk: String, head: Option<Item>, read: Findings) -> Self {
        Self {
            pk,
            entries: Vec::with_capacity(room(number_in(head.as_ref(), "rev"))),
            head,
            keys: read.clone(),
            read,
            closed: false,
            spared: BTreeSet::new(),
            dangling: Vec::new(),
            met: EntryNumbers::default(),
            odd: BTreeSet::new(),
            seen: 0,
            until: None,
            later: Later::default(),
        }
    }

    pub fn head_key(&self) -> Key {
        schema::head_key(&self.pk)
    }

    pub fn rev(&self) -> u64 {
        number_in(self.head.as_ref(), "rev")
    }

    /// Returns true if copies of entries can be derived from the log: it is sound, and complete up to its head.
    pub fn may_be_derived(&self, walked: &Walked) -> bool {
        walked.sound && self.rev() <= walked.rev
    }

    /// Returns the check that nothing was committed to the log since it was read.
    pub fn is_still(&self, walked: &Walked) -> Action {
        let condition = still_at(self.until.unwrap_or(walked.rev));
        Action { key: self.head_key(), condition, change: Change::Check }
    }

    /// Returns true if an entry was committed after the instant that the log is judged at.
    pub fn was_added(&self, sk: &str) -> bool {
        self.later.entries.has(sk)
    }

    /// Returns the versions that may be ahead of the head.
    pub fn changed(&self) -> &Changed {
        &self.later.changed
    }
}

impl Later {
    pub fn take(&mut self, key: &Key, item: &Item) {
        self.count += 1;
        self.entries.add(&Place::of(&key.sk));
        if !key.sk.starts_with("A#") {
            return;
        }
        match decode::<ReleaseEvent>(key, item) {
            Ok(ReleaseEvent { kind: ReleaseEventKind::Fence, version: None, .. }) => {}
            Ok(ReleaseEvent { version: Some(version), .. }) => drop(self.changed.some.insert(version)),
            Ok(_) | Err(_) => self.changed.all = true,
        }
    }
}

/// The versions that later events changed.
#[derive(Debug, Default)]
pub(super) struct Changed {
    pub all: bool,
    some: BTreeSet<Version>,
}

impl Changed {
    pub fn has(&self, version: Version) -> bool {
        self.all || self.some.contains(&version)
    }
}

pub(super) fn number_in(item: Option<&Item>, name: &str) -> u64 {
    item.and_then(|item| item.get(name)).and_then(Value::as_u64).unwrap_or_default()
}
