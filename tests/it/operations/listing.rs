//! The amount that is listed, and its concurrency.

use super::{
    Site,
    around::{Around, Hooks},
    collect, gc,
};
use crate::support::world::{retry_policy, sha256};
use async_trait::async_trait;
use sacker::{
    fault::{Fault, FaultKind},
    ledger::{Ledger, TableLedger},
    model::{Address, first_generation},
    ops::{Client, Error, Fsck},
    store::{Store, memory::MemoryStore},
    table::memory::MemoryTable,
};
use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::Barrier;

/// Parts that are listed by several at once, or by nobody.
#[derive(Debug)]
struct Pages {
    several: Barrier,
    asked: Mutex<Vec<String>>,
    now: AtomicUsize,
    most: AtomicUsize,
    broken: AtomicBool,
}

impl Pages {
    fn new() -> Self {
        Self {
            several: Barrier::new(16),
            asked: Mutex::default(),
            now: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
        }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

#[async_trait]
impl Hooks for Pages {
    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<(), Fault> {
        self.asked.lock().unwrap().push(prefix.to_owned());
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        if !prefix.is_empty() && after.is_none() {
            self.several.wait().await;
        }
        self.now.fetch_sub(1, Ordering::SeqCst);
        if prefix == "7" && self.broken.load(Ordering::SeqCst) {
            return Err(Fault::new(FaultKind::Denied, "listing the store", "not allowed"));
        }
        Ok(())
    }
}

struct Large {
    site: Site,
    store: Arc<Around<Pages>>,
    blobs: BTreeSet<Address>,
}

impl Large {
    /// Makes a store of the given number of orphans.
    fn new(blobs: usize) -> Self {
        let inner = Arc::new(MemoryStore::new());
        let at = |n: usize| Address { sha256: sha256(&n.to_string()), generation: 0 };
        let blobs: BTreeSet<_> = (0..blobs).map(at).collect();
        for at in &blobs {
            inner.plant(at, "");
        }
        let site = Site::with_store(Arc::clone(&inner), tempfile::tempdir().unwrap());
        Self { site, store: Around::new(&inner, Pages::new()), blobs }
    }

    async fn owned(&self) -> Client {
        let client = self.client(self.site.ledger());
        client.ledger().create().await.unwrap();
        let identity = client.ledger().identity().await.unwrap().unwrap();
        self.store.inner.claim(&identity.mark()).await.unwrap();
        client
    }

    fn client(&self, ledger: Arc<dyn Ledger>) -> Client {
        let store = Arc::clone(&self.store) as Arc<dyn Store>;
        Client::new(ledger, store, retry_policy(), self.site.dir.path().to_owned())
    }

    fn asked(&self) -> Vec<String> {
        self.store.hooks.asked()
    }
}

fn another() -> Arc<dyn Ledger> {
    Arc::new(TableLedger::new(Arc::new(MemoryTable::new()), retry_policy()))
}

/// One after the other they would wait permanently.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(2), what).await.expect("parts are listed at once")
}

#[tokio::test]
async fn a_large_store_is_listed_in_sixteen_parts_at_once_and_each_blob_once() {
    let large = Large::new(40_000);
    let client = large.owned().await;
    let found = soon(gc(&client, collect(false))).await.unwrap();
    assert_eq!(found.len(), 40_000);
    assert_eq!(found.into_iter().map(|(address, _)| address).collect::<BTreeSet<_>>(), large.blobs);
    assert_eq!(large.store.hooks.most.load(Ordering::SeqCst), 16);
    let asked = large.asked();
    // A page for each thousand, of which each part has a last one that is not full; and the first.
    assert!((17..=64).contains(&asked.len()), "{}", asked.len());
    assert_eq!(asked.iter().filter(|prefix| prefix.is_empty()).count(), 1);

    let checked = soon(client.fsck(Fsck::default(), &mut |_| ())).await.unwrap();
    assert_eq!(checked.blobs, 0);
    assert!(large.asked().contains(&"f".to_owned()));

    large.store.hooks.broken.store(true, Ordering::SeqCst);
    let error = soon(gc(&client, collect(false))).await.unwrap_err();
    assert!(matches!(error, Error::Store(fault) if fault.kind == FaultKind::Denied));
}

#[tokio::test]
async fn a_store_of_few_pages_is_listed_in_order() {
    let large = Large::new(20_000);
    let client = large.owned().await;
    let found = gc(&client, collect(false)).await.unwrap();
    assert!(found.into_iter().map(|(address, _)| address).eq(large.blobs.iter().cloned()));
    assert_eq!(large.asked(), vec![""; 20]);
}

#[tokio::test]
async fn a_store_is_adopted_without_a_listing_if_its_owner_names_an_epoch() {
    let large = Large::new(40_000);
    large.owned().await;
    large.asked();
    let high = Address { sha256: sha256("high"), generation: first_generation(4) };
    large.store.inner.plant(&high, "");
    // An owner of the first epoch says nothing of what is there.
    let second = large.client(another());
    let adopted = soon(second.adopt()).await.unwrap().adopted.unwrap();
    assert_eq!(adopted.generation, first_generation(5));
    assert!(large.asked().len() > 16);
    // One that adopted it has looked.
    let third = large.client(another());
    assert_eq!(third.adopt().await.unwrap().adopted.unwrap().generation, first_generation(6));
    assert_eq!(large.asked(), Vec::<String>::new());
}
