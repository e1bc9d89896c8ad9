//! The history of a package: its logs, read backwards.
//!
//! The whole history is as of one instant, that of a snapshot of both heads. The ranges are read after it, each at an
//! instant of its own, and entries of a higher `rev` than the head of their log are left out. Otherwise a change
//! between two of these reads could be shown while an earlier change is missing. The history of one tag is one range:
//! only its newest entries can be missing.
//!
//! The entries of a log whose head is damaged or missing are shown without an upper bound. The history then ends with
//! an error that names the head.

use super::pages::{Ordered, merge};
use crate::{
    ledger::{
        Error, NotFound, TableLedger,
        schema::{self, ReleaseEvent, ReleaseEventKind, Revision, TagEvent, VersionItem, decode},
        table_ledger::READING,
    },
    model::{Event, EventKind, Gates, Labels, PackageName, TagKind, TagName},
    table::Order,
};
use futures_util::{
    StreamExt, TryStreamExt,
    future::join_all,
    stream::{self, BoxStream},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{cmp::Reverse, pin::Pin};

/// The head of a log at the instant of a history.
#[derive(Debug)]
enum LogHead {
    At(u64),
    Absent,
    Damaged(Error),
}

impl TableLedger {
    /// Implements [`Ledger::history`](crate::ledger::Ledger::history).
    pub(in crate::ledger) fn read_history(
        &self,
        package: &PackageName,
        tag: Option<&TagName>,
    ) -> BoxStream<'_, Result<Event, Error>> {
        let (package, tag) = (package.clone(), tag.cloned());
        stream::once(async move {
            let mut events = Box::pin(self.events_of(&package, tag.as_ref()).await?.peekable());
            // The package's existence is checked only if the stream is empty.
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

    /// Returns the events of a package, or of one of its tags, newest first.
    async fn events_of(
        &self,
        package: &PackageName,
        tag: Option<&TagName>,
    ) -> Result<BoxStream<'_, Result<Event, Error>>, Error> {
        let (releases, tags) = (schema::releases(package), schema::tags(package));
        if let Some(tag) = tag.cloned() {
            let of_tags = self.read_log(package, tags, schema::ANY_TAG_EVENT, tag_event);
            let is_of_it = move |event: &Event| std::future::ready(event.tag.as_ref() == Some(&tag));
            return Ok(of_tags.try_filter(is_of_it).boxed());
        }
        loop {
            let heads = self.log_heads(package).await?;
            let mut of_tags = self.read_log(package, tags.clone(), schema::ANY_TAG_EVENT, tag_event);
            let mut changed =
                self.read_log(package, releases.clone(), schema::ANY_RELEASE_EVENT, release_event);
            let mut added = self.read_log(package, releases.clone(), schema::ANY_VERSION, addition);
            let firsts = join_all([&mut changed, &mut added, &mut of_tags].map(has_entry)).await;
            let headless = |heads: &[LogHead; 2]| heads.each_ref().map(|it| matches!(it, LogHead::Absent));
            let [releases_headless, tags_headless] = headless(&heads);
            let lost = [releases_headless && (firsts[0] || firsts[1]), tags_headless && firsts[2]];
            // A log may have begun after its head was read. The history is then as of a later instant.
            if lost != [false; 2] {
                let still = headless(&self.log_heads(package).await?);
                if lost.iter().zip(still).any(|(lost, still)| *lost && !still) {
                    continue;
                }
            }
            let mut errors = Vec::new();
            let mut bounds = [None; 2];
            for (at, (head, log)) in heads.into_iter().zip([&releases, &tags]).enumerate() {
                match head {
                    LogHead::At(rev) => bounds[at] = Some(rev),
                    LogHead::Absent if lost[at] => errors.push(Err(lost_head(log))),
                    LogHead::Absent => bounds[at] = Some(0),
                    LogHead::Damaged(error) => errors.push(Err(error)),
                }
            }
            let [of_releases, bound_of_tags] = bounds;
            let [changed, added] = [changed, added].map(|events| up_to(of_releases, events));
            // At one instant, a tag is moved after its version was added.
            let merged =
                merge(vec![up_to(bound_of_tags, of_tags), changed, added], |event| Reverse(event.at));
            return Ok(merged.chain(stream::iter(errors)).boxed());
        }
    }

    /// Reads the heads of a package's logs, of its releases and of its tags, at one instant.
    async fn log_heads(&self, package: &PackageName) -> Result<[LogHead; 2], Error> {
        let [releases, tags] =
            [schema::releases(package), schema::tags(package)].map(|log| schema::head_key(&log));
        let keys = vec![releases.clone(), tags.clone(), schema::meta_key()];
        let seen = self.retry_policy().run(READING, || self.read_once(keys.clone(), true)).await?;
        let head = |key| match seen.get::<Revision>(key) {
            Ok(Some(head)) => Ok(LogHead::At(head.rev)),
            Ok(None) => Ok(LogHead::Absent),
            Err(error @ Error::Damaged { .. }) => Ok(LogHead::Damaged(error)),
            Err(error) => Err(error),
        };
        Ok([head(&releases)?, head(&tags)?])
    }

    /// Reads the records of a range of a log.
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

    /// Reads the events of a range of a log, newest first.
    fn read_log<T: Serialize + DeserializeOwned + Send + 'static>(
        &self,
        package: &PackageName,
        log: String,
        (from, to): (&str, &str),
        to_event: fn(T, &PackageName) -> Event,
    ) -> Ordered<'_, Event> {
        let package = package.clone();
        let records = self.events(log, from.to_owned(), to.to_owned(), Order::Descending);
        records.map_ok(move |record| to_event(record, &package)).boxed().peekable()
    }
}

/// Leaves out the events after the last revision, if that is known.
fn up_to(last: Option<u64>, events: Ordered<'_, Event>) -> Ordered<'_, Event> {
    let is_of_then = move |event: &Event| last.is_none_or(|last| event.rev <= last);
    events.try_filter(move |event| std::future::ready(is_of_then(event))).boxed().peekable()
}

/// Returns true if there is an entry, readable or not.
async fn has_entry(events: &mut Ordered<'_, Event>) -> bool {
    matches!(Pin::new(events).peek().await, Some(Ok(_) | Err(Error::Damaged { .. })))
}

fn lost_head(log: &str) -> Error {
    Error::damaged(&schema::head_key(log), "it is missing, and its log has entries")
}

pub(super) fn addition(item: VersionItem, package: &PackageName) -> Event {
    Event {
        package: package.clone(),
        kind: EventKind::Add,
        tag: None,
        version: Some(item.n),
        previous: None,
        labels: item.labels,
        protection: None,
        gates: Gates::default(),
        no_override: false,
        overridden: None,
        rev: item.rev,
        at: item.when,
        by: item.who,
        message: item.message,
        emergency: None,
    }
}

pub(super) fn release_event(event: ReleaseEvent, package: &PackageName) -> Event {
    Event {
        package: package.clone(),
        kind: match event.kind {
            ReleaseEventKind::Yank => EventKind::Yank,
            ReleaseEventKind::Unyank => EventKind::Unyank,
            ReleaseEventKind::Delete => EventKind::Delete,
            ReleaseEventKind::Undelete => EventKind::Undelete,
            ReleaseEventKind::Label => EventKind::Label,
            ReleaseEventKind::Fence => EventKind::ReleaseFence,
            ReleaseEventKind::Other(word) => EventKind::OtherOfReleases(word),
        },
        tag: None,
        version: event.version,
        previous: None,
        labels: event.labels,
        protection: None,
        gates: Gates::default(),
        no_override: false,
        overridden: None,
        rev: event.rev,
        at: event.when,
        by: event.who,
        message: event.message,
        emergency: None,
    }
}

pub(super) fn tag_event(event: TagEvent, package: &PackageName) -> Event {
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
        gates: event.gates,
        no_override: event.no_override,
        overridden: event.overridden,
        rev: event.rev,
        at: event.when,
        by: event.who,
        message: event.message,
        emergency: event.emergency,
    }
}
