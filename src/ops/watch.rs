//! `watch`: the entries of logs as they appear, none left out and none twice.

use super::{client::Client, error::Error, wait::POLL};
use crate::{
    ledger::{self, PackageQuery},
    model::{Cursor, Event, PackageName, Revs, TagName},
};
use futures_util::{
    StreamExt, TryStreamExt,
    future::ready,
    stream::{self, BoxStream},
};
use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The number of packages whose heads are read at once: one batch of DynamoDB.
const BATCH: usize = 50;

/// The number of batches that are read concurrently.
const BATCHES: usize = 4;

/// The number of packages for which a poll takes [`POLL`]; for more packages, polls are rarer.
const PACKAGES_A_POLL: u32 = 250;

/// The logs that a consumer follows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WatchScope {
    /// The logs of one package, which need not be there yet.
    Package(PackageName),
    /// The changes of one tag.
    Tag(PackageName, TagName),
    /// The logs of all packages whose names begin with this, new ones too.
    Prefix(String),
}

/// The events that a consumer wants: those after its cursors.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Watch {
    /// The logs.
    pub scope: WatchScope,
    /// The last cursor of each package. A package without one is read from its first entry.
    pub after: BTreeMap<PackageName, Revs>,
    /// End when all entries that were there were yielded, instead of waiting for more.
    pub once: bool,
}

impl Watch {
    /// Follows these logs from their first entries.
    #[must_use]
    pub fn new(scope: WatchScope) -> Self {
        Self { scope, after: BTreeMap::new(), once: false }
    }

    /// Continues after these cursors; of several of one package, after the last one.
    #[must_use]
    pub fn after(mut self, cursors: impl IntoIterator<Item = Cursor>) -> Self {
        self.after.extend(cursors.into_iter().map(|cursor| (cursor.package, cursor.revs)));
        self
    }

    /// Ends when all entries that were there were yielded.
    #[must_use]
    pub fn once(self, once: bool) -> Self {
        Self { once, ..self }
    }
}

/// An event, and the position after it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WatchedEvent {
    /// The event.
    pub event: Event,
    /// The position in the logs of its package after the event. A consumer that keeps the last cursor of each package
    /// misses no event, and gets none twice, over any restart.
    pub cursor: Cursor,
}

/// The positions of all packages, shared by the polls and by the events that are under way.
#[derive(Debug, Clone)]
struct Seen {
    scope: WatchScope,
    revs: Arc<Mutex<BTreeMap<PackageName, Revs>>>,
    /// The fault that ended the reading of a package since the last poll.
    failed: Arc<Mutex<Option<ledger::Error>>>,
}

impl Seen {
    fn revs(&self) -> MutexGuard<'_, BTreeMap<PackageName, Revs>> {
        self.revs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, package: &PackageName) -> Revs {
        let revs = self.revs().get(package).copied();
        match &self.scope {
            WatchScope::Tag(..) => Revs { tags: revs.and_then(|revs| revs.tags).or(Some(0)), releases: None },
            _ => revs.unwrap_or(Revs::START),
        }
    }

    /// Advances the position of a package past an event.
    fn pass(&self, event: &Event) -> Cursor {
        let mut revs = self.of(&event.package);
        let place = if event.kind.is_of_tags() { &mut revs.tags } else { &mut revs.releases };
        *place = Some(event.rev);
        self.revs().insert(event.package.clone(), revs);
        Cursor { package: event.package.clone(), revs }
    }

    fn fail(&self, error: ledger::Error) {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    fn take_failure(&self) -> Result<(), ledger::Error> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }

    fn wants(&self, event: &Event) -> bool {
        match &self.scope {
            WatchScope::Tag(_, tag) => event.tag.as_ref() == Some(tag),
            _ => true,
        }
    }
}

/// The state between two polls.
struct Polls {
    seen: Seen,
    once: bool,
    first: bool,
    /// True while the ledger does not answer.
    away: bool,
    packages: u32,
}

impl Client {
    /// Streams the events of logs, oldest first for each package, and waits for more. Each log is read by its
    /// revisions, which are checked to be dense: an event is never left out, and never yielded twice. A package that is
    /// made meanwhile is found by the next poll.
    ///
    /// Polls about every [`POLL`](super::POLL), and more rarely for more than 250 packages. An outage does not end it: the
    /// observer is warned, and the next poll continues after the last event. With [`once`](Watch::once), it ends the
    /// stream.
    ///
    /// # Cancellation
    /// May be dropped at any time; the last cursor that was yielded is the position.
    ///
    /// # Errors
    /// Yields [`NotFound::Revision`](crate::ledger::NotFound::Revision) if a log is shorter than its cursor, as after the
    /// ledger was replaced by an older copy; those of [`Ledger::events`](crate::ledger::Ledger::events).
    #[must_use]
    pub fn watch(&self, watch: Watch) -> BoxStream<'_, Result<WatchedEvent, Error>> {
        let Watch { scope, after, once } = watch;
        let seen = Seen { scope, revs: Arc::new(Mutex::new(after)), failed: Arc::default() };
        let polls = Polls { seen: seen.clone(), once, first: true, away: false, packages: 0 };
        stream::try_unfold(polls, move |mut polls| async move {
            if !polls.first && polls.once {
                return Ok(None);
            }
            let changed = self.next_changed(&mut polls).await?;
            Ok::<_, ledger::Error>(Some((
                stream::iter(changed.into_iter().map(Ok::<_, ledger::Error>)),
                polls,
            )))
        })
        .try_flatten()
        .and_then(move |package| ready(Ok(self.new_events(&package, seen.clone(), once))))
        .try_flatten()
        .err_into()
        .boxed()
    }

    /// Returns the present ends of these logs, as the cursors from which a consumer follows what happens from now on.
    ///
    /// # Cancellation
    /// Changes nothing; may be dropped at any time.
    ///
    /// # Errors
    /// The errors of [`Ledger::revs`](crate::ledger::Ledger::revs).
    pub async fn cursors(&self, scope: &WatchScope) -> Result<Vec<Cursor>, Error> {
        let found = self.ends(scope).await?;
        Ok(found.into_iter().map(|(package, revs)| Cursor { package, revs }).collect())
    }

    /// Reads the ends of the logs of all packages, several batches concurrently.
    async fn ends(&self, scope: &WatchScope) -> Result<Vec<(PackageName, Revs)>, ledger::Error> {
        let names: BoxStream<'_, _> = match scope {
            WatchScope::Package(package) | WatchScope::Tag(package, _) => {
                stream::once(ready(Ok(package.clone()))).boxed()
            }
            WatchScope::Prefix(prefix) => self.ledger.packages(&PackageQuery::new().prefix(prefix)),
        };
        let read = names.try_chunks(BATCH).map(|names| async move {
            let names = names.map_err(|error| error.1)?;
            let revs = self.ledger.revs(&names).await?;
            Ok::<_, ledger::Error>(names.into_iter().zip(revs).collect::<Vec<_>>())
        });
        let read: Vec<_> = read.buffered(BATCHES).try_collect().await?;
        Ok(read.into_iter().flatten().collect())
    }

    /// Polls until there is something new, and returns the packages that have it.
    async fn next_changed(&self, polls: &mut Polls) -> Result<Vec<PackageName>, ledger::Error> {
        loop {
            if !mem::take(&mut polls.first) {
                let times = 1 + polls.packages / PACKAGES_A_POLL;
                self.retry_policy.pause(POLL * times).await;
            }
            let ends = match polls.seen.take_failure() {
                Ok(()) => self.ends(&polls.seen.scope).await,
                Err(error) => Err(error),
            };
            match ends {
                Ok(ends) => {
                    if mem::take(&mut polls.away) {
                        self.observer.warn("the ledger answers again");
                    }
                    polls.packages = u32::try_from(ends.len()).unwrap_or(u32::MAX);
                    let is_new =
                        |(package, end): &(PackageName, Revs)| polls.seen.of(package).is_not_at(*end);
                    let changed: Vec<_> =
                        ends.into_iter().filter(is_new).map(|(package, _)| package).collect();
                    if !changed.is_empty() || polls.once {
                        return Ok(changed);
                    }
                }
                Err(error) if polls.once || !self.is_transient(&error) => return Err(error),
                Err(error) => {
                    if !mem::replace(&mut polls.away, true) {
                        self.observer.warn(&format!("the ledger does not answer; still watching: {error}"));
                    }
                }
            }
        }
    }

    /// Streams the entries of a package after its position, and advances the position with each.
    fn new_events(
        &self,
        package: &PackageName,
        seen: Seen,
        once: bool,
    ) -> BoxStream<'_, Result<WatchedEvent, ledger::Error>> {
        let events = self.ledger.events(package, seen.of(package));
        let passed = events.map(move |event| match event {
            Ok(event) => {
                let cursor = seen.pass(&event);
                Ok(Some(WatchedEvent { event, cursor }).filter(|it| seen.wants(&it.event)))
            }
            Err(error) if !once && self.is_transient(&error) => {
                seen.fail(error);
                Ok(None)
            }
            Err(error) => Err(error),
        });
        passed.try_filter_map(|event| ready(Ok(event))).boxed()
    }

    fn is_transient(&self, error: &ledger::Error) -> bool {
        let stopped = self.retry_policy.cancellation().is_cancelled();
        matches!(error, ledger::Error::Fault(fault) if fault.kind.is_transient() && !stopped)
    }
}
