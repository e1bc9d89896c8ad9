//! A table in memory: the executable specification of [`Table`], and the base of tests with faults and interleavings.

use super::{Created, Item, Key, MAX_ACTIONS, Order, Page, Query, Table, TransactError, Transaction, decide};
use crate::fault::{Fault, FaultKind};
use async_trait::async_trait;
use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A table in memory. It exists as long as the value; share it by `Arc`.
#[derive(Debug, Default)]
pub struct MemoryTable {
    items: Mutex<BTreeMap<Key, Item>>,
}

impl MemoryTable {
    /// Creates an empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn items(&self) -> MutexGuard<'_, BTreeMap<Key, Item>> {
        // A change is computed before anything is written, so a panic elsewhere can't leave half of one.
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const SCAN_PAGE: usize = 100;

#[async_trait]
impl Table for MemoryTable {
    fn describe(&self) -> String {
        "a ledger in memory".to_owned()
    }

    async fn create(&self) -> Result<Created, Fault> {
        Ok(Created::Present)
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        let items = self.items();
        Ok(keys.iter().map(|key| items.get(key).cloned()).collect())
    }

    async fn get_transact(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        if keys.len() > MAX_ACTIONS {
            let why =
                format!("{} keys in one transactional read; at most {MAX_ACTIONS} are allowed", keys.len());
            return Err(Fault::new(FaultKind::Unexpected, "reading a table in memory", why));
        }
        self.get_many(keys).await
    }

    async fn query(&self, query: &Query) -> Result<Page<String>, Fault> {
        let items = self.items();
        let key = |sk: &String| Key::new(&query.pk, sk);
        let (mut low, mut high) = (Bound::Included(key(&query.from)), Bound::Included(key(&query.to)));
        match (&query.after, query.order) {
            (Some(after), Order::Ascending) if *after >= query.from => low = Bound::Excluded(key(after)),
            (Some(after), Order::Descending) if *after <= query.to => high = Bound::Excluded(key(after)),
            _ => {}
        }
        if query.is_exhausted() {
            return Ok(Page { items: Vec::new(), next: None });
        }
        let mut found = items.range((low, high));
        let mut next = || match query.order {
            Order::Ascending => found.next(),
            Order::Descending => found.next_back(),
        };
        let page = std::iter::from_fn(&mut next)
            .take(query.limit as usize)
            .map(|(key, item)| (key.sk.clone(), item.clone()))
            .collect::<Vec<_>>();
        let more = next().is_some();
        let last = page.last().map(|(sk, _)| sk.clone());
        Ok(Page { items: page, next: last.filter(|_| more) })
    }

    async fn scan(&self, after: Option<&Key>) -> Result<Page<Key>, Fault> {
        let items = self.items();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let page: Vec<_> = items
            .range((from, Bound::Unbounded))
            .take(SCAN_PAGE)
            .map(|(key, item)| (key.clone(), item.clone()))
            .collect();
        let next = page.last().filter(|_| page.len() == SCAN_PAGE).map(|(key, _)| key.clone());
        Ok(Page { items: page, next })
    }

    async fn transact(&self, transaction: &Transaction) -> Result<(), TransactError> {
        let mut items = self.items();
        let after = decide(transaction, |key| Ok::<_, TransactError>(items.get(key).cloned()))?;
        for (key, item) in after {
            match item {
                Some(item) => items.insert(key, item),
                None => items.remove(&key),
            };
        }
        Ok(())
    }
}
