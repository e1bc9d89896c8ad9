//! Warnings about wrong clocks, after a change.

use super::operation::Proposal;
use crate::{
    clock::CLOCKS_DIFFER,
    ledger::{
        Error, TableLedger,
        clock::shown,
        schema::{self, ReleaseEvent, TagEvent, VersionItem, is_ahead},
        snapshot::Snapshot,
    },
    model::{Actor, PackageName, Timestamp, Version},
    table::{Change, Order},
};
use futures_util::{TryStreamExt, future::join_all};
use tracing::warn;

/// An entry of a log, for people.
struct Entry {
    rev: u64,
    who: Actor,
    when: Timestamp,
}

impl TableLedger {
    /// Reports the wrong clocks that a change found: this machine's, and the one that put a log ahead. Reads only if
    /// there is one. Never fails, since the change is committed.
    pub(super) async fn report_clocks<T>(&self, proposal: &Proposal<T>, seen: &Snapshot) {
        self.clock().report();
        let now = self.now();
        let advanced = proposal.heads.iter().filter(|(log, _)| {
            let key = schema::head_key(log);
            proposal.actions.iter().any(|action| action.key == key && action.change != Change::Check)
        });
        let reports = advanced.filter_map(|(log, rev)| {
            let head = seen.item(&schema::head_key(log))?;
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
        let (of, first) = if schema::is_releases(log) {
            ("versions", self.first_ahead_of_releases(&package, last, now).await)
        } else {
            ("tags", self.first_ahead_of_tags(&package, rev, now).await)
        };
        let since = match first {
            Ok(Some(Entry { rev, who, when })) => format!(", since revision {rev} by {who} at {when}"),
            // The warning is not worth an error, and the ledger may be unreachable by now.
            Ok(None) | Err(_) => String::new(),
        };
        let length = shown(when.since(now));
        Some(format!(
            "the log of the {of} of {package} is {length} ahead of now{since}: a clock is or was wrong; this change \
             is recorded after {when}"
        ))
    }

    /// Returns the first entry of a package's tag log that is ahead of the current time.
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

    /// Returns the first entry of a package's release log that is ahead of the current time: the first such version,
    /// unless there is an event between it and the version before.
    async fn first_ahead_of_releases(
        &self,
        package: &PackageName,
        last: u64,
        now: Timestamp,
    ) -> Result<Option<Entry>, Error> {
        let read = async |number: u64| -> Result<Option<VersionItem>, Error> {
            let key = schema::version_key(package, number);
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
        let [from, to] = [before.1, after.1].map(|rev| schema::release_event_key(package, rev).sk);
        let events = self.events::<ReleaseEvent>(schema::releases(package), from, to, Order::Ascending);
        let ahead = |event: &ReleaseEvent| std::future::ready(is_ahead(event.when, now));
        let event = events.try_filter(ahead).try_next().await?;
        let event = event.map(|ReleaseEvent { rev, who, when, .. }| Entry { rev, who, when });
        Ok(event.or(after.2))
    }
}
