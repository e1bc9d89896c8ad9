//! The pages that are read of a range, and their times.

use crate::support::world::{add_many, blob, of, retry_policy};
use async_trait::async_trait;
use futures_util::TryStreamExt;
use sacker::{
    fault::{Fault, FaultKind},
    ledger::{BlobStatus, Error, Ledger, TableLedger},
    model::{Created, Spec},
    table::{Item, Key, Page, Query, Table, TransactError, Transaction, memory::MemoryTable},
};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// A table that counts reads, and has no page after the first few.
#[derive(Debug)]
struct Counting {
    inner: MemoryTable,
    pages: AtomicUsize,
    most: usize,
    gets: AtomicUsize,
    /// The most items that are answered at once, and how many were.
    answers: usize,
    answered: AtomicUsize,
}

impl Counting {
    fn new(most: usize) -> Arc<Self> {
        Arc::new(Self::answering(most, usize::MAX))
    }

    fn answering(most: usize, answers: usize) -> Self {
        let (pages, gets, answered) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        Self { inner: MemoryTable::new(), pages, most, gets, answers, answered }
    }

    /// Returns the numbers of pages and of other reads since the last call.
    fn reads(&self) -> (usize, usize) {
        (self.pages.swap(0, Ordering::SeqCst), self.gets.swap(0, Ordering::SeqCst))
    }
}

#[async_trait]
impl Table for Counting {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    async fn create(&self) -> Result<Created, Fault> {
        self.inner.create().await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.gets.fetch_add(1, Ordering::SeqCst);
        // As over a network: what is asked for meanwhile is asked for before this is answered.
        tokio::task::yield_now().await;
        if keys.len() > self.answers {
            return Err(Fault::new(FaultKind::Throttled, "testing", "some keys were left out"));
        }
        self.answered.fetch_add(keys.len(), Ordering::SeqCst);
        self.inner.get_many(keys).await
    }

    async fn get_transact(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.inner.get_transact(keys).await
    }

    async fn query(&self, query: &Query) -> Result<Page<String>, Fault> {
        if self.pages.fetch_add(1, Ordering::SeqCst) >= self.most {
            return Err(Fault::new(FaultKind::Denied, "testing", "a fault that was asked for"));
        }
        tokio::task::yield_now().await;
        self.inner.query(query).await
    }

    async fn scan(&self, after: Option<&Key>) -> Result<Page<Key>, Fault> {
        self.inner.scan(after).await
    }

    async fn transact(&self, transaction: &Transaction) -> Result<(), TransactError> {
        self.inner.transact(transaction).await
    }
}

#[tokio::test]
async fn a_page_is_read_ahead_once_half_of_the_one_before_is_taken() {
    let table = Counting::new(usize::MAX);
    let ledger = TableLedger::new(Arc::clone(&table) as Arc<dyn Table>, retry_policy());
    add_many(&ledger, "app", 300).await;
    table.reads();
    let package = of("app");
    let mut versions = ledger.versions(&package);
    for number in (176..=300).rev() {
        assert_eq!(versions.try_next().await.unwrap().unwrap().version.get(), number);
    }
    tokio::task::yield_now().await;
    assert_eq!(table.reads().0, 1);
    versions.try_next().await.unwrap();
    tokio::task::yield_now().await;
    assert_eq!(table.reads().0, 1);
    // What is left comes once and whole.
    let left: Vec<_> = versions.map_ok(|release| release.version.get()).try_collect().await.unwrap();
    assert_eq!(left, (1..=174).rev().collect::<Vec<_>>());
    assert_eq!(table.reads().0, 0);
}

#[tokio::test]
async fn a_page_that_fails_ends_what_was_read() {
    let table = Counting::new(1);
    let ledger = TableLedger::new(Arc::clone(&table) as Arc<dyn Table>, retry_policy());
    add_many(&ledger, "app", 300).await;
    let package = of("app");
    let mut versions = ledger.versions(&package);
    for _ in 0..250 {
        versions.try_next().await.unwrap().unwrap();
    }
    match versions.try_next().await {
        Err(Error::Fault(fault)) => assert_eq!(fault.kind, FaultKind::Denied),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_version_and_its_tags_are_one_read_which_checks_the_schema() {
    let table = Counting::new(usize::MAX);
    let ledger = || TableLedger::new(Arc::clone(&table) as Arc<dyn Table>, retry_policy());
    add_many(&ledger(), "app", 1).await;
    table.reads();
    ledger().release(&of("app"), &Spec::Version("1".parse().unwrap())).await.unwrap();
    assert_eq!(table.reads(), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn many_items_of_which_only_some_are_answered_are_read_in_pieces_and_each_once() {
    const BLOBS: u64 = 1000;
    let table = Arc::new(Counting::answering(usize::MAX, 130));
    let ledger = TableLedger::new(Arc::clone(&table) as Arc<dyn Table>, retry_policy());
    add_many(&ledger, "app", 1).await;
    table.answered.store(0, Ordering::SeqCst);
    let addresses: Vec<_> = (0..BLOBS).map(|n| blob(&format!("orphan {n}"), 0).address).collect();
    let blob_statuses = ledger.blob_statuses(&addresses).await.unwrap();
    assert_eq!(blob_statuses.len(), addresses.len());
    assert!(blob_statuses.iter().all(|blob_status| *blob_status == BlobStatus::Orphan));
    let answered = table.answered.load(Ordering::SeqCst) as u64;
    assert_eq!(answered, BLOBS + 1, "each blob once, and the ledger's own item");
}
