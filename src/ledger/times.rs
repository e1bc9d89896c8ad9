//! Times: by whose clock entries are recorded, and reports of clocks that are or were wrong.
//!
//! An entry's time is now, or just after the entry before it where the head is ahead of now: times grow along each log.
//! A single entry from a clock that was far ahead raises all that follow. So an entry whose time had to be raised by
//! more than clocks differ also records what the clock said (`clock`).

use super::{
    Error, TableLedger,
    error::{NotFound, Refused},
    items::{self, ReleaseEvent, TagEvent, TagHead, TagItem, VersionItem},
    operation::Proposal,
    snapshot::{FixedVersion, Snapshot},
};
use crate::{
    clock::{CLOCKS_DIFFER, ServerTime},
    model::{Actor, Length, Moment, PackageName, TagName, Timestamp, Version},
    table::{Change, Order},
};
use futures_util::{TryStreamExt, future::join_all};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tracing::warn;

/// Where a ledger takes its time from.
pub(super) struct Clock {
    local: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    server: Option<ServerTime>,
    /// Whether the correction of this machine's clock was reported.
    reported: AtomicBool,
}

/// The time now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Now {
    pub at: Timestamp,
    /// Whether it is the server's, to which every client of the ledger keeps. Otherwise it is this machine's alone.
    pub of_server: bool,
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

impl Clock {
    pub(super) fn new(local: Arc<dyn Fn() -> Timestamp + Send + Sync>) -> Self {
        Self { local, server: None, reported: AtomicBool::new(false) }
    }

    pub(super) fn with_server(self, server: ServerTime) -> Self {
        Self { server: Some(server), ..self }
    }

    /// Returns the server's time, as soon as an answer of it has stated one, or else this machine's.
    pub(super) fn now(&self) -> Now {
        let local = (self.local)();
        let server = self.server.as_ref().and_then(|server| server.nearest(local));
        Now { at: server.unwrap_or(local), of_server: server.is_some() }
    }

    /// Reports, once, that this machine's clock is wrong, if that is known.
    fn report(&self) {
        let (local, now) = ((self.local)(), self.now());
        let (ahead, behind) = (local.since(now.at), now.at.since(local));
        if ahead.max(behind) > CLOCKS_DIFFER && !self.reported.swap(true, Ordering::Relaxed) {
            let which = if ahead > behind { "ahead of" } else { "behind" };
            let length = shown(ahead.max(behind));
            warn!("this machine's clock is {length} {which} the server's, whose time is recorded instead");
        }
    }
}

/// The time of an entry: now, but after the entry before it; and what the clock said, where that is far behind.
pub(super) fn stamp(now: Timestamp, last: Option<Timestamp>) -> (Timestamp, Option<Timestamp>) {
    let when = super::fence::after(now, last);
    (when, is_ahead(when, now).then_some(now))
}

/// Whether a time is so far ahead of now that a clock is or was wrong.
pub(super) fn is_ahead(when: Timestamp, now: Timestamp) -> bool {
    when.since(now) > CLOCKS_DIFFER
}

/// The age of a version as a gate counts it, or the reason why it is not known.
pub(super) fn age(item: &FixedVersion, now: Now) -> Result<Duration, String> {
    let added = match item.clock {
        None => item.when,
        // It was corrected by the server, as this one is.
        Some(clock) if now.of_server => clock,
        Some(clock) => {
            let when = item.when;
            return Err(format!(
                "its age is not known: it was recorded at {when} by a clock that said {clock}, and one of them is wrong"
            ));
        }
    };
    if is_ahead(added, now.at) {
        return Err(format!(
            "its age is not known: it is recorded at {added}, later than now, so a clock is or was wrong"
        ));
    }
    Ok(now.at.since(added))
}

/// An entry around the time that was asked for, which was recorded by a clock that was wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UncertainTime {
    /// The package.
    pub package: PackageName,
    /// The tag.
    pub tag: TagName,
    /// The time that was asked for.
    pub at: Timestamp,
    /// The revision of the package's tags that may have happened before or after it.
    pub rev: u64,
    /// Who made it.
    pub who: Actor,
    /// When, as it is recorded.
    pub recorded: Timestamp,
    /// The time of the clock of who made it, where that was behind the log.
    pub clock: Option<Timestamp>,
    /// The time now.
    pub now: Timestamp,
}

impl fmt::Display for UncertainTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { package, tag, at, rev, who, recorded, clock, now } = self;
        let said = match clock {
            Some(clock) => format!("by a clock that said {clock}"),
            None => format!("and now is {now}"),
        };
        write!(
            f,
            "{package} {tag} at {at} is not certain: a clock is or was wrong, since revision {rev}, by {who}, is recorded \
             at {recorded}, {said}"
        )
    }
}

/// An entry of a log, for people.
struct Entry {
    rev: u64,
    who: Actor,
    when: Timestamp,
}

impl TableLedger {
    /// The version that a tag was on at some time.
    ///
    /// # Errors
    /// [`NotFound::Tag`], [`NotFound::Then`]; [`Refused::UncertainTime`] where a clock was wrong around that time, and the
    /// tag has moved since.
    pub(super) async fn version_at(
        &self,
        package: &PackageName,
        tag: &TagName,
        moment: Moment,
    ) -> Result<Version, Error> {
        let (head_key, tag_key) = (items::head_key(&items::tags(package)), items::tag_key(package, tag));
        let seen = self.read(vec![head_key.clone(), tag_key.clone()]).await?;
        // After a read: by then the server has stated its time.
        let now = self.now();
        let at = moment.as_of(now.at);
        let item: Option<TagItem> = seen.get(&tag_key)?;
        let item = item.ok_or_else(|| NotFound::Tag { package: package.clone(), tag: tag.clone() })?;
        let head: Option<TagHead> = seen.get(&head_key)?;
        let (rev, when) = head.map_or((0, now.at), |head| (head.rev, head.when));
        let last = if when <= at { rev } else { self.last_event_at(package, rev, at).await? };
        let uncertain = |event: &TagEvent| {
            Refused::UncertainTime(Box::new(UncertainTime {
                package: package.clone(),
                tag: tag.clone(),
                at,
                rev: event.rev,
                who: event.who.clone(),
                recorded: event.when,
                clock: event.clock,
                now: now.at,
            }))
        };
        // It may have happened before `at`, as may all after it: of their times it is known only that they are wrong.
        if last < rev && item.set > last {
            let next = self.event(package, last + 1).await?;
            if is_ahead(next.when, now.at) {
                return Err(uncertain(&next).into());
            }
        }
        // What precedes an entry whose time is right has happened before it. An entry that was raised may have happened
        // later than it says, unless the server's time was known.
        let mut certain = false;
        let of_tag = |event: &TagEvent| {
            certain |= event.clock.is_none() || now.of_server;
            event.tag.as_ref() == Some(tag)
        };
        let event = self.find_event(package, last, of_tag).await?;
        if let Some(event) = event.as_ref().filter(|_| !certain) {
            return Err(uncertain(event).into());
        }
        let then = event.and_then(|event| event.version);
        Ok(then.ok_or_else(|| NotFound::Then { package: package.clone(), tag: tag.clone(), at })?)
    }

    /// The rev of the last event up to `rev` in a package's tag log at some time; 0 if there was none. Times grow along a
    /// log, so it takes one read for each doubling of its length.
    async fn last_event_at(&self, package: &PackageName, rev: u64, at: Timestamp) -> Result<u64, Error> {
        let (mut before, mut after) = (0, rev);
        while after - before > 1 {
            let middle = before + (after - before) / 2;
            let event = self.event(package, middle).await?;
            if event.when <= at { before = middle } else { after = middle }
        }
        Ok(before)
    }

    /// Reports after a change what it has met of wrong clocks: this machine's, and the one that put a log ahead. Reads
    /// only if there is one. No error: what was done is done.
    pub(super) async fn report_clocks<T>(&self, proposal: &Proposal<T>, seen: &Snapshot) {
        self.clock().report();
        let now = self.now();
        let advanced = proposal.heads.iter().filter(|(log, _)| {
            let key = items::head_key(log);
            proposal.actions.iter().any(|action| action.key == key && action.change != Change::Check)
        });
        let reports = advanced.filter_map(|(log, rev)| {
            let head = seen.item(&items::head_key(log))?;
            let when = Timestamp::from_millis(head.get("when")?.as_u64()?);
            let last = head.get("n").and_then(serde_json::Value::as_u64).unwrap_or(0);
            is_ahead(when, now.at).then(|| self.report_log(log, *rev, last, when, now.at))
        });
        for report in join_all(reports).await.into_iter().flatten() {
            warn!("{report}");
        }
    }

    async fn report_log(
        &self,
        log: &str,
        rev: u64,
        last: u64,
        when: Timestamp,
        now: Timestamp,
    ) -> Option<String> {
        let package = log.get(2..)?.parse::<PackageName>().ok()?;
        let (of, first) = if items::is_releases(log) {
            ("versions", self.first_ahead_of_releases(&package, last, now).await)
        } else {
            ("tags", self.first_ahead_of_tags(&package, rev, now).await)
        };
        let since = match first {
            Ok(Some(Entry { rev, who, when })) => format!(", since revision {rev} by {who} at {when}"),
            // It is a notice, and the ledger may be out of reach by now.
            Ok(None) | Err(_) => String::new(),
        };
        let length = shown(when.since(now));
        Some(format!(
            "the log of the {of} of {package} is {length} ahead of now{since}: a clock is or was wrong; what was changed \
             now is recorded after {when}"
        ))
    }

    /// The first entry of a package's tag log that is ahead of now.
    async fn first_ahead_of_tags(
        &self,
        package: &PackageName,
        rev: u64,
        now: Timestamp,
    ) -> Result<Option<Entry>, Error> {
        let last = self.last_event_at(package, rev, now.later(CLOCKS_DIFFER)).await?;
        let TagEvent { rev, who, when, .. } = self.event(package, last + 1).await?;
        Ok(Some(Entry { rev, who, when }))
    }

    /// The first entry of a package's release log that is ahead of now: the first such version, unless there is an event
    /// between it and the version before.
    async fn first_ahead_of_releases(
        &self,
        package: &PackageName,
        last: u64,
        now: Timestamp,
    ) -> Result<Option<Entry>, Error> {
        let read = async |number: u64| -> Result<Option<VersionItem>, Error> {
            let key = items::version_key(package, number);
            self.read(vec![key.clone()]).await?.get(&key)
        };
        let (mut before, mut after) = ((0, 0), (last + 1, Version::MAX, None));
        while after.0 - before.0 > 1 {
            let middle = before.0 + (after.0 - before.0) / 2;
            let Some(item) = read(middle).await? else { return Ok(None) };
            let VersionItem { rev, who, when, .. } = item;
            if is_ahead(when, now) {
                after = (middle, rev, Some(Entry { rev, who, when }));
            } else {
                before = (middle, rev);
            }
        }
        let [from, to] = [before.1, after.1].map(|rev| items::release_event_key(package, rev).sk);
        let events = self.events::<ReleaseEvent>(items::releases(package), from, to, Order::Ascending);
        let ahead = |event: &ReleaseEvent| std::future::ready(is_ahead(event.when, now));
        let event = events.try_filter(ahead).try_next().await?;
        let event = event.map(|ReleaseEvent { rev, who, when, .. }| Entry { rev, who, when });
        Ok(event.or(after.2))
    }
}

/// A length of time for people: in whole seconds.
fn shown(length: Duration) -> Length {
    Duration::from_secs(length.as_secs()).into()
}
