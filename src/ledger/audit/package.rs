//! Reading a package while others write to it, and judging it as of one instant.
//!
//! The two heads are read first, as one snapshot; their `rev` is the instant. Every entry up to it was committed before
//! the rest is read, and never changes. What does change is read later than the heads, and so may be ahead of them: the
//! state and labels of a version, and a tag. So the heads are read once more at the end, and the entries that were
//! committed in between say what may have changed: that is left to another run.
//!
//! What is not ahead is as of the heads that were read last, too. A repair is conditional on those, so that it succeeds
//! also where someone writes to the package all the time.

use super::{
    super::{
        Error, TableLedger,
        fence::still_at,
        items::{self, ReleaseEvent, ReleaseEventKind, decode},
    },
    Breach, Found, Mend, PageSize, Tell,
    examine::{Walked, examine, is_entry},
};
use crate::{
    model::{PackageName, Version},
    table::{Action, Change, Item, Key, Order, Query},
};
use serde_json::Value;
use std::collections::BTreeSet;

/// How often a package is looked at because others write to what is to be repaired.
const LOOKS: usize = 20;

/// The items of a package.
pub(super) struct Package {
    pub name: PackageName,
    pub releases: Log,
    pub tags: Log,
    /// Whether it is in the directory.
    pub listed: bool,
}

/// The items of one of its logs.
pub(super) struct Log {
    pub pk: String,
    /// The head, read before all else.
    pub head: Option<Item>,
    /// All items but the head and later entries, in order.
    pub items: Vec<(Key, Item)>,
    /// The `rev` of the head that was read after all items, if that was another.
    until: Option<u64>,
    /// The entries after the first head, up to the second.
    pub later: Vec<(Key, Item)>,
}

impl Package {
    /// An item that was read.
    pub fn item(&self, key: &Key) -> Option<&Item> {
        let log = [&self.releases, &self.tags].into_iter().find(|log| log.pk == key.pk)?;
        if *key == log.head_key() {
            return log.head.as_ref();
        }
        let at = log.items.binary_search_by(|(there, _)| there.sk.cmp(&key.sk)).ok()?;
        Some(&log.items[at].1)
    }
}

impl Log {
    pub fn head_key(&self) -> Key {
        items::head_key(&self.pk)
    }

    fn rev(&self) -> u64 {
        number(self.head.as_ref(), "rev")
    }

    /// Returns true if an item was written after the instant that the log is judged at, by the `rev` that it names.
    pub fn is_later(&self, item: &Item, name: &str) -> bool {
        let rev = number(Some(item), name);
        self.until.is_some_and(|until| rev > self.rev() && rev <= until)
    }

    /// Leaves out what was committed after the first head and up to this one.
    fn moved_to(&mut self, rev: u64, later: Vec<(Key, Item)>) {
        self.until = Some(rev);
        let mut kept = std::mem::take(&mut self.items);
        kept.retain(|(key, item)| !is_entry(key) || !self.is_later(item, "rev"));
        self.items = kept;
        self.later = later.into_iter().filter(|(_, item)| self.is_later(item, "rev")).collect();
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

    /// The versions that may be ahead of the head.
    pub fn changed(&self) -> Changed {
        let mut changed = Changed::default();
        // Should any of them be missing, it is not known what it changed.
        let Some(until) = self.until else { return changed };
        changed.all = self.later.len() as u64 != until.saturating_sub(self.rev());
        for (key, item) in self.later.iter().filter(|(key, _)| key.sk.starts_with("A#")) {
            match decode::<ReleaseEvent>(key, item) {
                Ok(ReleaseEvent { kind: ReleaseEventKind::Fence, version: None, .. }) => {}
                Ok(ReleaseEvent { version: Some(version), .. }) => drop(changed.some.insert(version)),
                Ok(_) | Err(_) => changed.all = true,
            }
        }
        changed
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

fn number(item: Option<&Item>, name: &str) -> u64 {
    item.and_then(|item| item.get(name)).and_then(Value::as_u64).unwrap_or_default()
}

impl TableLedger {
    /// Reports what is wrong with a package, and repairs what can be.
    pub(super) async fn audit_package(
        &self,
        name: &PackageName,
        repair: bool,
        tell: Tell<'_>,
    ) -> Result<(), Error> {
        let mut reported = BTreeSet::new();
        for look in 1..=LOOKS {
            let mut again = false;
            for one in self.look(name).await? {
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
    async fn look(&self, name: &PackageName) -> Result<Vec<Found>, Error> {
        let (releases, tags) = (items::releases(name), items::tags(name));
        let heads = [items::head_key(&releases), items::head_key(&tags)];
        let mut first = self.retrying(|| self.table().get_transact(&heads)).await?.into_iter();
        let (releases_head, tags_head) = (first.next().flatten(), first.next().flatten());
        let releases = self.log(releases, releases_head).await?;
        let tags = self.log(tags, tags_head).await?;
        let entry = items::directory_key(name);
        let listed = self.retrying(|| self.table().get(&entry)).await?.is_some();
        let mut package = Package { name: name.clone(), releases, tags, listed };
        let found = examine(&package);
        // Only something that looks wrong may have changed meanwhile.
        if found.is_empty() {
            return Ok(found);
        }
        let last = self.heads(&heads).await?;
        let mut moved = false;
        for (log, last) in [&mut package.releases, &mut package.tags].into_iter().zip(last) {
            let until = number(last.as_ref(), "rev");
            if until > log.rev() {
                let later = self.entries_after(log, until).await?;
                log.moved_to(until, later);
                moved = true;
            }
        }
        Ok(if moved { examine(&package) } else { found })
    }

    async fn log(&self, pk: String, head: Option<Item>) -> Result<Log, Error> {
        let mut items = self.partition(&pk).await?;
        items.retain(|(key, _)| key.sk != "H");
        Ok(Log { pk, head, items, until: None, later: Vec::new() })
    }

    /// The entries after a log's head, up to a rev: few, since they are what was committed while the log was read.
    async fn entries_after(&self, log: &Log, until: u64) -> Result<Vec<(Key, Item)>, Error> {
        let range =
            |kind: char, after: u64| (format!("{kind}#{:016}", after + 1), format!("{kind}#{until:016}"));
        // A version's number is never higher than its rev.
        let ranges = if items::is_releases(&log.pk) {
            vec![range('A', log.rev()), range('V', number(log.head.as_ref(), "n").min(log.rev()))]
        } else {
            vec![range('E', log.rev())]
        };
        let mut entries = Vec::new();
        for (from, to) in ranges {
            entries.extend(self.range(&log.pk, from, to).await?);
        }
        Ok(entries)
    }

    /// A whole partition.
    pub(super) async fn partition(&self, pk: &str) -> Result<Vec<(Key, Item)>, Error> {
        self.range(pk, " ".to_owned(), items::HIGHEST.to_owned()).await
    }

    /// A range of a partition.
    async fn range(&self, pk: &str, from: String, to: String) -> Result<Vec<(Key, Item)>, Error> {
        let limit = PageSize::first().items();
        let mut query = Query { pk: pk.to_owned(), from, to, order: Order::Ascending, limit, after: None };
        let (mut all, mut size) = (Vec::new(), PageSize::first());
        loop {
            let page = self.next_page(&mut size, &mut query).await?;
            all.extend(page.items.into_iter().map(|(sk, item)| (Key::new(pk, sk), item)));
            if page.next.is_none() {
                return Ok(all);
            }
        }
    }
}
