//! Reading all items of a package, as of the instant at which its two heads were read.

use super::{
    item::{ExportItem, Positions, number, position, text},
    past::PastEvents,
    plan::PARTIAL,
};
use crate::{
    ledger::{
        Error, NotFound, Refused, TableLedger,
        reads::pages::merge,
        schema::{self, Head, TagHead, decode},
        table_ledger::READING,
    },
    model::{PackageName, Version},
    table::{Item, Key, Order},
};
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use std::sync::Arc;
use tokio::sync::Mutex;

/// The number of versions for which later events are looked for at once.
const AT_ONCE: usize = 250;

/// Below and above every sort key.
const LOWEST: &str = "\u{1}";
const HIGHEST: &str = "\u{10ffff}";

type Items<'a> = BoxStream<'a, Result<(Key, Item), Error>>;

/// The range that an export of a package covers.
#[derive(Clone)]
struct Covered {
    package: PackageName,
    from: Positions,
    to: Positions,
    past: Arc<Mutex<PastEvents>>,
}

/// Returns the positions that the heads of a package state.
pub(super) fn positions(releases: Option<&Item>, tags: Option<&Item>) -> Positions {
    let versions = releases.map_or(0, |head| number(head, "n"));
    let is_partial = [releases, tags].into_iter().flatten().any(|head| head.contains_key(PARTIAL));
    Positions { releases: position(releases), versions, tags: position(tags), is_partial }
}

impl TableLedger {
    /// Implements [`Transfers::positions`](crate::ledger::Transfers::positions).
    pub(in crate::ledger) async fn read_positions(
        &self,
        packages: &[PackageName],
    ) -> Result<Vec<Positions>, Error> {
        self.check_schema().await?;
        let logs = packages.iter().flat_map(|package| [schema::releases(package), schema::tags(package)]);
        let keys: Vec<_> = logs.map(|log| schema::head_key(&log)).collect();
        let heads = self.read_each(&keys).await?;
        let each = heads.as_chunks::<2>().0.iter().zip(packages);
        each.map(|([releases, tags], package)| {
            check_heads(package, releases.as_ref(), tags.as_ref())?;
            Ok(positions(releases.as_ref(), tags.as_ref()))
        })
        .collect()
    }

    /// Implements [`Transfers::has_passed`](crate::ledger::Transfers::has_passed).
    pub(in crate::ledger) async fn has_entries(
        &self,
        package: &PackageName,
        at: &Positions,
    ) -> Result<bool, Error> {
        self.check_schema().await?;
        let (releases, tags) = (at.releases.rev, at.tags.rev);
        let mut keys = Vec::new();
        if releases > 0 {
            keys.push(schema::version_key(package, at.versions));
            keys.push(schema::release_event_key(package, releases));
        }
        if tags > 0 {
            keys.push(schema::tag_event_key(package, tags));
        }
        let read = self.read_each(&keys).await?;
        let found = |of_tags: bool, rev, chain: &str| {
            rev == 0
                || keys.iter().zip(&read).any(|(key, item)| {
                    let entry = position(item.as_ref());
                    key.pk.starts_with("T#") == of_tags && (entry.rev, entry.chain.as_str()) == (rev, chain)
                })
        };
        Ok(found(false, releases, &at.releases.chain) && found(true, tags, &at.tags.chain))
    }

    /// Implements [`Transfers::export`](crate::ledger::Transfers::export).
    pub(in crate::ledger) fn export_package(
        &self,
        package: &PackageName,
        from: &Positions,
    ) -> BoxStream<'_, Result<ExportItem, Error>> {
        let (package, from) = (package.clone(), from.clone());
        let begin = async move {
            let keys = [schema::releases(&package), schema::tags(&package)].map(|log| schema::head_key(&log));
            self.check_schema().await?;
            let read = || self.read_once(keys.to_vec(), true);
            let seen = self.retry_policy().run(READING, read).await?;
            let [releases, tags] = keys.each_ref().map(|key| seen.item(key).cloned());
            check_heads(&package, releases.as_ref(), tags.as_ref())?;
            if releases.is_none() {
                return Err(Error::from(NotFound::Package(package)));
            }
            let to = positions(releases.as_ref(), tags.as_ref());
            if to.is_partial {
                return Err(Refused::Importing.into());
            }
            let heads: Vec<_> = keys.into_iter().zip([releases, tags]).collect();
            let heads = heads.into_iter().filter_map(|(key, head)| Some(Ok((key, head?))));
            let past = Arc::new(Mutex::new(PastEvents::new(package.clone(), to.releases.rev)));
            let covered = Covered { package, from, to, past };
            let items = stream::iter(heads)
                .chain(self.release_entries(covered.clone()))
                .chain(self.changed(covered.clone()))
                .chain(self.others(&covered, false))
                .chain(self.tag_entries(&covered))
                .chain(self.others(&covered, true));
            Ok(items.map_ok(|(key, item)| ExportItem::new(key, item)))
        };
        stream::once(begin).try_flatten().boxed()
    }

    /// Lists the versions and the events of versions, by `rev`.
    fn release_entries(&self, covered: Covered) -> Items<'_> {
        let Covered { package, from, to, past } = covered;
        let pk = schema::releases(&package);
        let version = |number| schema::version_key(&package, number).sk;
        let event = |rev| schema::release_event_key(&package, rev).sk;
        let (from_version, from_event) = (version(from.versions + 1), event(from.releases.rev + 1));
        let events = if from.releases.rev < to.releases.rev {
            self.pages(pk.clone(), from_event, event(to.releases.rev), Order::Ascending)
        } else {
            stream::empty().boxed()
        };
        let versions = if from.versions < to.versions {
            self.pages(pk, from_version, version(to.versions), Order::Ascending)
        } else {
            stream::empty().boxed()
        };
        let versions = versions
            .try_chunks(AT_ONCE)
            .map_err(|error| error.1)
            .and_then(move |read| {
                let past = Arc::clone(&past);
                async move {
                    let as_of = past.lock().await.restore(self, read).await?;
                    Ok::<_, Error>(stream::iter(as_of.into_iter().map(Ok::<_, Error>)))
                }
            })
            .try_flatten();
        let by_rev = |(_, item): &(Key, Item)| number(item, "rev");
        merge(vec![versions.boxed().peekable(), events.peekable()], by_rev).boxed()
    }

    /// Lists the versions from before the export that events in it have changed.
    fn changed(&self, covered: Covered) -> Items<'_> {
        let Covered { package, from, past, .. } = covered;
        if from.versions == 0 {
            return stream::empty().boxed();
        }
        let read = async move {
            // An interrupted import may have left out changes before that.
            let first = if from.is_partial { 1 } else { from.releases.rev + 1 };
            let mut past = past.lock().await;
            let changed = past.changed_from(self, first).await?;
            let before = changed.into_iter().filter(|version| version.get() <= from.versions);
            let keys: Vec<_> = before.map(|version| schema::version_key(&package, version.get())).collect();
            let items = self.read_each(&keys).await?;
            let found = keys.into_iter().zip(items).filter_map(|(key, item)| Some((key, item?))).collect();
            let as_of = past.restore(self, found).await?;
            Ok::<_, Error>(stream::iter(as_of.into_iter().map(Ok::<_, Error>)))
        };
        stream::once(read).try_flatten().boxed()
    }

    fn tag_entries(&self, covered: &Covered) -> Items<'_> {
        let Covered { package, from, to, .. } = covered;
        if from.tags.rev >= to.tags.rev {
            return stream::empty().boxed();
        }
        let at = |rev| schema::tag_event_key(package, rev).sk;
        self.pages(schema::tags(package), at(from.tags.rev + 1), at(to.tags.rev), Order::Ascending)
    }

    /// Lists the items of a log that are not entries: idempotency keys, tags, and kinds that a newer release added.
    fn others(&self, covered: &Covered, of_tags: bool) -> Items<'_> {
        let package = &covered.package;
        // The sort keys between the ranges of entries.
        let (pk, ranges) = if of_tags {
            (schema::tags(package), vec![(LOWEST, "E\""), ("E$", HIGHEST)])
        } else {
            (schema::releases(package), vec![(LOWEST, "A\""), ("A$", "V\""), ("V$", HIGHEST)])
        };
        let ranges: Vec<_> = ranges
            .into_iter()
            .map(|(from, to)| self.pages(pk.clone(), from.to_owned(), to.to_owned(), Order::Ascending))
            .collect();
        let covered = covered.clone();
        stream::iter(ranges)
            .flatten()
            .try_filter_map(move |(key, item)| {
                let Covered { package, from, to, .. } = covered.clone();
                async move {
                    if key.sk == "H" || (key.sk.starts_with("K#") && is_of_later(text(&item, "entry"), &to)) {
                        return Ok(None);
                    }
                    if !(of_tags && key.sk.starts_with("t#")) {
                        return Ok(Some((key, item)));
                    }
                    let as_of = self.tag_as_of(&package, (key, item), to.tags.rev).await?;
                    Ok(as_of.filter(|(_, item)| from.is_partial || number(item, "set") > from.tags.rev))
                }
            })
            .boxed()
    }
}

/// Returns true if an entry, by its sort key, is later than these positions.
fn is_of_later(entry: &str, to: &Positions) -> bool {
    let number = entry.get(2..).and_then(|number| number.parse().ok()).unwrap_or(0);
    match entry.get(..2) {
        Some("V#") => number > to.versions,
        Some("A#") => number > to.releases.rev,
        Some("E#") => number > to.tags.rev,
        _ => false,
    }
}

/// Checks that this release may read what is below these heads.
fn check_heads(package: &PackageName, releases: Option<&Item>, tags: Option<&Item>) -> Result<(), Error> {
    if let Some(head) = releases {
        let head: Head = decode(&schema::head_key(&schema::releases(package)), head)?;
        debug_assert!(head.n <= Version::MAX);
    }
    if let Some(head) = tags {
        decode::<TagHead>(&schema::head_key(&schema::tags(package)), head)?;
    }
    Ok(())
}
