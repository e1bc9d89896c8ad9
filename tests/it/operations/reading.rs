//! `fsck --read-data` reads several blobs at once, within a bound, and reports all others if one can't be read.

use super::{
    Site,
    around::{Around, Hooks},
};
use crate::support::world::{retry_policy, sha256};
use async_trait::async_trait;
use sacker::{
    fault::{Fault, FaultKind},
    ledger::{Invariant, Violation},
    model::Address,
    ops::{Client, Error, Fsck, FsckReport},
    store::{Store, memory::MemoryStore},
};
use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::Barrier;

/// Blobs that are handed out to several at once, or to nobody; all but those that are refused.
#[derive(Debug)]
struct Together {
    several: Barrier,
    now: AtomicUsize,
    most: AtomicUsize,
    refused: Vec<Address>,
}

impl Together {
    fn new(inner: &Arc<MemoryStore>, several: usize, refused: Vec<Address>) -> Arc<Around<Self>> {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Around::new(inner, Self { several: Barrier::new(several), now, most, refused })
    }
}

#[async_trait]
impl Hooks for Together {
    async fn get(&self, at: &Address) -> Result<(), Fault> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        self.several.wait().await;
        self.now.fetch_sub(1, Ordering::SeqCst);
        if self.refused.contains(at) {
            return Err(Fault::new(FaultKind::Denied, format!("reading {at}"), "its key is disabled"));
        }
        Ok(())
    }
}

fn at(content: &str) -> Address {
    Address { sha256: sha256(content), generation: 0 }
}

/// A site of 16 blobs, and what it is read through.
async fn sixteen() -> (Site, Arc<MemoryStore>) {
    let store = Arc::new(MemoryStore::new());
    let site = Site::with_store(Arc::clone(&store), tempfile::tempdir().unwrap());
    for number in 0..16 {
        site.add("app", &format!("blob {number}")).await;
    }
    (site, store)
}

async fn read(
    site: &Site,
    store: &Arc<Around<Together>>,
    jobs: Option<usize>,
) -> (Result<FsckReport, Error>, Vec<(Invariant, String)>) {
    let (ledger, store) = (site.ledger(), Arc::clone(store) as Arc<dyn Store>);
    let client = Client::new(ledger, store, retry_policy(), site.dir.path().to_owned());
    let client = match jobs {
        Some(jobs) => client.with_jobs(NonZeroUsize::new(jobs).unwrap()),
        None => client,
    };
    let mut found = Vec::new();
    let mut record = |violation: Violation| found.push((violation.rule, violation.place));
    let fsck = Fsck::new().read_data(100);
    // One after the other they would wait permanently.
    let checked = tokio::time::timeout(Duration::from_mins(1), client.fsck(fsck, &mut record));
    let checked = checked.await.expect("several blobs are read at once");
    (checked, found)
}

#[tokio::test]
async fn several_blobs_are_read_at_once_and_no_more() {
    let (site, store) = sixteen().await;
    for (jobs, most) in [(None, 8), (Some(4), 4), (Some(1), 1)] {
        let together = Together::new(&store, most, Vec::new());
        let (checked, found) = read(&site, &together, jobs).await;
        assert_eq!((checked.unwrap().read, found), (16, vec![]));
        assert_eq!(together.hooks.most.load(Ordering::SeqCst), most);
    }
}

#[tokio::test]
async fn a_blob_that_can_not_be_read_hides_no_other() {
    let (site, store) = sixteen().await;
    let refused = vec![at("blob 3"), at("blob 9")];
    let together = Together::new(&store, 1, refused.clone());
    match read(&site, &together, None).await {
        (Err(Error::Store(fault)), found) => assert_eq!((fault.kind, found), (FaultKind::Denied, vec![])),
        other => panic!("{other:?}"),
    }
    // Damage elsewhere is found, and weighs more.
    store.plant(&at("blob 12"), "bolb 12");
    let together = Together::new(&store, 1, refused);
    let (checked, found) = read(&site, &together, None).await;
    let checked = checked.unwrap();
    assert_eq!((checked.read, checked.unread, checked.violations), (14, 2, 1));
    assert_eq!(found, [(Invariant::Bytes, at("blob 12").to_string())]);
}
