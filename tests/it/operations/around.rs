//! A store with hooks around its requests.

use async_trait::async_trait;
use sacker::{
    fault::Fault,
    model::{Address, Created},
    store::{Body, Content, Listing, Put, PutError, Sending, Stat, Store, memory::MemoryStore},
};
use std::{fmt, ops::Range, sync::Arc};

/// Runs before a request reaches the store, or on its answer. By default nothing is changed.
#[async_trait]
pub trait Hooks: fmt::Debug + Send + Sync {
    /// Before a blob is read.
    async fn get(&self, _at: &Address) -> Result<(), Fault> {
        Ok(())
    }

    /// The blob that is read, given the one in the store.
    fn body(&self, body: Body) -> Body {
        body
    }

    /// The owner that is reported, given the one in the store.
    fn owner(&self, owner: Option<String>) -> Option<String> {
        owner
    }

    /// Before a page is listed, of a part unless the prefix is empty.
    async fn list(&self, _prefix: &str, _after: Option<&str>) -> Result<(), Fault> {
        Ok(())
    }
}

/// The store with its hooks. Unlike the one inside it lists in parts.
#[derive(Debug)]
pub struct Around<H, S: ?Sized = MemoryStore> {
    pub inner: Arc<S>,
    pub hooks: H,
}

impl<H: Hooks, S: Store + ?Sized> Around<H, S> {
    pub fn new(inner: &Arc<S>, hooks: H) -> Arc<Self> {
        Arc::new(Self { inner: Arc::clone(inner), hooks })
    }
}

#[async_trait]
impl<H: Hooks, S: Store + ?Sized> Store for Around<H, S> {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    async fn create(&self) -> Result<Created, Fault> {
        self.inner.create().await
    }

    async fn owner(&self) -> Result<Option<String>, Fault> {
        Ok(self.hooks.owner(self.inner.owner().await?))
    }

    async fn claim(&self, ledger: &str) -> Result<String, Fault> {
        self.inner.claim(ledger).await
    }

    async fn replace_owner(&self, from: &str, to: &str) -> Result<String, Fault> {
        self.inner.replace_owner(from, to).await
    }

    async fn stat(&self, at: &Address) -> Result<Option<Stat>, Fault> {
        self.inner.stat(at).await
    }

    async fn put(
        &self,
        at: &Address,
        content: &Content,
        expected: bool,
        sent: Sending<'_>,
    ) -> Result<Put, PutError> {
        self.inner.put(at, content, expected, sent).await
    }

    async fn get(&self, at: &Address, range: Range<u64>, etag: Option<&str>) -> Result<Option<Body>, Fault> {
        self.hooks.get(at).await?;
        Ok(self.inner.get(at, range, etag).await?.map(|body| self.hooks.body(body)))
    }

    async fn delete(&self, at: &Address) -> Result<(), Fault> {
        self.inner.delete(at).await
    }

    async fn list(&self, after: Option<&str>) -> Result<Listing, Fault> {
        self.hooks.list("", after).await?;
        self.inner.list(after).await
    }

    fn lists_in_parts(&self) -> bool {
        true
    }

    async fn list_part(&self, prefix: &str, after: Option<&str>) -> Result<Listing, Fault> {
        self.hooks.list(prefix, after).await?;
        // In the store inside, the names after a prefix are those that begin with it.
        self.inner.list_part(prefix, after.or(Some(prefix))).await
    }
}
