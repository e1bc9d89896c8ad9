//! The tags of many packages as they were at a time, from their logs.
//!
//! A package whose log has no entry after that time is as it is now. The rules for times that are not certain are those
//! of `live@{…}`: see [`times`](super::times).

use super::{status::Heads, times::uncertain};
use crate::{
    ledger::{
        Error, TableLedger,
        clock::Now,
        schema::{self, TagEvent, TagItem, VersionItem, is_ahead},
    },
    model::{
        Actor, PackageName, PackageStatus, Protection, State, TagName, TagNow, TagStatus, Timestamp, Version,
    },
    table::Order,
};
use futures_util::{StreamExt, TryStreamExt, future::try_join, stream};
use std::collections::BTreeMap;

/// The number of packages whose logs are read at once.
const JOBS: usize = 8;

impl TableLedger {
    /// Returns the tags of these packages at a time, by the names of the packages.
    pub(super) async fn statuses_then(
        &self,
        heads: &[Heads],
        tags: &[TagName],
        at: Timestamp,
    ) -> Result<Vec<PackageStatus>, Error> {
        // After a read, because the server has stated its time by then.
        let now = self.now();
        let is_same = |of: &Heads| now.of_server && of.tags.as_ref().is_none_or(|head| head.when <= at);
        let (same, changed): (Vec<_>, Vec<_>) = heads.iter().partition(|of| is_same(of));
        let same = async {
            let mut statuses = self.statuses_now(&same, tags).await?;
            for tag in statuses.iter_mut().flat_map(|status| &mut status.tags) {
                // A version that is tagged is active.
                let state = Some(State::Active);
                tag.now = Some(TagNow { version: tag.version, protection: tag.protection, state });
            }
            Ok(statuses)
        };
        let changed: Vec<_> = changed.into_iter().map(|of| self.status_then(of, tags, at, now)).collect();
        let changed = stream::iter(changed).buffered(JOBS).try_collect::<Vec<_>>();
        let (same, changed) = try_join(same, changed).await?;
        let mut statuses: Vec<_> = same.into_iter().chain(changed).collect();
        statuses.sort_by(|one, other| one.package.cmp(&other.package));
        Ok(statuses)
    }

    async fn status_then(
        &self,
        of: &Heads,
        tags: &[TagName],
        at: Timestamp,
        now: Now,
    ) -> Result<PackageStatus, Error> {
        let (package, mut status) = (&of.package, of.status());
        let Some(head) = &of.tags else { return Ok(status) };
        let items = self.items_of(package, tags).await?;
        let last = if head.when <= at { head.rev } else { self.last_event_at(package, head.rev, at).await? };
        let uncertain = |tag: &TagName, event: &TagEvent| uncertain((package, tag), at, event, now.at);
        if last < head.rev
            && let Some(moved) = items.iter().find(|item| item.set > last)
        {
            let next = self.event(package, last + 1).await?;
            if is_ahead(next.when, now.at) {
                return Err(uncertain(&moved.tag, &next));
            }
        }
        let found = self.events_then(package, &items, last, now.of_server, uncertain).await?;
        for item in items {
            let then =
                if item.set <= last { Some(Then::of_item(&item)) } else { found.get(&item.tag).cloned() };
            let present = TagNow { version: item.version, protection: item.protection, state: None };
            status.tags.extend(self.tag_then(package, &item, then, present).await?);
        }
        self.add_states(package, &mut status.tags).await?;
        Ok(status)
    }

    /// Finds the last event, up to a rev, of each tag that has changed since; and checks for every tag that its time is
    /// certain.
    async fn events_then(
        &self,
        package: &PackageName,
        items: &[TagItem],
        last: u64,
        mut certain: bool,
        uncertain: impl Fn(&TagName, &TagEvent) -> Error,
    ) -> Result<BTreeMap<TagName, Then>, Error> {
        let mut open: BTreeMap<&TagName, bool> =
            items.iter().map(|item| (&item.tag, item.set > last)).collect();
        let mut found = BTreeMap::new();
        let (from, _) = schema::ANY_TAG_EVENT;
        let to = schema::tag_event_key(package, last).sk;
        let log = schema::tags(package);
        let mut events = self.events::<TagEvent>(log, from.to_owned(), to, Order::Descending);
        while !(open.is_empty() || certain && open.values().all(|changed| !changed)) {
            let Some(event) = events.try_next().await? else { break };
            certain |= event.clock.is_none();
            let Some((tag, changed)) = event.tag.as_ref().and_then(|tag| open.remove_entry(tag)) else {
                continue;
            };
            if !certain {
                return Err(uncertain(tag, &event));
            }
            if changed {
                found.insert(tag.clone(), Then::of_event(&event));
            }
        }
        Ok(found)
    }

    /// Returns the position of a tag then; `None` for one that is on no version then and now.
    async fn tag_then(
        &self,
        package: &PackageName,
        item: &TagItem,
        then: Option<Then>,
        now: TagNow,
    ) -> Result<Option<TagStatus>, Error> {
        let then = then.unwrap_or_else(|| Then {
            version: None,
            moved: true,
            rev: 0,
            protection: None,
            ..Then::of_item(item)
        });
        if then.version.is_none() && now.version.is_none() {
            return Ok(None);
        }
        let (since, by) = if then.moved || then.version.is_none() {
            (then.when, then.who)
        } else {
            self.last_move(package, &item.tag, then.rev, (then.when, then.who)).await?
        };
        Ok(Some(TagStatus {
            tag: item.tag.clone(),
            version: then.version,
            rev: then.rev,
            since,
            by,
            protection: then.protection,
            now: Some(now),
        }))
    }

    /// Adds the present state of each version that a tag was on.
    async fn add_states(&self, package: &PackageName, tags: &mut [TagStatus]) -> Result<(), Error> {
        let key = |version: Version| schema::version_key(package, version.get());
        let left = |tag: &TagStatus| {
            tag.version.filter(|version| tag.now.as_ref().is_some_and(|now| now.version != Some(*version)))
        };
        let keys: Vec<_> = tags.iter().filter_map(left).map(key).collect();
        let seen = if keys.is_empty() { None } else { Some(self.read(keys).await?) };
        for tag in tags {
            let state = match (&seen, left(tag)) {
                (Some(seen), Some(version)) => seen.get::<VersionItem>(&key(version))?.map(|item| item.state),
                // A version that is tagged is active.
                _ => tag.version.map(|_| State::Active),
            };
            if let Some(now) = &mut tag.now {
                now.state = state;
            }
        }
        Ok(())
    }
}

/// The position of a tag after an event.
#[derive(Clone)]
struct Then {
    version: Option<Version>,
    /// True if the event moved the tag.
    moved: bool,
    rev: u64,
    when: Timestamp,
    who: Actor,
    protection: Option<Protection>,
}

impl Then {
    fn of_item(item: &TagItem) -> Self {
        Self {
            version: item.version,
            moved: item.previous != item.version,
            rev: item.set,
            when: item.when,
            who: item.who.clone(),
            protection: item.protection,
        }
    }

    fn of_event(event: &TagEvent) -> Self {
        Self {
            version: event.version,
            moved: event.previous != event.version,
            rev: event.rev,
            when: event.when,
            who: event.who.clone(),
            protection: event.protection,
        }
    }
}
