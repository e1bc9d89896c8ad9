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
use std::collections::BTreeSet;

impl TableLedger {
    /// Returns the events of versions with these revs.
    async fn release_events(
        &self,
        package: &PackageName,
        revs: (u64, u64),
    ) -> Result<Vec<(Key, ReleaseEvent)>, Error> {
        let key = |rev| schema::release_event_key(package, rev).sk;
        let events = self.pages(schema::releases(package), key(revs.0), key(revs.1), Order::Ascending);
        events
            .and_then(|(key, item)| async move { Ok((key.clone(), decode(&key, &item)?)) })
            .try_collect()
            .await
    }

    /// Returns the versions that events with these revs are about.
    pub(super) async fn changed_versions(
        &self,
        package: &PackageName,
        revs: (u64, u64),
    ) -> Result<BTreeSet<Version>, Error> {
        if revs.0 > revs.1 {
            return Ok(BTreeSet::new());
        }
        let events = self.release_events(package, revs).await?;
        Ok(events.into_iter().filter_map(|(_, event)| event.version).collect())
    }

    /// Returns versions as they were when the head of their log was at this rev.
    pub(super) async fn versions_as_of(
        &self,
        package: &PackageName,
        mut read: Vec<(Key, Item)>,
        rev: u64,
    ) -> Result<Vec<(Key, Item)>, Error> {
        let later = self.changed_versions(package, (rev + 1, Version::MAX)).await?;
        let touched = |item: &Item| later.iter().any(|version| version.get() == number(item, "n"));
        if !read.iter().any(|(_, item)| touched(item)) {
            return Ok(read);
        }
        let events = self.release_events(package, (1, rev)).await?;
        for (key, item) in read.iter_mut().filter(|(_, item)| touched(item)) {
            restore(key, item, &events)?;
        }
        Ok(read)
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
fn restore(key: &Key, item: &mut Item, events: &[(Key, ReleaseEvent)]) -> Result<(), Error> {
    let version: VersionItem = decode(key, item)?;
    let (mut state, mut more) = (State::Active, Labels::default());
    for (_, event) in events.iter().filter(|(_, event)| event.version == Some(version.n)) {
        match event.kind {
            ReleaseEventKind::Yank => state = State::Yanked,
            ReleaseEventKind::Unyank => state = State::Active,
            ReleaseEventKind::Delete => state = State::Deleted,
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
