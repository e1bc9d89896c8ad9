//! The live tags of a package, in the head of its tag log.
//!
//! A removed tag leaves its item behind, for rollbacks and protection. Reading the tags that are on a version must not
//! read all that ever existed. So the head names the live ones, each with its version, as of its own `rev`:
//!
//! - Each change of tags writes the head under the condition that its `rev` is the one seen. So the live tags after the
//!   change are those before it, with the changed tags applied.
//! - A release that does not know this attribute drops it or leaves it unchanged. Its `rev` then differs from the
//!   head's, and the attribute counts as absent: readers, and the next change by this release, read the range of all
//!   tags. A change reads that after the head, so that under the condition on the head's `rev` it is as of that `rev`.
//! - If the names take kilobytes, which each move would write, the head has only their number, and readers read the
//!   range.

use super::{TagHead, encode};
use crate::{model::Version, table::Item};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name of the attribute in the head.
pub(in crate::ledger) const LIVE: &str = "live";

/// The maximum number of bytes of names and versions in a head: about 300 tags. A write of the head costs two units for
/// each KB.
const MOST: usize = 4096;
/// The number of bytes that a version and the form of an entry add to a name.
const ENTRY: usize = 10;

/// The tags that are on a version, by name.
pub(in crate::ledger) type Live = BTreeMap<String, Version>;

/// The live tags as a head records them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::ledger) struct LiveTags {
    /// The head's rev when this was written. It is valid for no other.
    pub rev: u64,
    /// The number of live tags.
    pub count: u64,
    /// The live tags; absent if they are too many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Live>,
}

impl LiveTags {
    /// Returns the live tags of a head, if they are as of its own rev. A log without a head has no tags.
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

    /// Updates the live tags after one tag was put on a version or removed.
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

/// Returns the tags that are on a version, if the head records them.
pub(in crate::ledger) fn live(head: Option<&TagHead>) -> Option<Live> {
    let rev = head.map_or(0, |head| head.rev);
    LiveTags::of(rev, head.and_then(|head| head.rest.get(LIVE)))?.on
}

/// Carries the live tags of a head over to its next rev, when no tag changes.
pub(in crate::ledger) fn carry(rest: &mut Item, from: u64, to: u64) {
    if let Some(live_tags) = LiveTags::of(from, rest.get(LIVE)) {
        rest.insert(LIVE.to_owned(), encode(&LiveTags { rev: to, ..live_tags }).into());
    }
}

/// Returns the attribute of a head at this rev, for these live tags.
pub(in crate::ledger) fn live_tags(rev: u64, on: Live) -> Item {
    encode(&LiveTags::from_live(rev, on))
}

/// Returns the correct attribute of a head for these live tags, if the present one claims its own rev and differs.
pub(in crate::ledger) fn corrected(head: &TagHead, on: Live) -> Option<Item> {
    let live_tags = LiveTags::of(head.rev, head.rest.get(LIVE))?;
    let right = LiveTags::from_live(head.rev, on);
    // After there were too many, only the number may be stored although the names would fit by now.
    let wrong = live_tags.count != right.count || live_tags.on.is_some_and(|on| Some(on) != right.on);
    wrong.then(|| encode(&right))
}
