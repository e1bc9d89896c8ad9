//! What happened to a package: its logs, read backwards.

use super::{
    Error, NotFound, TableLedger,
    items::{self, ReleaseEvent, ReleaseEventKind, TagEvent, VersionItem, decode},
};
use crate::{
    model::{Event, EventKind, Labels, PackageName, TagKind, TagName},
    table::Order,
};
use futures_util::{
    Stream, StreamExt, TryStreamExt,
    future::join_all,
    stream::{self, BoxStream, Peekable},
};
use serde::{Serialize, de::DeserializeOwned};
use std::pin::Pin;

type Events<'a> = Peekable<BoxStream<'a, Result<Event, Error>>>;

impl TableLedger {
    /// See [`Ledger::history`](super::Ledger::history).
    pub(super) fn read_history(
        &self,
        package: &PackageName,
        tag: Option<&TagName>,
    ) -> BoxStream<'_, Result<Event, Error>> {
        let of_tags = self.tag_events(package);
        let (package, tag) = (package.clone(), tag.cloned());
        let events = match tag.clone() {
            None => merge(vec![self.additions(&package), self.release_events(&package), of_tags]).boxed(),
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

    fn additions(&self, package: &PackageName) -> Events<'_> {
        let (from, to) = items::ANY_VERSION;
        let log = items::releases(package);
        let package = package.clone();
        let versions = self.events::<VersionItem>(log, from.to_owned(), to.to_owned(), Order::Descending);
        versions.map_ok(move |item| addition(item, &package)).boxed().peekable()
    }

    fn release_events(&self, package: &PackageName) -> Events<'_> {
        let (from, to) = items::ANY_RELEASE_EVENT;
        let log = items::releases(package);
        let package = package.clone();
        let events = self.events::<ReleaseEvent>(log, from.to_owned(), to.to_owned(), Order::Descending);
        events.map_ok(move |event| release_event(event, &package)).boxed().peekable()
    }

    fn tag_events(&self, package: &PackageName) -> Events<'_> {
        let (from, to) = items::ANY_TAG_EVENT;
        let log = items::tags(package);
        let package = package.clone();
        let events = self.events::<TagEvent>(log, from.to_owned(), to.to_owned(), Order::Descending);
        events.map_ok(move |event| tag_event(event, &package)).boxed().peekable()
    }
}

/// Merges streams that are each newest first; their pages are read in parallel.
fn merge(streams: Vec<Events<'_>>) -> impl Stream<Item = Result<Event, Error>> + '_ {
    stream::unfold(streams, |mut streams| async move {
        let heads = join_all(streams.iter_mut().map(|events| Pin::new(events).peek())).await;
        let newest = heads
            .iter()
            .enumerate()
            .filter_map(|(number, head)| head.map(|head| (number, head)))
            // An error comes first. Of one instant, the later stream does: a tag is moved after its version was added.
            .max_by_key(|(_, head)| head.as_ref().map_or((true, None), |event| (false, Some(event.at))))
            .map(|(number, _)| number);
        let next = streams[newest?].next().await?;
        Some((next, streams))
    })
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
