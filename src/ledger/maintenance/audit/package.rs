//! Reading a package while others write to it, and judging it as of one instant.
//!
//! The two heads are read first, as one snapshot; their `rev` is the instant. Every entry up to it was committed before
//! the rest is read, and never changes. Later entries are left out: if a page has any, the head is read again, and
//! shows which are sound. The mutable items are read later than the heads, and so may be ahead of them: the state and
//! labels of a version, and a tag. So if there is a finding, the heads are read once more at the end, and the entries
//! that were committed in between show which items may have changed: those are left to another run.
//!
//! The audit keeps only the data of each item that it needs to judge the item (see [`gather`](super::gather)).
//!
//! Items that are not ahead are also as of the heads that were read last. A repair is conditional on those, so that it
//! succeeds even if someone writes to the package all the time.

use super::{
    examine::examine,
    findings::Findings,
    records::{Later, Log, Package, number_in},
    violation::{Found, OnProgress, OnViolation, Repair, Violation},
};
use crate::{
    ledger::{
        Error, TableLedger,
        schema::{self, VersionItem, decode},
    },
    model::PackageName,
    table::{Item, Key},
};
use std::collections::BTreeSet;

/// The maximum number of times that a package is examined because others write to items that are to be repaired.
const MAX_READS: usize = 20;

impl TableLedger {
    /// Reports the violations of a package, and repairs them if possible.
    pub(super) async fn audit_package(
        &self,
        name: &PackageName,
        repair: bool,
        on_violation: OnViolation<'_>,
        on_progress: OnProgress<'_>,
    ) -> Result<(), Error> {
        let mut reported = BTreeSet::new();
        for read in 1..=MAX_READS {
            let mut again = false;
            for one in self.look(name, on_progress).await? {
                let what = (one.violation.place.clone(), one.violation.rule, one.violation.what.clone());
                if reported.contains(&what) {
                    continue;
                }
                let violation: Violation = self.settled(one, repair).await?;
                // The finding may depend on another repair of this run. After a repair, a change that was planned
                // before it may have been committed.
                again |= matches!(violation.repair, Repair::Done | Repair::Overtaken);
                if violation.repair == Repair::Overtaken && read < MAX_READS {
                    continue;
                }
                reported.insert(what);
                on_violation(violation);
            }
            if !again {
                break;
            }
        }
        Ok(())
    }

    /// Returns all violations of a package.
    async fn look(&self, name: &PackageName, on_progress: OnProgress<'_>) -> Result<Vec<Found>, Error> {
        let (releases, tags) = (schema::releases(name), schema::tags(name));
        let heads = [schema::head_key(&releases), schema::head_key(&tags)];
        let mut first = self.retrying(|| self.table().get_transact(&heads)).await?;
        let read = Findings::of(first.iter().flatten());
        let (tags_head, releases_head) = (first.pop().flatten(), first.pop().flatten());
        let tags = self.gather_tags(Log::new(tags, tags_head, read.clone()), on_progress).await?;
        let releases = Log::new(releases, releases_head, read);
        let releases = self.gather_releases(releases, &tags.versions(), on_progress).await?;
        let entry = schema::directory_key(name);
        let listed = self.retrying(|| self.table().get(&entry)).await?.is_some();
        let mut package = Package { name: name.clone(), releases, tags, listed };
        let found = self.examined(&mut package).await?;
        // Only an item with a finding may have changed in the meantime.
        if found.is_empty() {
            return Ok(found);
        }
        let last = self.read_each(&heads).await?;
        let mut moved = false;
        for (log, last) in [&mut package.releases.log, &mut package.tags.log].into_iter().zip(last) {
            let until = number_in(last.as_ref(), "rev");
            if until > log.rev() {
                self.read_later(log, until).await?;
                moved = true;
            }
        }
        if moved { self.examined(&mut package).await } else { Ok(found) }
    }

    /// Returns all violations in the items that were read of a package. Reads the blobs that this needs.
    async fn examined(&self, package: &mut Package) -> Result<Vec<Found>, Error> {
        loop {
            match examine(package) {
                Ok(found) => return Ok(found),
                Err(version) => {
                    let key = schema::version_key(&package.name, version.get());
                    let item = self.retrying(|| self.table().get(&key)).await?;
                    // The item may be another than the one that was read first, if versions have each other's numbers.
                    let item = item.and_then(|item| decode::<VersionItem>(&key, &item).ok());
                    package.releases.blobs.insert(version, item.map(|item| item.copied_blob()));
                }
            }
        }
    }

    /// Reads the entries after a log's head, up to a rev: those that were committed while the log was read.
    async fn read_later(&self, log: &mut Log, until: u64) -> Result<(), Error> {
        let range =
            |kind: char, after: u64| (format!("{kind}#{:016}", after + 1), format!("{kind}#{until:016}"));
        // A version's number is never higher than its rev.
        let ranges = if schema::is_releases(&log.pk) {
            vec![range('A', log.rev()), range('V', number_in(log.head.as_ref(), "n").min(log.rev()))]
        } else {
            vec![range('E', log.rev())]
        };
        let (mut later, from) = (Later::default(), log.rev());
        for (first, last) in ranges {
            let take = |key: Key, item: Item| {
                let rev = number_in(Some(&item), "rev");
                if rev > from && rev <= until {
                    later.take(&key, &item);
                }
            };
            self.each(&log.pk, first, last, take).await?;
        }
        // If one of them is missing, its effect is not known.
        later.changed.all |= later.count != until - from;
        (log.until, log.later) = (Some(until), later);
        Ok(())
    }
}
