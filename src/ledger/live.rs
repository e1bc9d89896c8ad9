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

use super::{
    TableLedger,
    items::{self, TagHead},
    snapshot::Snapshot,
};
use crate::{
    model::Version,
    table::{Action, Change, Item, Key, Order, Query},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tracing::debug;

/// The attribute of the head.
pub(super) const LIVE: &str = "live";

/// The most bytes of names and versions that a head has: about 300 tags. A write of the head costs two units for each KB.
const MOST: usize = 4096;
/// What a version and the form of an entry add to a name.
const ENTRY: usize = 10;
/// From how many tags on that are left of too many they are looked for again.
const FEW: u64 = 100;
/// The most items that a page asks for.
const PAGE: u32 = 1000;

/// The tags that are on a version, by name.
pub(super) type Live = BTreeMap<String, Version>;

/// What a head says of the live tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Says {
    /// The head's rev when it was written. It is not true of any other.
    rev: u64,
    /// How many there are.
    count: u64,
    /// Absent where they are too many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on: Option<Live>,
}

impl Says {
    /// Returns what a head says as of its own rev. There are no tags where there is no head.
    fn of(rev: u64, attribute: Option<&serde_json::Value>) -> Option<Self> {
        if rev == 0 {
            return Some(Self { rev, count: 0, on: Some(Live::new()) });
        }
        let says = Self::deserialize(attribute?).ok()?;
        (says.rev == rev).then_some(says)
    }

    fn of_item(head: Option<&Item>) -> Option<Self> {
        let rev = head.map_or(Some(0), |head| head.get("rev")?.as_u64())?;
        Self::of(rev, head.and_then(|head| head.get(LIVE)))
    }

    fn from_live(rev: u64, on: Live) -> Self {
        let bytes: usize = on.keys().map(|name| name.len() + ENTRY).sum();
        Self { rev, count: on.len() as u64, on: Some(on).filter(|_| bytes <= MOST) }
    }

    /// The same, after one tag was put on a version or taken off.
    fn put(&mut self, name: &str, was_on: bool, version: Option<Version>) {
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
pub(super) fn live(head: Option<&TagHead>) -> Option<Live> {
    let rev = head.map_or(0, |head| head.rev);
    Says::of(rev, head.and_then(|head| head.rest.get(LIVE)))?.on
}

/// Carries what a head says over to its next rev, where no tag changes.
pub(super) fn carry(rest: &mut Item, from: u64, to: u64) {
    if let Some(says) = Says::of(from, rest.get(LIVE)) {
        rest.insert(LIVE.to_owned(), items::encode(&Says { rev: to, ..says }).into());
    }
}

/// What a head should say at this rev, where these are the live tags.
pub(super) fn says(rev: u64, on: Live) -> Item {
    items::encode(&Says::from_live(rev, on))
}

/// What a head should say where these are the live tags, if what it says as of its own rev is something else.
pub(super) fn corrected(head: &TagHead, on: Live) -> Option<Item> {
    let says = Says::of(head.rev, head.rest.get(LIVE))?;
    let right = Says::from_live(head.rev, on);
    // Of too many, the number alone may be there although the names would fit by now.
    let wrong = says.count != right.count || says.on.is_some_and(|on| Some(on) != right.on);
    wrong.then(|| items::encode(&right))
}

/// The name of the tag that an item is of, and the version that it is on.
fn tag(key: &Key, item: &Item) -> Option<(String, Option<Version>)> {
    let name = key.sk.strip_prefix("t#")?;
    let version = item.get("version").map(|version| Version::deserialize(version).ok());
    Some((name.to_owned(), version.flatten()))
}

impl TableLedger {
    /// Lets each head of a tag log that is about to be put say what the live tags are after it. Where the head that was
    /// seen does not say so, they are read, if `read`. No error: without it, readers look at all tags.
    pub(super) async fn say_live(&self, actions: &mut [Action], seen: &Snapshot, read: bool) {
        let is_head = |key: &Key| key.sk == "H" && !items::is_releases(&key.pk);
        for at in 0..actions.len() {
            let key = actions[at].key.clone();
            let Change::Put(head) = &actions[at].change else { continue };
            let Some(rev) = head.get("rev").and_then(serde_json::Value::as_u64).filter(|_| is_head(&key))
            else {
                continue;
            };
            let mut says = Says::of_item(seen.item(&key));
            if read && says.as_ref().is_none_or(|says| says.on.is_none() && says.count <= FEW) {
                says = self.read_live(&key.pk).await.map(|on| Says::from_live(0, on)).or(says);
            }
            if let Some(says) = &mut says {
                let puts = actions.iter().filter(|action| action.key.pk == key.pk);
                for Action { key, change, .. } in puts {
                    let Change::Put(item) = change else { continue };
                    let Some((name, version)) = tag(key, item) else { continue };
                    let was_on = seen.item(key).is_some_and(|item| item.contains_key("version"));
                    says.put(&name, was_on, version);
                }
            }
            let Change::Put(head) = &mut actions[at].change else { continue };
            head.remove(LIVE);
            if let Some(Says { on, count, .. }) = says {
                let says = match on {
                    Some(on) => Says::from_live(rev, on),
                    None => Says { rev, count, on: None },
                };
                head.insert(LIVE.to_owned(), items::encode(&says).into());
            }
        }
    }

    /// The live tags, by looking at all tags of a log; `None` if not all of them could be read.
    async fn read_live(&self, log: &str) -> Option<Live> {
        let (from, to) = items::ANY_TAG;
        let (pk, from, to) = (log.to_owned(), from.to_owned(), to.to_owned());
        let mut query = Query { pk, from, to, order: Order::Ascending, limit: PAGE, after: None };
        let mut live = Live::new();
        loop {
            // Once: a change does not wait for it.
            let page = self.table().query(&query).await;
            let page =
                page.inspect_err(|fault| debug!(%fault, "the live tags are left out of the head")).ok()?;
            for (sk, item) in page.items {
                if let Some((name, Some(version))) = tag(&Key::new(log, sk), &item) {
                    live.insert(name, version);
                }
            }
            match page.next {
                None => return Some(live),
                next => query.after = next,
            }
        }
    }
}
