//! A table that lets others have their turn between its steps, so that one thread runs writers into each other.

use async_trait::async_trait;
use sacker::{
    fault::Fault,
    model::Created,
    table::{Item, Key, Page, Query, Table, TransactError, Transaction},
};
use std::{
    fmt,
    sync::{Arc, Mutex},
};

/// A table whose requests take some turns to arrive and to be answered, by chance. Items that are not read as one
/// snapshot are read one at a time, in no order.
pub struct Interleaved {
    inner: Arc<dyn Table>,
    random: Mutex<fastrand::Rng>,
}

impl fmt::Debug for Interleaved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} by turns", self.inner)
    }
}

impl Interleaved {
    pub fn new(inner: Arc<dyn Table>, seed: u64) -> Self {
        Self { inner, random: Mutex::new(fastrand::Rng::with_seed(seed)) }
    }

    async fn others(&self) {
        let turns = self.random.lock().unwrap().u32(0..6);
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    }
}

#[async_trait]
impl Table for Interleaved {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    async fn create(&self) -> Result<Created, Fault> {
        self.inner.create().await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        let mut order: Vec<usize> = (0..keys.len()).collect();
        self.random.lock().unwrap().shuffle(&mut order);
        let mut items = vec![None; keys.len()];
        for at in order {
            self.others().await;
            items[at] = self.inner.get(&keys[at]).await?;
        }
        self.others().await;
        Ok(items)
    }

    async fn get_transact(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        self.others().await;
        let items = self.inner.get_transact(keys).await;
        self.others().await;
        items
    }

    async fn query(&self, query: &Query) -> Result<Page<String>, Fault> {
        self.others().await;
        let page = self.inner.query(query).await;
        self.others().await;
        page
    }

    async fn scan(&self, after: Option<&Key>) -> Result<Page<Key>, Fault> {
        self.others().await;
        let page = self.inner.scan(after).await;
        self.others().await;
        page
    }

    async fn transact(&self, transaction: &Transaction) -> Result<(), TransactError> {
        self.others().await;
        let done = self.inner.transact(transaction).await;
        self.others().await;
        done
    }
}

/// Runs a future on one thread in paused time, so that a seed is the same run every time.
pub fn alone<T>(of: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(of)
}
