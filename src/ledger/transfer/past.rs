//! The state of an item as of an instant, when it has changed since.
//!
//! Entries never change, but the state and later labels of a version do, and a tag's item is a copy of its last event.
//! The events up to that instant give the state at that instant.

use super::item::{number, text};
use crate::{
    ledger::{
        Error, TableLedger,
        schema::{self, ReleaseEvent, ReleaseEventKind, TagEvent, TagItem, VersionItem, decode, encode},
    },
    model::{Labels, PackageName, State, Version},
    table::{Item, Key, Order},
};
use futures_util::{StreamExt, TryStreamExt};
use std::collections::{BTreeMap, BTreeSet};

/// The events of a package's versions, as far as an export has needed them. Each event is read once.
#[derive(Debug)]
pub(super) struct PastEvents {
    package: PackageName,
    /// The rev of the instant of the export.
    rev: u64,
    /// The highest rev that was read of the later events.
    seen: u64,
    /// The versions that later events are about.
    changed: BTreeSet<Version>,
    /// The events up to that instant, by version.
    earlier: Option<BTreeMap<Version, Vec<ReleaseEvent>>>,
}

impl PastEvents {
    pub fn new(package: PackageName, rev: u64) -> Self {
        Self { package, rev, seen: rev, changed: BTreeSet::new(), earlier: None }
    }

    /// Returns the events up to the instant, by version. They never change.
    async fn earlier(
        &mut self,
        ledger: &TableLedger,
    ) -> Result<&BTreeMap<Version, Vec<ReleaseEvent>>, Error> {
        let earlier = if let Some(earlier) = self.earlier.take() {
            earlier
        } else {
            let mut earlier: BTreeMap<_, Vec<_>> = BTreeMap::new();
            for (_, event) in ledger.release_events(&self.package, (1, self.rev)).await? {
                if let Some(version) = event.version {
                    earlier.entry(version).or_default().push(event);
                }
            }
            earlier
        };
        Ok(self.earlier.insert(earlier))
    }

    /// Returns the versions that events from this rev up to the instant are about.
    pub async fn changed_from(&mut self, ledger: &TableLedger, rev: u64) -> Result<BTreeSet<Version>, Error> {
        if rev > self.rev {
            return Ok(BTreeSet::new());
        }
        if self.earlier.is_none() && rev > 1 {
            let events = ledger.release_events(&self.package, (rev, self.rev)).await?;
            return Ok(events.into_iter().filter_map(|(_, event)| event.version).collect());
        }
        Ok(self.earlier(ledger).await?.keys().copied().collect())
    }

    /// Makes versions that were just read what they were at the instant.
    pub async fn restore(
        &mut self,
        ledger: &TableLedger,
        mut read: Vec<(Key, Item)>,
    ) -> Result<Vec<(Key, Item)>, Error> {
        // An event that changed one of them was committed before it was read.
        for (rev, event) in ledger.release_events(&self.package, (self.seen + 1, Version::MAX)).await? {
            self.seen = self.seen.max(rev);
            self.changed.extend(event.version);
        }
        let changed = &self.changed;
        let of = |item: &Item| Version::try_from(number(item, "n")).ok().filter(|it| changed.contains(it));
        let touched: Vec<_> =
            read.iter().enumerate().filter_map(|(at, (_, item))| Some((at, of(item)?))).collect();
        if touched.is_empty() {
            return Ok(read);
        }
        let earlier = self.earlier(ledger).await?;
        for (at, version) in touched {
            let (key, item) = &mut read[at];
            restore(key, item, earlier.get(&version).map_or(&[], Vec::as_slice))?;
        }
        Ok(read)
    }
}

impl TableLedger {
    /// Returns the events of versions with these revs.
    async fn release_events(
        &self,
        package: &PackageName,
        revs: (u64, u64),
    ) -> Result<Vec<(u64, ReleaseEvent)>, Error> {
        let key = |rev| schema::release_event_key(package, rev).sk;
        let events = self.pages(schema::releases(package), key(revs.0), key(revs.1), Order::Ascending);
        events
            .and_then(|(key, item)| async move { Ok((number(&item, "rev"), decode(&key, &item)?)) })
            .try_collect()
            .await
    }

    /// Returns a tag's item as it was when the head of its log was at this rev; `None` if there was none.
    pub(super) async fn tag_as_of(
        &self,
        package: &PackageName,
        (key, item): (Key, Item),
        rev: u64,
    ) -> Result<Option<(Key, Item)>, Error> {
        if number(&item, "set") <= rev {
            return Ok(Some((key, item)));
        }
        let at = |rev| schema::tag_event_key(package, rev).sk;
        let mut events = self.pages(schema::tags(package), at(1), at(rev), Order::Descending);
        while let Some((event_key, event)) = events.next().await.transpose()? {
            if text(&event, "tag") == text(&item, "tag") {
                let event: TagEvent = decode(&event_key, &event)?;
                let present: TagItem = decode(&key, &item)?;
                return Ok(Some((key, encode(&self.copy_of(package, event, present).await?))));
            }
        }
        Ok(None)
    }

    /// Returns the item of a tag whose last event is this one.
    async fn copy_of(
        &self,
        package: &PackageName,
        event: TagEvent,
        present: TagItem,
    ) -> Result<TagItem, Error> {
        let blob = match event.version {
            None => None,
            Some(version) => {
                let key = schema::version_key(package, version.get());
                let read = self.read(vec![key.clone()]).await?;
                read.get_referenced::<VersionItem>(&key)?.map(|version| version.copied_blob())
            }
        };
        Ok(event.into_item(present.tag, blob, present.rest))
    }
}

/// Makes a version what these events, and no others, have made of it.
fn restore(key: &Key, item: &mut Item, events: &[ReleaseEvent]) -> Result<(), Error> {
    let version: VersionItem = decode(key, item)?;
    let (mut state, mut more) = (State::Active, Labels::default());
    for event in events {
        match event.kind {
            ReleaseEventKind::Yank => state = State::Yanked,
            ReleaseEventKind::Unyank => state = State::Active,
            ReleaseEventKind::Delete => state = State::Deleted,
            ReleaseEventKind::Undelete => state = event.state.unwrap_or(State::Active),
            ReleaseEventKind::Label => more = more.and(&event.labels.without(&version.labels)),
            ReleaseEventKind::Fence => {}
            ReleaseEventKind::Other(word) => {
                return Err(Error::unknown_word(
                    &format!("the event of {key}"),
                    word.as_str(),
                    "be exported",
                ));
            }
        }
    }
    item.insert("state".to_owned(), serde_json::json!(state));
    item.remove("more_labels");
    if !more.is_empty() {
        item.insert("more_labels".to_owned(), serde_json::json!(more));
    }
    Ok(())
}
