//! The table in ZooKeeper.
//!
//! | file | part |
//! |---|---|
//! | `table.rs` | the table itself: its servers, its root, its session |
//! | `session.rs` | connects, shares one session, and bounds the wait for each answer |
//! | `login.rs` | the user and the password of digest authentication |
//! | `paths.rs` | the node of each item, below the stripe of its partition |
//! | `view.rs` | items with the versions of their stripes |
//! | `writes.rs` | a transaction as one `multi` |
//! | `walk.rs` | the items of a range, or of the whole table, in order |
//! | `root.rs` | creates the root with its stripes, and identifies it |
//! | `checks.rs` | the settings and the permissions that `doctor` shows |
//! | `faults.rs` | sorts errors into faults |
//!
//! Each item is a node; `src/table/tree.rs` maps keys to paths. ZooKeeper has no condition on the absence of a node, and
//! none on its attributes. So each partition belongs to one of 1,024 *stripes*, and each transaction that changes an item
//! also writes the stripe's node, which counts its changes (the node's *version*). A transaction is read, decided, and
//! sent as one `multi` that checks the versions that were read: if another one came first, it fails with no effect,
//! and is decided again. A refusal is confirmed by a `multi` of checks, so that the items in it are of one instant.
//!
//! A server may lag behind the others, and `sync`
//! [does not prevent that](https://issues.apache.org/jira/browse/ZOOKEEPER-2136): so each read follows a `multi` that
//! only checks. All servers apply it in one order with all changes, and a session gets its answers in order.

mod checks;
mod faults;
mod login;
mod paths;
mod root;
mod session;
mod table;
mod view;
mod walk;
mod writes;

pub use login::Login;
pub use table::ZookeeperTable;

use super::{Access, Item, Key, Page, Query, Table, TransactError, Transaction, tree::Range};
use crate::{
    fault::Fault,
    model::{Created, Grant, Setting},
};
use async_trait::async_trait;
use walk::Walk;

#[async_trait]
impl Table for ZookeeperTable {
    fn describe(&self) -> String {
        format!("zookeeper://{}{}", self.session.servers(), self.paths.root())
    }

    /// Returns the root's path with the transaction and the time of its creation. A copy of the nodes differs in both. A
    /// copy of the servers' own files does not: it is not distinguished.
    async fn home(&self) -> Result<Option<String>, Fault> {
        root::home(self).await
    }

    async fn create(&self) -> Result<Created, Fault> {
        root::create(self).await
    }

    async fn settings(&self) -> Result<Vec<Setting>, Fault> {
        checks::settings(self).await
    }

    async fn grants(&self, accesses: &[(Access, Key)]) -> Result<Vec<Grant>, Fault> {
        checks::grants(self, accesses).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        view::get_many(self, keys).await
    }

    async fn get_transact(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        view::get_transact(self, keys).await
    }

    async fn query(&self, query: &Query) -> Result<Page<String>, Fault> {
        let Some(range) = Range::of(query) else { return Ok(Page { items: Vec::new(), next: None }) };
        let page = Walk::of_partition(&query.pk, range, query.order).page(self, query.limit).await?;
        let items = page.items.into_iter().map(|(key, item)| (key.sk, item)).collect();
        Ok(Page { items, next: page.next.map(|key| key.sk) })
    }

    async fn scan(&self, after: Option<&Key>) -> Result<Page<Key>, Fault> {
        self.scan_at_most(after, u32::MAX).await
    }

    async fn scan_at_most(&self, after: Option<&Key>, most: u32) -> Result<Page<Key>, Fault> {
        Walk::of_table(after).page(self, most).await
    }

    async fn transact(&self, transaction: &Transaction) -> Result<(), TransactError> {
        writes::transact(self, transaction).await
    }
}
