//! Reading the items of one commit.

use super::{
    clone::Remote,
    objects::{Objects, Oid, Tip},
    walk::{Found, Walk},
};
use crate::{
    fault::{Fault, FaultKind},
    table::{Item, Key, Page},
};
use tokio::sync::MutexGuard;

/// The newest commit at some instant after the request for it.
pub(super) struct View<'a> {
    /// The remote that has the files that are missing here.
    pub(super) remote: Option<&'a Remote>,
    pub(super) doing: &'a str,
    pub(super) objects: MutexGuard<'a, Objects>,
    pub(super) tip: Tip,
}

impl View<'_> {
    pub(super) fn commit(&mut self) -> Commit<'_> {
        let Self { remote, doing, objects, tip } = self;
        Commit { walk: Walk { objects, doing, root: &tip.tree }, remote: *remote }
    }
}

/// A reader of the items of one commit.
pub(super) struct Commit<'a> {
    pub(super) walk: Walk<'a>,
    /// The remote that has the files that are missing here.
    pub(super) remote: Option<&'a Remote>,
}

impl Commit<'_> {
    pub(super) async fn items(&mut self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        let mut oids = Vec::with_capacity(keys.len());
        for key in keys {
            oids.push(self.walk.item(key).await?);
        }
        let present: Vec<_> = oids.iter().flatten().cloned().collect();
        let mut items = self.contents(&present).await?.into_iter();
        Ok(oids.into_iter().map(|oid| oid.and_then(|_| items.next())).collect())
    }

    /// Returns a page of what was found, of which one more than its limit.
    pub(super) async fn page(&mut self, mut found: Vec<Found>, limit: usize) -> Result<Page<Key>, Fault> {
        let more = found.len() > limit;
        found.truncate(limit);
        let oids: Vec<_> = found.iter().map(|found| found.oid.clone()).collect();
        let items = self.contents(&oids).await?;
        let items: Vec<_> = found.into_iter().map(|found| found.key).zip(items).collect();
        let last = items.last().map(|(key, _)| key.clone());
        Ok(Page { items, next: last.filter(|_| more) })
    }

    /// Returns the items in these files.
    async fn contents(&mut self, oids: &[Oid]) -> Result<Vec<Item>, Fault> {
        let Walk { objects, doing, .. } = &mut self.walk;
        let (mut read, mut missing) = (Vec::with_capacity(oids.len()), Vec::new());
        for oid in oids {
            let content = objects.file(doing, oid).await?;
            if content.is_none() {
                missing.push(oid.clone());
            }
            read.push(content);
        }
        if let (Some(remote), false) = (self.remote, missing.is_empty()) {
            missing.sort();
            missing.dedup();
            remote.fetch_files(doing, &missing).await?;
        }
        let mut items = Vec::with_capacity(oids.len());
        for (oid, content) in oids.iter().zip(read) {
            let content = match content {
                Some(content) => Some(content),
                None => objects.file(doing, oid).await?,
            };
            let damaged =
                |why: String| Fault::new(FaultKind::Corrupt, *doing, format!("the file {oid} {why}"));
            let content = content.ok_or_else(|| damaged("is missing".to_owned()))?;
            items.push(
                serde_json::from_slice(&content).map_err(|error| damaged(format!("is no item: {error}")))?,
            );
        }
        Ok(items)
    }
}
