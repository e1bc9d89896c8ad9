//! The table itself, with a record of every transaction that was committed.

use super::{history::Landed, network::Time};
use async_trait::async_trait;
use sacker::{
    fault::Fault,
    model::Created,
    table::{Item, Key, Page, Query, Table, TransactError, Transaction, memory::MemoryTable},
};
use std::sync::{Arc, Mutex};

/// The home of the ledger.
pub const HOME: &str = "here";

#[derive(Debug)]
pub struct Recorder {
    inner: MemoryTable,
    time: Arc<Time>,
    landed: Mutex<Vec<Landed>>,
}

impl Recorder {
    pub fn new(time: &Arc<Time>) -> Self {
        Self { inner: MemoryTable::new(), time: Arc::clone(time), landed: Mutex::default() }
    }

    /// All that was committed, in order.
    pub fn landed(&self) -> Vec<Landed> {
        self.landed.lock().unwrap().clone()
    }
}

#[async_trait]
impl Table for Recorder {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    async fn home(&self) -> Result<Option<String>, Fault> {
        Ok(Some(HOME.to_owned()))
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
        self.inner.query(query).await
    }

    async fn scan(&self, after: Option<&Key>) -> Result<Page<Key>, Fault> {
        self.inner.scan(after).await
    }

    async fn transact(&self, transaction: &Transaction) -> Result<(), TransactError> {
        self.inner.transact(transaction).await?;
        // The table in memory waits for nothing, so no other transaction has come between.
        let keys: Vec<_> = transaction.actions().iter().map(|action| action.key.clone()).collect();
        let after = self.inner.get_transact(&keys).await?;
        let landed = Landed { at: self.time.moment(), transaction: transaction.clone(), after };
        self.landed.lock().unwrap().push(landed);
        Ok(())
    }
}
