//! The network between a client and its store, and a witness of every deletion.

use super::{
    audit::{needed, text},
    mutants::Mutant,
    network::{Link, Time},
};
use async_trait::async_trait;
use bytes::Bytes;
use sacker::{
    fault::{Fault, FaultKind},
    model::{Address, Created, Digest},
    store::{Body, Content, Listing, Put, PutError, Sending, Stat, Store, memory::MemoryStore},
    table::{Key, Table},
};
use std::{
    collections::BTreeMap,
    fmt,
    ops::Range,
    sync::{Arc, Mutex},
};

/// The beginning of the ids of other ledgers that take the store over.
pub const STRANGER: &str = "stranger-";

/// The store itself. It takes bytes from memory, since a file would be read on another thread.
pub struct Warehouse {
    pub inner: MemoryStore,
    pub contents: Arc<BTreeMap<Digest, Bytes>>,
    table: Arc<dyn Table>,
    lost: Mutex<Vec<String>>,
    time: Arc<Time>,
    /// Every owner, and since which tick.
    owners: Mutex<Vec<(u64, String)>>,
}

impl Warehouse {
    pub fn new(
        inner: MemoryStore,
        contents: &Arc<BTreeMap<Digest, Bytes>>,
        table: Arc<dyn Table>,
        time: &Arc<Time>,
    ) -> Arc<Self> {
        let (contents, time) = (Arc::clone(contents), Arc::clone(time));
        Arc::new(Self { inner, contents, table, lost: Mutex::default(), time, owners: Mutex::default() })
    }

    pub async fn put(&self, at: &Address) -> Put {
        if self.inner.stat(at).await.unwrap().is_some() {
            return Put::Present;
        }
        self.inner.plant(at, self.contents[&at.sha256].clone());
        Put::Stored
    }

    pub async fn delete(&self, at: &Address) {
        self.inner.delete(at).await.unwrap();
        if needed(&*self.table, at).await {
            self.lost.lock().unwrap().push(format!("{at} was deleted, and a version needs it"));
        }
    }

    pub async fn owner(&self) -> Option<String> {
        self.inner.owner().await.unwrap()
    }

    /// Notes who is the owner since something that may have changed it.
    fn owned(&self, owner: String) -> String {
        let mut owners = self.owners.lock().unwrap();
        if owners.last().is_none_or(|(_, last)| *last != owner) {
            owners.push((self.time.tick(), owner.clone()));
        }
        owner
    }

    async fn claim(&self, ledger: &str) -> Result<String, Fault> {
        Ok(self.owned(self.inner.claim(ledger).await?))
    }

    async fn replace_owner(&self, from: &str, to: &str) -> Result<String, Fault> {
        Ok(self.owned(self.inner.replace_owner(from, to).await?))
    }

    /// Makes another ledger the owner, in place of any owner.
    pub async fn take_over(&self, mark: &str) {
        match self.owner().await {
            Some(owner) => self.replace_owner(&owner, mark).await.unwrap(),
            None => self.claim(mark).await.unwrap(),
        };
    }

    /// Every owner, and since which tick.
    pub fn owners(&self) -> Vec<(u64, String)> {
        self.owners.lock().unwrap().clone()
    }

    /// The mark that the ledger has now.
    async fn mark_of_ledger(&self) -> Option<String> {
        let meta = self.table.get(&Key::new("M", "M")).await.unwrap()?;
        let epoch = meta.get("epoch").map(|epoch| format!(" {epoch}")).unwrap_or_default();
        Some(format!("{}{epoch}", text(&meta, "ledger")))
    }

    /// The blobs that were deleted though needed, even if someone has put them back since.
    pub fn lost(&self) -> Vec<String> {
        self.lost.lock().unwrap().clone()
    }
}

/// The mark of a stranger as it would be in the first epoch, and any other as it is.
fn without_epoch(mark: &str) -> &str {
    if mark.starts_with(STRANGER) { mark.rsplit_once(' ').map_or(mark, |(id, _)| id) } else { mark }
}

/// A store at the end of a link.
pub struct RemoteStore {
    pub link: Arc<Link>,
    pub warehouse: Arc<Warehouse>,
    pub mutant: Option<Mutant>,
    /// `true` if the deleting process sometimes stands still just before, for longer than anyone waits.
    pub stalls: bool,
}

impl fmt::Debug for RemoteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RemoteStore")
    }
}

#[async_trait]
impl Store for RemoteStore {
    fn describe(&self) -> String {
        self.warehouse.inner.describe()
    }

    async fn create(&self) -> Result<Created, Fault> {
        self.link.ask().await?;
        self.warehouse.inner.create().await
    }

    async fn owner(&self) -> Result<Option<String>, Fault> {
        self.link.ask().await?;
        let owner = self.warehouse.owner().await;
        Ok(match self.mutant {
            Some(Mutant::NoOwnerCheck) if owner.is_some() => self.warehouse.mark_of_ledger().await,
            Some(Mutant::NoEpochOfOwner) => owner.map(|owner| without_epoch(&owner).to_owned()),
            _ => owner,
        })
    }

    async fn claim(&self, ledger: &str) -> Result<String, Fault> {
        let claim = || {
            let (warehouse, ledger) = (Arc::clone(&self.warehouse), ledger.to_owned());
            async move { warehouse.claim(&ledger).await }
        };
        self.link.send(claim).await?
    }

    async fn replace_owner(&self, from: &str, to: &str) -> Result<String, Fault> {
        let mut from = from.to_owned();
        if self.mutant == Some(Mutant::NoEpochOfOwner)
            && let Some(owner) = self.warehouse.owner().await
            && without_epoch(&owner) == from
        {
            from = owner;
        }
        let replace = || {
            let (warehouse, from, to) = (Arc::clone(&self.warehouse), from.clone(), to.to_owned());
            async move { warehouse.replace_owner(&from, &to).await }
        };
        self.link.send(replace).await?
    }

    async fn stat(&self, at: &Address) -> Result<Option<Stat>, Fault> {
        self.link.ask().await?;
        self.warehouse.inner.stat(at).await
    }

    async fn put(&self, at: &Address, _: &Content, _: bool, _: Sending<'_>) -> Result<Put, PutError> {
        let put = self.link.send(|| {
            let (warehouse, at) = (Arc::clone(&self.warehouse), at.clone());
            async move { warehouse.put(&at).await }
        });
        match put.await {
            Err(fault)
                if self.mutant == Some(Mutant::ConflictMeansPresent)
                    && fault.kind == FaultKind::Contended =>
            {
                Ok(Put::Present)
            }
            put => Ok(put?),
        }
    }

    async fn get(&self, at: &Address, range: Range<u64>, etag: Option<&str>) -> Result<Option<Body>, Fault> {
        self.link.ask().await?;
        self.warehouse.inner.get(at, range, etag).await
    }

    async fn delete(&self, at: &Address) -> Result<(), Fault> {
        if self.stalls {
            self.link.stall().await;
        }
        self.link
            .send(|| {
                let (warehouse, at) = (Arc::clone(&self.warehouse), at.clone());
                async move { warehouse.delete(&at).await }
            })
            .await
    }

    async fn list(&self, after: Option<&str>) -> Result<Listing, Fault> {
        self.link.ask().await?;
        let mut listing = self.warehouse.inner.list(after).await?;
        if self.mutant == Some(Mutant::NoEpochOfOwner) {
            listing.objects.retain(|(at, _)| at.epoch() == 0);
        }
        Ok(listing)
    }
}
