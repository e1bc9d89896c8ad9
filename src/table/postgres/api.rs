//! The interface of a table, each method by the file that does it.

use super::{client::PostgresTable, create, grants, reading, settings};
use crate::{
    fault::Fault,
    model::{Created, Grant, Setting},
    table::{Access, Item, Key, MAX_ACTIONS, Order, Page, Query, Table, TransactError, Transaction},
};
use async_trait::async_trait;
use tokio_postgres::types::Type;

/// The number of items on a page of a scan.
const SCAN_PAGE: u32 = 500;
/// The number of keys in one statement.
const KEYS: usize = 1000;

#[async_trait]
impl Table for PostgresTable {
    fn describe(&self) -> String {
        self.pool.place().to_string()
    }

    async fn home(&self) -> Result<Option<String>, Fault> {
        if let Some(home) = self.home.get() {
            return Ok(Some(home.clone()));
        }
        let home = create::home(self).await?;
        Ok(home.map(|home| self.home.get_or_init(|| home).clone()))
    }

    async fn create(&self) -> Result<Created, Fault> {
        create::create(self).await
    }

    async fn settings(&self) -> Result<Vec<Setting>, Fault> {
        settings::look(self).await
    }

    async fn grants(&self, _: &[(Access, Key)]) -> Result<Vec<Grant>, Fault> {
        grants::grants(self).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        let mut items = Vec::new();
        for keys in keys.chunks(KEYS) {
            let (doing, keys) = (self.reading(), keys.iter().collect::<Vec<_>>());
            let pk: Vec<&str> = keys.iter().map(|key| key.pk.as_str()).collect();
            let sk: Vec<&str> = keys.iter().map(|key| key.sk.as_str()).collect();
            let parameters: [reading::Parameter<'_>; 2] = [(&pk, Type::TEXT_ARRAY), (&sk, Type::TEXT_ARRAY)];
            let rows = self.read(&doing, &self.statements.get, &parameters).await?;
            let found = self.items(&keys, &rows)?;
            items.extend(keys.iter().map(|key| found.get(key).map(|(item, _)| item.clone())));
        }
        Ok(items)
    }

    async fn get_transact(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        debug_assert!(keys.len() <= MAX_ACTIONS);
        // One chunk, so one statement.
        self.get_many(keys).await
    }

    async fn query(&self, query: &Query) -> Result<Page<String>, Fault> {
        let (mut from, mut to) = (query.from.as_str(), query.to.as_str());
        let mut is_after = false;
        match (&query.after, query.order) {
            (Some(after), Order::Ascending) if after.as_str() >= from => (from, is_after) = (after, true),
            (Some(after), Order::Descending) if after.as_str() <= to => (to, is_after) = (after, true),
            _ => {}
        }
        let limit = query.limit as usize;
        let sql = self.statements.query(query.order, is_after, u64::from(query.limit) + 1);
        let parameters: [reading::Parameter<'_>; 3] =
            [(&query.pk, Type::TEXT), (&from, Type::TEXT), (&to, Type::TEXT)];
        let rows = self.read(&self.reading(), &sql, &parameters).await?;
        let (items, more) = self.page(&rows, limit)?;
        let items: Vec<_> = items.into_iter().map(|(key, item)| (key.sk, item)).collect();
        let next = items.last().map(|(sk, _)| sk.clone()).filter(|_| more);
        Ok(Page { items, next })
    }

    async fn scan(&self, after: Option<&Key>) -> Result<Page<Key>, Fault> {
        self.scan_at_most(after, SCAN_PAGE).await
    }

    async fn scan_at_most(&self, after: Option<&Key>, most: u32) -> Result<Page<Key>, Fault> {
        let limit = most.clamp(1, SCAN_PAGE);
        // No sort key is empty, so nothing is before this.
        let after = after.cloned().unwrap_or_else(|| Key::new("", ""));
        let sql = self.statements.scan(u64::from(limit) + 1);
        let parameters: [reading::Parameter<'_>; 2] = [(&after.pk, Type::TEXT), (&after.sk, Type::TEXT)];
        let rows = self.read(&self.reading(), &sql, &parameters).await?;
        let (items, more) = self.page(&rows, limit as usize)?;
        let next = items.last().map(|(key, _)| key.clone()).filter(|_| more);
        Ok(Page { items, next })
    }

    async fn transact(&self, transaction: &Transaction) -> Result<(), TransactError> {
        if transaction.actions().is_empty() {
            return Ok(());
        }
        self.commit(transaction).await
    }
}
