//! The network between a client and its store, and a witness of every deletion.

use super::{audit::needed, mutants::Mutant, network::Link};
use async_trait::async_trait;
use bytes::Bytes;
use sacker::{
    fault::{Fault, FaultKind},
    model::{Address, Created, Digest},
    store::{Body, Content, Listing, Put, PutError, Sending, Stat, Store, memory::MemoryStore},
    table::Table,
};
use std::{
    collections::BTreeMap,
    fmt,
    ops::Range,
    sync::{Arc, Mutex},
};

/// The store itself. It takes bytes from memory, since a file would be read on another thread.
pub struct Warehouse {
    pub inner: MemoryStore,
    pub contents: Arc<BTreeMap<Digest, Bytes>>,
    table: Arc<dyn Table>,
    lost: Mutex<Vec<String>>,
}

impl Warehouse {
    pub fn new(
        inner: MemoryStore,
        contents: &Arc<BTreeMap<Digest, Bytes>>,
        table: Arc<dyn Table>,
    ) -> Arc<Self> {
        Arc::new(Self { inner, contents: Arc::clone(contents), table, lost: Mutex::default() })
    }

    async fn put(&self, at: &Address) -> Put {
        if self.inner.stat(at).await.unwrap().is_some() {
            return Put::Present;
        }
        self.inner.plant(at, self.contents[&at.sha256].clone());
        Put::Stored
    }

    async fn delete(&self, at: &Address) {
        self.inner.delete(at).await.unwrap();
        if needed(&*self.table, at).await {
            self.lost.lock().unwrap().push(format!("{at} was deleted, and a version needs it"));
        }
    }

    /// The blobs that were deleted though needed, even if someone has put them back since.
    pub fn lost(&self) -> Vec<String> {
        self.lost.lock().unwrap().clone()
    }
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
        self.warehouse.inner.owner().await
    }

    async fn claim(&self, ledger: &str) -> Result<String, Fault> {
        self.link.ask().await?;
        self.warehouse.inner.claim(ledger).await
    }

    async fn replace_owner(&self, from: &str, to: &str) -> Result<String, Fault> {
        self.link.ask().await?;
        self.warehouse.inner.replace_owner(from, to).await
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
        self.warehouse.inner.list(after).await
    }
}
