//! A store that is claimed while it is being adopted.

use super::Site;
use crate::support::world::retry_policy;
use async_trait::async_trait;
use sacker::{
    fault::Fault,
    model::{Address, Created},
    ops::Client,
    store::{Body, Content, Listing, Put, PutError, Sending, Stat, Store},
};
use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// A store whose owner is first read before the store is claimed, and the rest after that.
#[derive(Debug)]
struct ClaimedMeanwhile {
    store: Arc<dyn Store>,
    was_read: AtomicBool,
}

#[async_trait]
impl Store for ClaimedMeanwhile {
    fn describe(&self) -> String {
        self.store.describe()
    }

    async fn create(&self) -> Result<Created, Fault> {
        self.store.create().await
    }

    async fn owner(&self) -> Result<Option<String>, Fault> {
        if self.was_read.swap(true, Ordering::Relaxed) { self.store.owner().await } else { Ok(None) }
    }

    async fn claim(&self, ledger: &str) -> Result<String, Fault> {
        self.store.claim(ledger).await
    }

    async fn replace_owner(&self, from: &str, to: &str) -> Result<String, Fault> {
        self.store.replace_owner(from, to).await
    }

    async fn stat(&self, at: &Address) -> Result<Option<Stat>, Fault> {
        self.store.stat(at).await
    }

    async fn put(
        &self,
        at: &Address,
        content: &Content,
        expected: bool,
        sent: Sending<'_>,
    ) -> Result<Put, PutError> {
        self.store.put(at, content, expected, sent).await
    }

    async fn get(&self, at: &Address, range: Range<u64>, etag: Option<&str>) -> Result<Option<Body>, Fault> {
        self.store.get(at, range, etag).await
    }

    async fn delete(&self, at: &Address) -> Result<(), Fault> {
        self.store.delete(at).await
    }

    async fn list(&self, after: Option<&str>) -> Result<Listing, Fault> {
        self.store.list(after).await
    }
}

/// The ledger must not get another id: with that id it would no longer be the owner.
#[tokio::test]
async fn a_ledger_whose_first_addition_claims_the_store_meanwhile_stays_its_owner() {
    let site = Site::memory();
    site.add("app", "one").await;
    let before = site.ledger().identity().await.unwrap().unwrap();
    let store = Arc::new(ClaimedMeanwhile { store: site.store(), was_read: AtomicBool::new(false) });
    let client = Client::new(site.ledger(), store, retry_policy(), site.dir.path().to_owned());
    let made = client.adopt().await.unwrap();
    assert_eq!((made.id.as_str(), made.adopted), (before.id.as_str(), None));
    assert_eq!(site.ledger().identity().await.unwrap(), Some(before));
    site.add("app", "two").await;
}
