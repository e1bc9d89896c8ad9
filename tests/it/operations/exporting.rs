//! Exports while writers are at work: each event is read once.

use super::Site;
use crate::support::world::{author, of, version};
use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt};
use sacker::{
    fault::Fault,
    ledger::{ChangeRequest, ExportItem, Ledger, Positions, TableLedger, Transfers as _},
    model::{Created, ReleaseChange},
    retry::{Cancellation, RetryPolicy},
    table::{Item, Key, Page, Query, Table, TransactError, Transaction},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// A table that counts the events of versions that are read.
#[derive(Debug)]
struct Counted {
    inner: Arc<dyn Table>,
    events: AtomicUsize,
}

#[async_trait]
impl Table for Counted {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    async fn create(&self) -> Result<Created, Fault> {
        self.inner.create().await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.inner.get_many(keys).await
    }

    async fn get_transact(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.inner.get_transact(keys).await
    }

    async fn query(&self, query: &Query) -> Result<Page<String>, Fault> {
        let page = self.inner.query(query).await?;
        let events = page.items.iter().filter(|(key, _)| key.starts_with("A#")).count();
        self.events.fetch_add(events, Ordering::Relaxed);
        Ok(page)
    }

    async fn scan(&self, after: Option<&Key>) -> Result<Page<Key>, Fault> {
        self.inner.scan(after).await
    }

    async fn transact(&self, transaction: &Transaction) -> Result<(), TransactError> {
        self.inner.transact(transaction).await
    }
}

/// More versions than are looked at together.
const MANY: u64 = 800;

async fn yank(ledger: &dyn Ledger, numbers: impl Iterator<Item = u64>, change: &ReleaseChange) {
    for number in numbers {
        let request = ChangeRequest::new(of("app"), version(number), change.clone()).author(author(None));
        ledger.change(&request).await.unwrap();
    }
}

#[tokio::test]
async fn each_event_is_read_once_by_an_export() {
    let site = Site::memory();
    for number in 0..MANY {
        site.add("app", &(number % 50).to_string()).await;
    }
    let quiet = site.ledger();
    yank(&*quiet, 1..=300, &ReleaseChange::Yank).await;
    let before: Vec<_> = quiet.export(&of("app"), &Positions::default()).try_collect().await.unwrap();
    let table = Arc::new(Counted { inner: site.table(), events: AtomicUsize::new(0) });
    let ledger = TableLedger::new(
        Arc::clone(&table) as Arc<dyn Table>,
        RetryPolicy::new(Duration::from_mins(1), Cancellation::new()),
    );
    let (package, start) = (of("app"), Positions::default());
    let mut items = ledger.export(&package, &start);
    let mut exported = vec![items.next().await.unwrap().unwrap()];
    // From here on, everything is later than the heads that were read.
    yank(&*quiet, 301..=MANY, &ReleaseChange::Yank).await;
    yank(&*quiet, 1..=300, &ReleaseChange::Unyank).await;
    exported.extend(items.try_collect::<Vec<_>>().await.unwrap());
    let lines = |items: &[ExportItem]| items.iter().map(ExportItem::to_line).collect::<Vec<_>>();
    assert_eq!(lines(&exported), lines(&before));
    // The earlier events are part of the export, and are read once more to undo the later ones.
    let events = table.events.load(Ordering::Relaxed);
    assert!(events <= 2 * 300 + usize::try_from(MANY).unwrap(), "{events} events were read");
}
