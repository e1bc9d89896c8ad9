//! The tags of many packages at once, for a status.
//!
//! The head of a package's tags names the live ones with their versions, as of its own `rev`. So one batch reads the
//! heads of many packages, and one more the items of their tags, which add the time and the author. An item that has
//! changed in between is newer than its head: such a package is read again, as one transaction.

use crate::{
    ledger::{
        Error, TableLedger,
        schema::{
            self, Head, TagEvent, TagHead, TagItem,
            live::{Live, live},
        },
        snapshot::Snapshot,
        table_ledger::READING,
    },
    model::{Actor, Moment, PackageName, PackageStatus, TagName, TagStatus, Timestamp, Version},
    table::Key,
};
use futures_util::{StreamExt, TryStreamExt, stream};

/// The number of packages that are read one by one at once.
const JOBS: usize = 8;

/// The number of times that a package is read again because its tags move meanwhile.
const MOST_READS: usize = 5;

/// The most items of one transactional read.
const MOST_ITEMS: usize = 100;

/// A package, with the head of its tags.
pub(super) struct Heads {
    pub package: PackageName,
    pub latest: Option<Version>,
    pub tags: Option<TagHead>,
}

impl Heads {
    /// Returns a status without tags.
    pub fn status(&self) -> PackageStatus {
        let (package, latest) = (self.package.clone(), self.latest);
        PackageStatus { package, latest, tags: Vec::new(), freezes: Vec::new() }
    }

    /// Returns the live tags among these; `None` if the head does not name them.
    fn live(&self, wanted: &[TagName]) -> Option<Live> {
        let mut live = live(self.tags.as_ref())?;
        live.retain(|name, _| wanted.is_empty() || wanted.iter().any(|tag| tag.as_str() == name));
        Some(live)
    }
}

impl TableLedger {
    /// Implements [`Ledger::time_of`](crate::ledger::Ledger::time_of).
    pub(in crate::ledger) async fn read_time(&self, moment: Moment) -> Result<Timestamp, Error> {
        // The server states its time with an answer.
        self.check_schema().await?;
        Ok(moment.as_of(self.now().at))
    }

    /// Implements [`Ledger::status`](crate::ledger::Ledger::status).
    pub(in crate::ledger) async fn read_statuses(
        &self,
        packages: &[PackageName],
        tags: &[TagName],
        at: Option<Timestamp>,
    ) -> Result<Vec<PackageStatus>, Error> {
        let heads = self.status_heads(packages).await?;
        match at {
            None => self.statuses_now(&heads.iter().collect::<Vec<_>>(), tags).await,
            Some(at) => self.statuses_then(&heads, tags, at).await,
        }
    }

    /// Reads the heads of these packages; packages that do not exist are left out.
    async fn status_heads(&self, packages: &[PackageName]) -> Result<Vec<Heads>, Error> {
        let keys: Vec<_> = packages.iter().flat_map(head_keys).collect();
        let seen = self.read(keys).await?;
        let mut heads = Vec::with_capacity(packages.len());
        for package in packages {
            heads.extend(heads_in(&seen, package)?);
        }
        Ok(heads)
    }

    /// Returns the present tags of these packages, in their order.
    pub(super) async fn statuses_now(
        &self,
        heads: &[&Heads],
        tags: &[TagName],
    ) -> Result<Vec<PackageStatus>, Error> {
        let named: Vec<_> = heads.iter().map(|of| of.live(tags)).collect();
        let keys = heads.iter().zip(&named).flat_map(|(of, live)| tag_keys(&of.package, live.as_ref()));
        let seen = self.read(keys.collect()).await?;
        let each = heads.iter().zip(&named).map(|(of, live)| {
            let seen = &seen;
            async move {
                let items = match live {
                    Some(live) => match settled(of, live, seen)? {
                        Some(items) => items,
                        None => return self.status_again(&of.package, tags).await,
                    },
                    None => self.tags_of_range(&of.package, tags).await?,
                };
                self.status_of(of, items).await
            }
        });
        let each: Vec<_> = each.collect();
        stream::iter(each).buffered(JOBS).try_collect().await
    }

    /// Reads a package whose tags have moved between two reads: the head and the tags that it named before, at one
    /// instant, until the head names no other tag.
    async fn status_again(&self, package: &PackageName, tags: &[TagName]) -> Result<PackageStatus, Error> {
        let mut names = Live::new();
        for _ in 0..MOST_READS {
            let mut keys = Vec::from(head_keys(package));
            keys.extend(tag_keys(package, Some(&names)));
            if keys.len() > MOST_ITEMS {
                break;
            }
            let seen = self.retry_policy().run(READING, || self.read_once(keys.clone(), true)).await?;
            let Some(of) = heads_in(&seen, package)? else { break };
            let Some(live) = of.live(tags) else { break };
            if live.keys().all(|name| names.contains_key(name))
                && let Some(items) = settled(&of, &live, &seen)?
            {
                return self.status_of(&of, items).await;
            }
            names = live;
        }
        // Too many tags, or one that never rests: each is read for itself.
        let of = self.status_heads(std::slice::from_ref(package)).await?.pop();
        let of = of.unwrap_or_else(|| Heads { package: package.clone(), latest: None, tags: None });
        let items = self.tags_of_range(package, tags).await?;
        self.status_of(&of, items).await
    }

    /// Reads the live tags from the range of all tags.
    async fn tags_of_range(&self, package: &PackageName, tags: &[TagName]) -> Result<Vec<TagItem>, Error> {
        let mut items = self.items_of(package, tags).await?;
        items.retain(|item| item.version.is_some());
        Ok(items)
    }

    /// Reads the items of these tags, dead ones too; of all tags if none is named.
    pub(super) async fn items_of(
        &self,
        package: &PackageName,
        tags: &[TagName],
    ) -> Result<Vec<TagItem>, Error> {
        if tags.is_empty() {
            return self.all_tags(package).try_collect().await;
        }
        let keys: Vec<_> = tags.iter().map(|tag| schema::tag_key(package, tag)).collect();
        let seen = self.read(keys.clone()).await?;
        keys.iter().filter_map(|key| seen.get(key).transpose()).collect()
    }

    async fn status_of(&self, of: &Heads, items: Vec<TagItem>) -> Result<PackageStatus, Error> {
        let mut status = of.status();
        for item in items {
            let moved = (item.previous != item.version).then(|| (item.when, item.who.clone()));
            let (since, by) = match moved {
                Some(moved) => moved,
                None => self.last_move(&of.package, &item.tag, item.set, (item.when, item.who)).await?,
            };
            status.tags.push(TagStatus {
                tag: item.tag,
                version: item.version,
                rev: item.set,
                since,
                by,
                protection: item.protection,
                now: None,
            });
        }
        Ok(status)
    }

    /// Returns the time and the author of a tag's last move up to an event that was no move, such as a protection;
    /// `otherwise` if its log has none.
    pub(super) async fn last_move(
        &self,
        package: &PackageName,
        tag: &TagName,
        rev: u64,
        otherwise: (Timestamp, Actor),
    ) -> Result<(Timestamp, Actor), Error> {
        let moved = |event: &TagEvent| event.tag.as_ref() == Some(tag) && event.previous != event.version;
        let found = self.find_event(package, rev, moved).await?;
        Ok(found.map_or(otherwise, |event| (event.when, event.who)))
    }
}

fn head_keys(package: &PackageName) -> [Key; 2] {
    [schema::releases(package), schema::tags(package)].map(|log| schema::head_key(&log))
}

fn heads_in(seen: &Snapshot, package: &PackageName) -> Result<Option<Heads>, Error> {
    let [releases, tags] = head_keys(package);
    let head: Option<Head> = seen.get(&releases)?;
    let Some(head) = head.filter(|head| head.n > 0) else { return Ok(None) };
    Ok(Some(Heads { package: package.clone(), latest: head.latest, tags: seen.get(&tags)? }))
}

fn tag_keys(package: &PackageName, live: Option<&Live>) -> Vec<Key> {
    let names = live.into_iter().flat_map(Live::keys).filter_map(|name| name.parse().ok());
    names.map(|tag| schema::tag_key(package, &tag)).collect()
}

/// Returns the items of the live tags, if all are as the head names them: then they are those of the head's instant.
fn settled(of: &Heads, live: &Live, seen: &Snapshot) -> Result<Option<Vec<TagItem>>, Error> {
    let rev = of.tags.as_ref().map_or(0, |head| head.rev);
    let mut items = Vec::with_capacity(live.len());
    for (key, version) in tag_keys(&of.package, Some(live)).iter().zip(live.values()) {
        match seen.get::<TagItem>(key)? {
            Some(item) if item.version == Some(*version) && item.set <= rev => items.push(item),
            _ => return Ok(None),
        }
    }
    Ok(Some(items))
}
