//! The history of a package: its logs, read backwards.
//!
//! The whole history is as of one instant, that of a snapshot of both heads. The ranges are read after it, each at a time
//! of its own, and entries of a higher `rev` than the head of their log are left out. Else a change between two of these
//! reads would show where a change before it is missing. The history of one tag is one range: newer entries of it can
//! only be missing where it begins.

use super::pages::{Ordered, merge};
use crate::{
    ledger::{
        Error, NotFound, TableLedger,
        schema::{self, ReleaseEvent, ReleaseEventKind, Revision, TagEvent, VersionItem, decode},
        table_ledger::READING,
    },
    model::{Event, EventKind, Labels, PackageName, TagKind, TagName},
    table::Order,
};
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use serde::{Serialize, de::DeserializeOwned};
use std::cmp::Reverse;

impl TableLedger {
    /// See [`Ledger::history`](crate::ledger::Ledger::history).
    pub(in crate::ledger) fn read_history(
        &self,
        package: &PackageName,
        tag: Option<&TagName>,
    ) -> BoxStream<'_, Result<Event, Error>> {
        let (package, tag) = (package.clone(), tag.cloned());
        stream::once(async move {
            let mut events = Box::pin(self.events_of(&package, tag.as_ref()).await?.peekable());
            // Only a stream that is empty takes a look at whether the package is there.
            if events.as_mut().peek().await.is_none() {
                self.read_head(&package).await?;
                return Err(Error::from(match tag {
                    None => NotFound::Package(package),
                    Some(tag) => NotFound::Tag { package, tag },
                }));
            }
            Ok(events)
        })
        .try_flatten()
        .boxed()
    }

    /// The events of a package, or of one of its tags, newest first.
    async fn events_of(
        &self,
        package: &PackageName,
        tag: Option<&TagName>,
    ) -> Result<BoxStream<'_, Result<Event, Error>>, Error> {
        let (releases, tags) = (schema::releases(package), schema::tags(package));
        if let Some(tag) = tag.cloned() {
            let of_tags = self.told(package, tags, schema::ANY_TAG_EVENT, tag_event);
            let is_of_it = move |event: &Event| std::future::ready(event.tag.as_ref() == Some(&tag));
            return Ok(of_tags.try_filter(is_of_it).boxed());
        }
        let [last_of_releases, last_of_tags] = self.revs(package).await?;
        let of_tags = up_to(last_of_tags, self.told(package, tags, schema::ANY_TAG_EVENT, tag_event));
        let added = self.told(package, releases.clone(), schema::ANY_VERSION, addition);
        let changed = self.told(package, releases, schema::ANY_RELEASE_EVENT, release_event);
        let [changed, added] = [changed, added].map(|events| up_to(last_of_releases, events));
        // Of one instant, a tag is moved after its version was added.
        Ok(merge(vec![of_tags, changed, added], |event| Reverse(event.at)).boxed())
    }

    /// The revs in the heads of a package's logs at one instant, 0 where there is none.
    async fn revs(&self, package: &PackageName) -> Result<[u64; 2], Error> {
        let heads = [schema::releases(package), schema::tags(package)].map(|log| schema::head_key(&log));
        let keys: Vec<_> = heads.iter().cloned().chain([schema::meta_key()]).collect();
        let seen = self.patience().run(READING, || self.read_once(keys.clone(), true)).await?;
        let mut revs = [0; 2];
        for (rev, key) in revs.iter_mut().zip(&heads) {
            *rev = seen.get::<Revision>(key)?.map_or(0, |head| head.rev);
        }
        Ok(revs)
    }

    /// The records of a range of a log.
    pub(in crate::ledger) fn events<T: Serialize + DeserializeOwned + Send + 'static>(
        &self,
        log: String,
        from: String,
        to: String,
        order: Order,
    ) -> BoxStream<'_, Result<T, Error>> {
        self.pages(log, from, to, order)
            .map(|row| {
                let (key, item) = row?;
                decode(&key, &item)
            })
            .boxed()
    }

    /// What a range of a log tells, newest first.
    fn told<T: Serialize + DeserializeOwned + Send + 'static>(
        &self,
        package: &PackageName,
        log: String,
        (from, to): (&str, &str),
        tell: fn(T, &PackageName) -> Event,
    ) -> Ordered<'_, Event> {
        let package = package.clone();
        let records = self.events(log, from.to_owned(), to.to_owned(), Order::Descending);
        records.map_ok(move |record| tell(record, &package)).boxed().peekable()
    }
}

/// Leaves out the events after the last that there was.
fn up_to(last: u64, events: Ordered<'_, Event>) -> Ordered<'_, Event> {
    events.try_filter(move |event| std::future::ready(event.rev <= last)).boxed().peekable()
}

fn addition(item: VersionItem, package: &PackageName) -> Event {
    Event {
        package: package.clone(),
        kind: EventKind::Add,
        tag: None,
        version: Some(item.n),
        previous: None,
        labels: item.labels,
        protection: None,
        rev: item.rev,
        at: item.when,
        by: item.who,
        message: item.message,
    }
}

fn release_event(event: ReleaseEvent, package: &PackageName) -> Event {
    Event {
        package: package.clone(),
        kind: match event.kind {
            ReleaseEventKind::Yank => EventKind::Yank,
            ReleaseEventKind::Unyank => EventKind::Unyank,
            ReleaseEventKind::Delete => EventKind::Delete,
            ReleaseEventKind::Label => EventKind::Label,
            ReleaseEventKind::Fence => EventKind::ReleaseFence,
            ReleaseEventKind::Other(word) => EventKind::OtherOfReleases(word),
        },
        tag: None,
        version: event.version,
        previous: None,
        labels: event.labels,
        protection: None,
        rev: event.rev,
        at: event.when,
        by: event.who,
        message: event.message,
    }
}

fn tag_event(event: TagEvent, package: &PackageName) -> Event {
    Event {
        package: package.clone(),
        kind: match event.kind {
            TagKind::Move => EventKind::Move,
            TagKind::Rollback => EventKind::Rollback,
            TagKind::Untag => EventKind::Untag,
            TagKind::Protect => EventKind::Protect,
            TagKind::Unprotect => EventKind::Unprotect,
            TagKind::Fence => EventKind::TagFence,
            TagKind::Other(word) => EventKind::OtherOfTags(word),
        },
        tag: event.tag,
        version: event.version,
        previous: event.previous,
        labels: Labels::default(),
        protection: event.protection,
        rev: event.rev,
        at: event.when,
        by: event.who,
        message: event.message,
    }
}
