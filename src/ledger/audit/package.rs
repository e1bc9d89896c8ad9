//! Reading a package while others write to it, and judging it as of one instant.
//!
//! The two heads are read first, as one snapshot; their `rev` is the instant. Every entry up to it was committed before
//! the rest is read, and never changes. Later ones are left out: if a page has any, the head is read again, and says which
//! are sound. What does change is read later than the heads, and so may be ahead of them: the state and labels of a
//! version, and a tag. So if anything looks wrong, the heads are read once more at the end, and the entries that were
//! committed in between say what may have changed: that is left to another run.
//!
//! The only record of an item that is held is the one that judging it takes (see [`gather`](super::gather)).
//!
//! What is not ahead is as of the heads that were read last, too. A repair is conditional on those, so that it succeeds
//! also where someone writes to the package all the time.

use super::{
    super::{
        Error, TableLedger,
        fence::still_at,
        items::{self, BlobFields, ReleaseEvent, ReleaseEventKind, VersionItem, decode},
    },
    Breach, Found, Mend, Tell, Went,
    examine::{Findings, Walked, examine},
    facts::{Entry, EntryNumbers, Place, ReleaseFact, TagFact, VersionFact, room},
};
use crate::{
    model::{PackageName, Version},
    table::{Action, Change, Item, Key},
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How often a package is looked at because others write to what is to be repaired.
const LOOKS: usize = 20;

/// The records of a package.
pub(super) struct Package {
    pub name: PackageName,
    pub releases: Releases,
    pub tags: Tags,
    /// Whether it is in the directory.
    pub listed: bool,
}

/// The records of its releases.
pub(super) struct Releases {
    pub log: Log,
    /// In ascending order, once all were read.
    pub versions: Vec<VersionFact>,
    pub events: Vec<ReleaseFact>,
    /// The blobs of the versions that tags are on, and of the highest one that is active. No blob: the version is gone.
    pub blobs: BTreeMap<Version, Option<BlobFields>>,
    /// The highest version that was met as active.
    pub latest: Option<Version>,
}

/// The records of its tags.
pub(super) struct Tags {
    pub log: Log,
    pub events: Vec<TagFact>,
    /// By sort key.
    pub by_key: BTreeMap<Box<str>, Tag>,
    /// The number of tags that events were met of.
    pub met: usize,
}

/// The record of a tag.
#[derive(Default)]
pub(super) struct Tag {
    /// Its place in the order in which events of tags were met.
    pub number: Option<usize>,
    /// Its last event: the rev, the version that it is on, and the item.
    pub last: Option<(u64, Option<Version>, Box<str>)>,
    pub item: Option<Box<str>>,
    /// True if it was changed after the instant that the log is judged at.
    pub later: bool,
}

/// The records of either log.
pub(super) struct Log {
    pub pk: String,
    /// The head, read before all else.
    pub head: Option<Item>,
    /// All entries up to the head, and those beyond it that no later head stands for.
    pub entries: Vec<Entry>,
    /// The breaches of items by themselves.
    pub read: Findings,
    /// The breaches of idempotency keys by themselves. The rest of the log does not rest on them.
    pub keys: Findings,
    /// True if an entry needs a newer release to be read.
    pub closed: bool,
    /// The sort keys of items that need a newer release to be written.
    pub spared: BTreeSet<String>,
    /// Idempotency keys that lead to an entry that was not met, and that entry.
    pub dangling: Vec<(String, String)>,
    /// The entries that were met, sound or not.
    pub met: EntryNumbers,
    /// The sort keys of those without a number in it.
    pub odd: BTreeSet<String>,
    /// The highest rev that the head was seen to have while the entries were read; 0 if it was not read again.
    pub seen: u64,
    /// The `rev` of the head that was read after all items, if that was another.
    until: Option<u64>,
    later: Later,
}

/// A summary of the entries after the first head, up to the second.
#[derive(Default)]
struct Later {
    count: u64,
    entries: EntryNumbers,
    changed: Changed,
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
    fn new(pk: String, head: Option<Item>, read: Findings) -> Self {
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
        items::head_key(&self.pk)
    }

    pub fn rev(&self) -> u64 {
        number_in(self.head.as_ref(), "rev")
    }

    /// Returns true if what entries are copied to can be derived from the log: it is sound, and up to its head.
    pub fn may_be_derived(&self, walked: &Walked) -> bool {
        walked.sound && self.rev() <= walked.rev
    }

    /// The check that nothing was committed to the log since it was read.
    pub fn is_still(&self, walked: &Walked) -> Action {
        let condition = still_at(self.until.unwrap_or(walked.rev));
        Action { key: self.head_key(), condition, change: Change::Check }
    }

    /// Returns true if an entry was committed after the instant that the log is judged at.
    pub fn was_added(&self, sk: &str) -> bool {
        self.later.entries.has(sk)
    }

    /// The versions that may be ahead of the head.
    pub fn changed(&self) -> &Changed {
        &self.later.changed
    }
}

impl Later {
    fn take(&mut self, key: &Key, item: &Item) {
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

/// Versions that later events are about.
#[derive(Debug, Default)]
pub(super) struct Changed {
    all: bool,
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

impl TableLedger {
    /// Reports what is wrong with a package, and repairs what can be.
    pub(super) async fn audit_package(
        &self,
        name: &PackageName,
        repair: bool,
        tell: Tell<'_>,
        went: Went<'_>,
    ) -> Result<(), Error> {
        let mut reported = BTreeSet::new();
        for look in 1..=LOOKS {
            let mut again = false;
            for one in self.look(name, went).await? {
                let what = (one.breach.place.clone(), one.breach.rule, one.breach.what.clone());
                if reported.contains(&what) {
                    continue;
                }
                let breach: Breach = self.settled(one, repair).await?;
                // Another repair of this run may be what it waits for. After one, a change that was planned before it
                // may have been committed after it.
                again |= matches!(breach.mend, Mend::Done | Mend::Overtaken);
                if breach.mend == Mend::Overtaken && look < LOOKS {
                    continue;
                }
                reported.insert(what);
                tell(breach);
            }
            if !again {
                break;
            }
        }
        Ok(())
    }

    /// All that is wrong with a package.
    async fn look(&self, name: &PackageName, went: Went<'_>) -> Result<Vec<Found>, Error> {
        let (releases, tags) = (items::releases(name), items::tags(name));
        let heads = [items::head_key(&releases), items::head_key(&tags)];
        let mut first = self.retrying(|| self.table().get_transact(&heads)).await?;
        let read = Findings::of(first.iter().flatten());
        let (tags_head, releases_head) = (first.pop().flatten(), first.pop().flatten());
        let tags = self.gather_tags(Log::new(tags, tags_head, read.clone()), went).await?;
        let releases = Log::new(releases, releases_head, read);
        let releases = self.gather_releases(releases, &tags.versions(), went).await?;
        let entry = items::directory_key(name);
        let listed = self.retrying(|| self.table().get(&entry)).await?.is_some();
        let mut package = Package { name: name.clone(), releases, tags, listed };
        let found = self.examined(&mut package).await?;
        // Only something that looks wrong may have changed meanwhile.
        if found.is_empty() {
            return Ok(found);
        }
        let last = self.read_each(&heads).await?;
        let mut moved = false;
        for (log, last) in [&mut package.releases.log, &mut package.tags.log].into_iter().zip(last) {
            let until = number_in(last.as_ref(), "rev");
            if until > log.rev() {
                self.read_later(log, until).await?;
                moved = true;
            }
        }
        if moved { self.examined(&mut package).await } else { Ok(found) }
    }

    /// All that is wrong with what was read of a package. Blobs that it takes to say so are read.
    async fn examined(&self, package: &mut Package) -> Result<Vec<Found>, Error> {
        loop {
            match examine(package) {
                Ok(found) => return Ok(found),
                Err(version) => {
                    let key = items::version_key(&package.name, version.get());
                    let item = self.retrying(|| self.table().get(&key)).await?;
                    // Another item than the one that was met, if versions call themselves by others' numbers.
                    let item = item.and_then(|item| decode::<VersionItem>(&key, &item).ok());
                    package.releases.blobs.insert(version, item.map(|item| item.copied_blob()));
                }
            }
        }
    }

    /// Reads the entries after a log's head, up to a rev: what was committed while the log was read.
    async fn read_later(&self, log: &mut Log, until: u64) -> Result<(), Error> {
        let range =
            |kind: char, after: u64| (format!("{kind}#{:016}", after + 1), format!("{kind}#{until:016}"));
        // A version's number is never higher than its rev.
        let ranges = if items::is_releases(&log.pk) {
            vec![range('A', log.rev()), range('V', number_in(log.head.as_ref(), "n").min(log.rev()))]
        } else {
            vec![range('E', log.rev())]
        };
        let (mut later, from) = (Later::default(), log.rev());
        for (first, last) in ranges {
            let take = |key: Key, item: Item| {
                let rev = number_in(Some(&item), "rev");
                if rev > from && rev <= until {
                    later.take(&key, &item);
                }
            };
            self.each(&log.pk, first, last, take).await?;
        }
        // Should any of them be missing, it is not known what it changed.
        later.changed.all |= later.count != until - from;
        (log.until, log.later) = (Some(until), later);
        Ok(())
    }
}
