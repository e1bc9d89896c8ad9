//! The time that a tag stood on a version, and whether it ever was on it. Pure: over what was read of the tag's log.
//!
//! The log is followed backwards from the tag's last event, whose rev is in the tag's item. Entries never change, so the
//! result depends on that item alone. It is followed only as far as needed: until the condition holds; or to an event
//! of the tag up to which the tag was on no version as high (`top`), so that no earlier event can be of that version.
//!
//! The time of an event is that of its writer's clock, as for a gate by age. A stay that begins or ends at a time that
//! is not known counts as nothing, and stays never overlap. So wrong clocks can make the total too low, but never more
//! than the time since the earliest stay.

use crate::{
    ledger::{
        Error,
        clock::Now,
        schema::{self, TagEvent, TagItem, is_ahead},
        snapshot::{Lookup, Snapshot},
    },
    model::{PackageName, TagKind, TagName, Timestamp, Version},
    table::Key,
};
use std::time::Duration;

/// The number of entries that are read first.
const FIRST: u64 = 16;
/// The maximum number of entries that are read at once.
const MOST_AT_ONCE: u64 = 2000;
/// The maximum number of entries that are followed.
pub(super) const MOST: u64 = 20_000;

/// The stays of a tag on a version, as far as they were followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Stays {
    /// The time of all stays.
    pub total: Duration,
    /// True if there is a stay.
    pub was: bool,
    /// True if a stay did not count because its time is not known.
    pub unknown: bool,
    /// True if there may be earlier stays: the log is too long to be followed.
    pub cut: bool,
}

/// The condition until which a log is followed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Until {
    /// The tag was on the version.
    Was,
    /// The tag stood on the version for this long.
    Total(Duration),
}

impl Until {
    fn is_met(self, stays: &Stays) -> bool {
        match self {
            Self::Was => stays.was,
            Self::Total(least) => stays.total >= least,
        }
    }
}

/// Returns the stays of a tag on a version, or the entries that must be read for it.
pub(super) fn stays(
    package: &PackageName,
    tag: &TagName,
    version: Version,
    until: Until,
    seen: &Snapshot,
    now: Now,
) -> Result<Lookup<Stays>, Error> {
    let mut stays = Stays::default();
    let key = schema::tag_key(package, tag);
    if !seen.contains(&key) {
        return Ok(Lookup::Missing(vec![key]));
    }
    let Some(item) = seen.get::<TagItem>(&key)? else { return Ok(Lookup::Ready(stays)) };
    if item.version == Some(version) {
        // By the server's time, the last event was recorded at its time or, if an earlier one was ahead, too late. An
        // author's own clock that was behind may have recorded it too early, which only the event itself shows.
        let known = now.of_server && !is_ahead(item.when, now.at) && !matches!(item.kind, TagKind::Other(_));
        let total = if known { now.at.since(item.when) } else { Duration::ZERO };
        stays = Stays { total, was: true, ..stays };
        if until.is_met(&stays) {
            return Ok(Lookup::Ready(stays));
        }
    }
    if item.top().is_some_and(|top| top < version.get()) {
        return Ok(Lookup::Ready(stays));
    }
    follow(package, tag, version, until, (item.set, seen, now))
}

/// Follows the log backwards from this rev.
fn follow(
    package: &PackageName,
    tag: &TagName,
    version: Version,
    until: Until,
    (from, seen, now): (u64, &Snapshot, Now),
) -> Result<Lookup<Stays>, Error> {
    let mut stays = Stays::default();
    // The time of the tag's event after the present one; and the earliest time so far.
    let (mut end, mut earliest) = (Some(now.at), now.at);
    for rev in (1..=from).rev() {
        let walked = from - rev;
        if walked == MOST {
            return Ok(Lookup::Ready(Stays { cut: true, ..stays }));
        }
        let key = schema::tag_event_key(package, rev);
        let Some(event) = seen.get_referenced::<TagEvent>(&key)? else {
            return Ok(Lookup::Missing(before(package, rev, walked)));
        };
        if event.tag.as_ref() != Some(tag) {
            continue;
        }
        let begin = time(&event, now).map(|at| at.min(earliest));
        if event.version == Some(version) {
            stays.was = true;
            match (begin, end) {
                (Some(begin), Some(end)) => stays.total += end.min(earliest).since(begin),
                _ => stays.unknown = true,
            }
        }
        if until.is_met(&stays) || event.top.is_some_and(|top| top < version.get()) {
            break;
        }
        (end, earliest) = (begin, begin.unwrap_or(earliest));
    }
    Ok(Lookup::Ready(stays))
}

/// Returns the keys of the next entries to read, from this rev downwards: more, the more were read already.
fn before(package: &PackageName, rev: u64, walked: u64) -> Vec<Key> {
    let count = walked.saturating_mul(3).clamp(FIRST, MOST_AT_ONCE).min(rev);
    (rev - count + 1..=rev).map(|rev| schema::tag_event_key(package, rev)).collect()
}

/// Returns the time of an event, if it is known.
fn time(event: &TagEvent, now: Now) -> Option<Timestamp> {
    let at = match event.clock {
        // The effect of an event of an unknown kind is not known either.
        _ if matches!(event.kind, TagKind::Other(_)) => return None,
        None => event.when,
        // That clock was corrected by the server, as this one is.
        Some(clock) if now.of_server => clock,
        Some(_) => return None,
    };
    (!is_ahead(at, now.at)).then_some(at)
}

#[cfg(test)]
mod tests;
