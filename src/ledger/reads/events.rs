//! The entries of a package's logs after a position, oldest first, for a consumer that must miss none.
//!
//! Both heads are read at one instant, and each log up to its head. The revisions of a log are dense. So each entry is
//! compared with the one before it: an entry that is missing is damage, and never skipped.

use super::{
    history::{addition, release_event, tag_event},
    pages::{Ordered, merge},
};
use crate::{
    ledger::{
        Error, NotFound, TableLedger,
        schema::{self, Head, ReleaseEvent, TagEvent, TagHead, VersionItem},
        table_ledger::READING,
    },
    model::{Event, PackageName, Revs},
    table::Order,
};
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};

impl TableLedger {
    /// Implements [`Ledger::revs`](crate::ledger::Ledger::revs).
    pub(in crate::ledger) async fn read_revs(&self, packages: &[PackageName]) -> Result<Vec<Revs>, Error> {
        let heads = packages.iter().flat_map(|package| [schema::releases(package), schema::tags(package)]);
        let keys: Vec<_> = heads.map(|log| schema::head_key(&log)).collect();
        let seen = self.read(keys.clone()).await?;
        let each = keys.as_chunks::<2>().0.iter().map(|[releases, tags]| {
            let releases: Option<Head> = seen.get(releases)?;
            let tags: Option<TagHead> = seen.get(tags)?;
            Ok(Revs {
                tags: Some(tags.map_or(0, |head| head.rev)),
                releases: Some(releases.map_or(0, |head| head.rev)),
            })
        });
        each.collect()
    }

    /// Implements [`Ledger::events`](crate::ledger::Ledger::events).
    pub(in crate::ledger) fn read_events(
        &self,
        package: &PackageName,
        after: Revs,
    ) -> BoxStream<'_, Result<Event, Error>> {
        let package = package.clone();
        stream::once(async move {
            let keys = [schema::releases(&package), schema::tags(&package)].map(|log| schema::head_key(&log));
            let mut all = keys.to_vec();
            all.push(schema::meta_key());
            let seen = self.retry_policy().run(READING, || self.read_once(all.clone(), true)).await?;
            let releases: Option<Head> = seen.get(&keys[0])?;
            let tags: Option<TagHead> = seen.get(&keys[1])?;
            let mut logs = Vec::new();
            if let Some(after) = after.releases {
                let (rev, versions) = releases.map_or((0, 0), |head| (head.rev, head.n));
                let log = Log { package: package.clone(), letter: 'r' };
                log.check(after, rev)?;
                let events = self.events_of_releases(&package, after, rev, versions).await?;
                logs.push(log.dense(events, after, rev));
            }
            if let Some(after) = after.tags {
                let rev = tags.map_or(0, |head| head.rev);
                let log = Log { package: package.clone(), letter: 't' };
                log.check(after, rev)?;
                logs.push(log.dense(self.tag_events(&package, after, rev), after, rev));
            }
            // At one instant, a tag is moved after its version was added.
            Ok::<_, Error>(merge(logs, |event| event.at))
        })
        .try_flatten()
        .boxed()
    }

    fn tag_events(&self, package: &PackageName, after: u64, rev: u64) -> BoxStream<'_, Result<Event, Error>> {
        if after >= rev {
            return stream::empty().boxed();
        }
        let at = |rev| schema::tag_event_key(package, rev).sk;
        let (log, package) = (schema::tags(package), package.clone());
        let (from, to) = (at(after + 1), at(rev));
        let events = self.events::<TagEvent>(log, from, to, Order::Ascending);
        events.map_ok(move |event| tag_event(event, &package)).boxed()
    }

    async fn events_of_releases(
        &self,
        package: &PackageName,
        after: u64,
        rev: u64,
        versions: u64,
    ) -> Result<BoxStream<'_, Result<Event, Error>>, Error> {
        if after >= rev {
            return Ok(stream::empty().boxed());
        }
        let log = schema::releases(package);
        let at = |rev| schema::release_event_key(package, rev).sk;
        let of = package.clone();
        let changed = self.events::<ReleaseEvent>(log.clone(), at(after + 1), at(rev), Order::Ascending);
        let changed = changed.map_ok(move |event| release_event(event, &of)).boxed();
        let first = self.first_version_after(package, after, versions).await?;
        if first > versions {
            return Ok(changed);
        }
        let at = |number| schema::version_key(package, number).sk;
        let of = package.clone();
        let added = self.events::<VersionItem>(log, at(first), at(versions), Order::Ascending);
        let added = added.map_ok(move |item| addition(item, &of)).boxed();
        Ok(merge(vec![added.peekable(), changed.peekable()], |event| event.rev).boxed())
    }

    /// Returns the number of the first version whose entry is after this rev; `versions + 1` if there is none. Looks
    /// back from the last one in steps that double, so that few reads find what was added since a short time ago.
    async fn first_version_after(
        &self,
        package: &PackageName,
        after: u64,
        versions: u64,
    ) -> Result<u64, Error> {
        // Version `n` has no revision below `n`.
        let (mut before, mut later, mut step) = (0, versions.min(after) + 1, 1);
        while later - before > 1 {
            let middle = before + (later - before) / 2;
            let number = later.saturating_sub(step).max(middle);
            if self.rev_of(package, number).await? <= after {
                before = number;
            } else {
                later = number;
            }
            step *= 2;
        }
        Ok(later)
    }

    async fn rev_of(&self, package: &PackageName, number: u64) -> Result<u64, Error> {
        let key = schema::version_key(package, number);
        let item: Option<VersionItem> = self.read(vec![key.clone()]).await?.get(&key)?;
        let missing = || Error::damaged(&key, "it is missing, and there are later versions");
        Ok(item.ok_or_else(missing)?.rev)
    }
}

/// One log of a package, for messages.
#[derive(Clone)]
struct Log {
    package: PackageName,
    letter: char,
}

impl Log {
    /// Checks that the log is not shorter than a position in it.
    fn check(&self, after: u64, last: u64) -> Result<(), Error> {
        if after <= last {
            return Ok(());
        }
        let rev = |rev: u64| format!("{}{rev}", self.letter);
        Err(NotFound::Revision { package: self.package.clone(), rev: rev(after), last: rev(last) }.into())
    }

    fn missing(&self, rev: u64) -> Error {
        Error::Damaged {
            what: format!("the entry {}{rev} of {}", self.letter, self.package),
            why: "it is missing, and its log has later entries".to_owned(),
        }
    }

    /// Checks that the entries follow each other, from the one after `after` up to `rev`.
    fn dense(self, events: BoxStream<'_, Result<Event, Error>>, after: u64, rev: u64) -> Ordered<'_, Event> {
        stream::try_unfold((events, after, self), move |(mut events, last, log)| async move {
            match events.try_next().await? {
                Some(event) if event.rev == last + 1 => Ok(Some((event, (events, last + 1, log)))),
                None if last >= rev => Ok(None),
                _ => Err(log.missing(last + 1)),
            }
        })
        .boxed()
        .peekable()
    }
}
