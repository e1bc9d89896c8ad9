//! What happened to a package: its logs, read backwards.

use super::{
    Error, NotFound, TableLedger,
    items::{self, ReleaseEvent, ReleaseEventKind, TagEvent, VersionItem, decode},
    read::{Ordered, merge},
};
use crate::{
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
    /// See [`Ledger::history`](super::Ledger::history).
    pub(super) fn read_history(
        &self,
        package: &PackageName,
        tag: Option<&TagName>,
    ) -> BoxStream<'_, Result<Event, Error>> {
        let (releases, tags) = (items::releases(package), items::tags(package));
        let of_tags = self.told(package, tags, items::ANY_TAG_EVENT, tag_event);
        let (package, tag) = (package.clone(), tag.cloned());
        let events = match tag.clone() {
            None => {
                let added = self.told(&package, releases.clone(), items::ANY_VERSION, addition);
                let changed = self.told(&package, releases, items::ANY_RELEASE_EVENT, release_event);
                // Of one instant, a tag is moved after its version was added.
                merge(vec![of_tags, changed, added], |event| Reverse(event.at)).boxed()
            }
            Some(tag) => {
                of_tags.try_filter(move |event| std::future::ready(event.tag.as_ref() == Some(&tag))).boxed()
            }
        };
        // What is not there has no history; but that is looked up only once its stream turns out to be empty.
        stream::once(async move {
            let mut events = Box::pin(events.peekable());
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

    /// The records of a range of a log.
    pub(super) fn events<T: Serialize + DeserializeOwned + Send + 'static>(
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
