//! The stops of a package's tags: the versions that their next rollbacks would put them on.
//!
//! The links of all tags are followed together, so the number of reads depends on the number of rollbacks and not on
//! the number of tags. A rollback goes neither to a yanked or deleted version nor to no version at all. Such an entry is
//! passed over and not counted, so that the stops are those that rollbacks can still reach.

use crate::{
    ledger::{
        Error, Stop, Stops, TableLedger,
        schema::{
            self, Head, TagEvent, TagHead, TagItem, VersionItem, decode,
            live::{Live, live},
        },
        snapshot::Snapshot,
        table_ledger::READING,
    },
    model::{PackageName, State, TagName, Version},
    table::{Key, Order},
};
use futures_util::TryStreamExt;
use std::collections::{BTreeMap, BTreeSet};

/// The state of following the rollback links of one tag.
#[derive(Debug)]
struct Walk {
    tag: TagName,
    /// The version that the tag is on after the rollbacks so far.
    at: Option<Version>,
    /// The version of the last entry, until its state is known.
    found: Option<Version>,
    /// The rev of the next entry.
    back: Option<u64>,
    rollbacks: u16,
}

impl Walk {
    /// Returns the rev of the entry to read next: none if the version that was found may be the last one needed.
    fn next(&self, depth: u16) -> Option<u64> {
        let may_be_last = self.found.is_some() && self.rollbacks + 1 == depth;
        self.back.filter(|_| self.rollbacks < depth && !may_be_last)
    }

    /// Takes the version that was found as a stop, unless it was deleted.
    fn take(&mut self, states: &BTreeMap<Version, State>, stops: &mut BTreeMap<Version, Vec<Stop>>) {
        let Some(version) = self.found.take() else { return };
        let state = states.get(&version).copied().unwrap_or(State::Deleted);
        if state == State::Deleted {
            return;
        }
        // A yanked version can be unyanked, and a rollback to where the tag is changes nothing: neither is counted.
        let stop = Stop { rollbacks: self.rollbacks + 1, tag: self.tag.clone() };
        if state == State::Active && self.at != Some(version) {
            (self.rollbacks, self.at) = (self.rollbacks + 1, Some(version));
        }
        let stops = stops.entry(version).or_default();
        if !stops.iter().any(|other| other.tag == stop.tag) {
            stops.push(stop);
        }
    }
}

impl TableLedger {
    /// Implements [`Ledger::stops`](crate::ledger::Ledger::stops).
    pub(in crate::ledger) async fn read_stops(
        &self,
        package: &PackageName,
        depth: u16,
    ) -> Result<Stops, Error> {
        let keys = [schema::releases(package), schema::tags(package)].map(|log| schema::head_key(&log));
        let mut all = keys.to_vec();
        all.push(schema::meta_key());
        let seen = self.retry_policy().run(READING, || self.read_once(all.clone(), true)).await?;
        let releases: Option<Head> = seen.get(&keys[0])?;
        let tags: Option<TagHead> = seen.get(&keys[1])?;
        let mut stops = Stops {
            package: package.clone(),
            tags_rev: tags.as_ref().map_or(0, |head| head.rev),
            releases_rev: releases.map_or(0, |head| head.rev),
            on: BTreeMap::new(),
            of: BTreeMap::new(),
        };
        let mut walks = self.begin_walks(package, live(tags.as_ref()), &mut stops).await?;
        let mut states: BTreeMap<Version, State> = BTreeMap::new();
        loop {
            walks.retain(|walk| walk.found.is_some() || walk.next(depth).is_some());
            if walks.is_empty() {
                return Ok(stops);
            }
            let revs: Vec<_> = walks.iter().map(|walk| walk.next(depth)).collect();
            let seen = self.read(wanted(package, &walks, &revs, &states)).await?;
            for version in walks.iter().filter_map(|walk| walk.found) {
                if let Some(item) = seen_version(package, version, &seen)? {
                    states.insert(version, item.state);
                }
            }
            for (walk, rev) in walks.iter_mut().zip(revs) {
                walk.take(&states, &mut stops.of);
                if let Some(rev) = rev {
                    let event = seen_event(package, rev, &seen)?;
                    (walk.found, walk.back) = (event.version, event.back);
                }
            }
        }
    }

    /// Reads all tags, also those that are on no version.
    async fn begin_walks(
        &self,
        package: &PackageName,
        live: Option<Live>,
        stops: &mut Stops,
    ) -> Result<Vec<Walk>, Error> {
        let (from, to) = schema::ANY_TAG;
        let mut rows = self.pages(schema::tags(package), from.to_owned(), to.to_owned(), Order::Ascending);
        let mut named = live.unwrap_or_default();
        let mut walks = Vec::new();
        while let Some((key, item)) = rows.try_next().await? {
            let item: TagItem = decode(&key, &item)?;
            let is_later = item.set > stops.tags_rev;
            let live = named.remove(item.tag.as_str());
            if let Some(version) = live
                && !is_later
                && item.version != Some(version)
            {
                let why = format!("it is not on {version}, as the head of the tags states");
                return Err(Error::damaged(&key, why));
            }
            if let Some(version) = item.version {
                stops.on.entry(version).or_default().push(item.tag.clone());
            }
            let TagItem { tag, version: at, back, .. } = item;
            walks.push(Walk { tag, at, found: None, back, rollbacks: 0 });
        }
        // No tag's item ever disappears.
        match named.first_key_value() {
            Some((name, _)) => {
                let key = Key::new(schema::tags(package), format!("t#{name}"));
                Err(Error::damaged(&key, "it is missing, and the head of the tags names it"))
            }
            None => Ok(walks),
        }
    }
}

/// Returns the keys of the next entries, and of the versions whose state is not known.
fn wanted(
    package: &PackageName,
    walks: &[Walk],
    revs: &[Option<u64>],
    states: &BTreeMap<Version, State>,
) -> Vec<Key> {
    let found = walks.iter().filter_map(|walk| walk.found);
    let unknown: BTreeSet<_> = found.filter(|version| !states.contains_key(version)).collect();
    let versions = unknown.into_iter().map(|version| schema::version_key(package, version.get()));
    let revs: BTreeSet<_> = revs.iter().flatten().collect();
    versions.chain(revs.into_iter().map(|rev| schema::tag_event_key(package, *rev))).collect()
}

fn seen_version(
    package: &PackageName,
    version: Version,
    seen: &Snapshot,
) -> Result<Option<VersionItem>, Error> {
    let key = schema::version_key(package, version.get());
    if seen.contains(&key) { seen.get(&key) } else { Ok(None) }
}

fn seen_event(package: &PackageName, rev: u64, seen: &Snapshot) -> Result<TagEvent, Error> {
    let key = schema::tag_event_key(package, rev);
    let event: Option<TagEvent> = seen.get(&key)?;
    let event = event.ok_or_else(|| Error::damaged(&key, "it is missing, and its log has later entries"))?;
    // Otherwise the links would have no end.
    if event.back.is_some_and(|back| back >= rev) {
        return Err(Error::damaged(&key, "its rollback link refers to a later entry"));
    }
    Ok(event)
}
