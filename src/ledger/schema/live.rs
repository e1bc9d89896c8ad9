//! The live tags of a package, in the head of its tag log.
//!
//! A tag that was taken off leaves its item behind, for its way back and its protection. Reading the tags that are on a
//! version must not read all that ever were. So the head names those that are, each with its version, as of its own
//! `rev`:
//!
//! - Each change of tags writes the head under the condition that its `rev` is the one seen. So the live tags after it
//!   are those before it, with the tags that it changes.
//! - A release that does not know of this drops the attribute or leaves it as it is. Then its `rev` is not the head's,
//!   and it is taken for absent: readers read the range of all tags, and the next change by this release, too.
//!   It reads that after the head, so that under the condition on the head's `rev` it is as of that `rev`.
//! - Where their names take kilobytes, which each move would write, the head has only their number, and readers read the
//!   range.

use super::{TagHead, encode};
use crate::{model::Version, table::Item};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The attribute of the head.
pub(in crate::ledger) const LIVE: &str = "live";

/// The most bytes of names and versions that a head has: about 300 tags. A write of the head costs two units for each KB.
const MOST: usize = 4096;
/// What a version and the form of an entry add to a name.
const ENTRY: usize = 10;

/// The tags that are on a version, by name.
pub(in crate::ledger) type Live = BTreeMap<String, Version>;

/// What a head says of the live tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::ledger) struct LiveTags {
    /// The head's rev when it was written. It is not true of any other.
    pub rev: u64,
    /// How many there are.
    pub count: u64,
    /// Absent where they are too many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Live>,
}

impl LiveTags {
    /// Returns what a head says as of its own rev. There are no tags where there is no head.
    fn of(rev: u64, attribute: Option<&serde_json::Value>) -> Option<Self> {
        if rev == 0 {
            return Some(Self { rev, count: 0, on: Some(Live::new()) });
        }
        let live_tags = Self::deserialize(attribute?).ok()?;
        (live_tags.rev == rev).then_some(live_tags)
    }

    pub fn of_item(head: Option<&Item>) -> Option<Self> {
        let rev = head.map_or(Some(0), |head| head.get("rev")?.as_u64())?;
        Self::of(rev, head.and_then(|head| head.get(LIVE)))
    }

    pub fn from_live(rev: u64, on: Live) -> Self {
        let bytes: usize = on.keys().map(|name| name.len() + ENTRY).sum();
        Self { rev, count: on.len() as u64, on: Some(on).filter(|_| bytes <= MOST) }
    }

    /// The same, after one tag was put on a version or taken off.
    pub fn put(&mut self, name: &str, was_on: bool, version: Option<Version>) {
        self.count =
            self.count.saturating_add(u64::from(version.is_some())).saturating_sub(u64::from(was_on));
        if let Some(on) = &mut self.on {
            match version {
                Some(version) => on.insert(name.to_owned(), version),
                None => on.remove(name),
            };
        }
    }
}

/// The tags that are on a version, if the head says so.
pub(in crate::ledger) fn live(head: Option<&TagHead>) -> Option<Live> {
    let rev = head.map_or(0, |head| head.rev);
    LiveTags::of(rev, head.and_then(|head| head.rest.get(LIVE)))?.on
}

/// Carries what a head says over to its next rev, where no tag changes.
pub(in crate::ledger) fn carry(rest: &mut Item, from: u64, to: u64) {
    if let Some(live_tags) = LiveTags::of(from, rest.get(LIVE)) {
        rest.insert(LIVE.to_owned(), encode(&LiveTags { rev: to, ..live_tags }).into());
    }
}

/// What a head should say at this rev, where these are the live tags.
pub(in crate::ledger) fn live_tags(rev: u64, on: Live) -> Item {
    encode(&LiveTags::from_live(rev, on))
}

/// What a head should say where these are the live tags, if what it says as of its own rev is something else.
pub(in crate::ledger) fn corrected(head: &TagHead, on: Live) -> Option<Item> {
    let live_tags = LiveTags::of(head.rev, head.rest.get(LIVE))?;
    let right = LiveTags::from_live(head.rev, on);
    // Of too many, the number alone may be there although the names would fit by now.
    let wrong = live_tags.count != right.count || live_tags.on.is_some_and(|on| Some(on) != right.on);
    wrong.then(|| encode(&right))
}
