//! A small, strongly consistent table with conditional transactions: the foundation of the ledger's protocol.
//!
//! A [`Key`] of two strings identifies an item: a partition and, within it, a sort key, ordered bytewise. Every read is
//! strongly consistent: it sees every change that was acknowledged before it began. A [`Transaction`] is atomic and
//! serialisable: all its conditions hold at one instant and all its changes happen then, or nothing does.
//!
//! The semantics are those of DynamoDB's
//! [`TransactWriteItems`](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html);
//! [`memory::MemoryTable`] is their executable specification, and one conformance suite checks every implementation. A
//! table makes one attempt and never sleeps: retrying is the caller's decision.

mod canonical;
#[cfg(feature = "dynamodb")]
pub mod dynamodb;
#[cfg(feature = "git")]
pub mod git;
mod item;
pub mod memory;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod transaction;
#[cfg(any(feature = "git", feature = "zookeeper"))]
mod tree;
#[cfg(feature = "zookeeper")]
pub mod zookeeper;

pub(crate) use canonical::canonical_object;
pub use item::{Change, Condition, Item, Key};
pub use transaction::{Action, Found, Note, TransactError, Transaction};

use crate::{
    fault::Fault,
    model::{Created, Grant, Setting},
};
use async_trait::async_trait;
use std::fmt;

/// The maximum number of actions in one [`Transaction`], and of keys in one [`Table::get_transact`].
///
/// [DynamoDB's limit](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html).
pub const MAX_ACTIONS: usize = 100;

/// A kind of access to an item, for [`Table::grants`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Reading one item.
    Get,
    /// Reading several items in one request.
    GetMany,
    /// Reading the items of a partition.
    Query,
    /// Reading the whole table.
    Scan,
    /// Putting an item.
    Put,
    /// Updating an item.
    Update,
    /// Checking a condition on an item.
    Check,
}

/// The end of a partition at which a query begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// Lowest sort key first.
    Ascending,
    /// Highest sort key first.
    Descending,
}

/// A range of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The partition.
    pub pk: String,
    /// The lowest sort key of the range. Not empty.
    pub from: String,
    /// The highest sort key of the range. Below `from`, the range is empty.
    pub to: String,
    /// The order of the items.
    pub order: Order,
    /// The maximum number of items on a page, at least 1. A page may have fewer.
    pub limit: u32,
    /// The sort key after which the items begin, in the order of the query: a page's `next`. Need not exist.
    pub after: Option<String>,
}

impl Query {
    /// Returns true if the range is empty, or if nothing of it can follow `after`.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.from > self.to
            || self.after.as_ref().is_some_and(|after| match self.order {
                Order::Ascending => *after >= self.to,
                Order::Descending => *after <= self.from,
            })
    }
}

/// A page of items, each with the part of its key that the request did not contain.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<K> {
    /// The items, in order. May be empty even if more follow.
    pub items: Vec<(K, Item)>,
    /// The position of the next page, if there may be one.
    pub next: Option<K>,
}

/// A strongly consistent table. See the [module](self) for the guarantees of all methods.
///
/// Every method makes one attempt (for each page or batch that it needs) and reports a [`Fault`] unchanged.
#[async_trait]
pub trait Table: fmt::Debug + Send + Sync {
    /// Returns a description for people: `dynamodb://sacker-ledger`.
    fn describe(&self) -> String;

    /// Returns an identity that is stable for the same table, and differs in a copy of it, as far as that can be found
    /// out at no cost; `None` if it can't, or if there is no table yet.
    async fn home(&self) -> Result<Option<String>, Fault> {
        Ok(None)
    }

    /// Creates the table with safe settings if there is none, else checks that its keys are correct. Never changes an
    /// existing one. Idempotent.
    ///
    /// # Errors
    /// [`FaultKind::Misconfigured`](crate::fault::FaultKind) if there is a table with other keys.
    async fn create(&self) -> Result<Created, Fault>;

    /// Returns the settings that the table must have to be safe, and whether it has each. Changes nothing. A setting
    /// that can't be read is [`SettingState::NotKnown`](crate::model::SettingState::NotKnown); empty if there is nothing to set.
    async fn settings(&self) -> Result<Vec<Setting>, Fault> {
        Ok(Vec::new())
    }

    /// Tries each of these accesses, and returns which permissions the credentials have. Changes nothing: an access that
    /// writes is tried under a condition that can't hold. Empty for a table without permissions.
    async fn grants(&self, accesses: &[(Access, Key)]) -> Result<Vec<Grant>, Fault> {
        let _ = accesses;
        Ok(Vec::new())
    }

    /// Reads items, any number of them, in the order of their keys. Each read is consistent; together they are *not*
    /// one snapshot, and are made in no order.
    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault>;

    /// Reads at most [`MAX_ACTIONS`] different items as one snapshot, in the order of their keys.
    async fn get_transact(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault>;

    /// Reads a page of a partition. Pages of one query are not one snapshot.
    async fn query(&self, query: &Query) -> Result<Page<String>, Fault>;

    /// Reads a page of the whole table in no particular order; `after` is the `next` of the previous page. Expensive:
    /// only for `fsck` and export.
    async fn scan(&self, after: Option<&Key>) -> Result<Page<Key>, Fault>;

    /// Does the same as [`scan`](Self::scan) with a page of at most `most` items, at least 1: a smaller page arrives
    /// sooner on a slow link. A table without a network may return more.
    async fn scan_at_most(&self, after: Option<&Key>, most: u32) -> Result<Page<Key>, Fault> {
        let _ = most;
        self.scan(after).await
    }

    /// Commits all of a transaction or nothing. Not idempotent in itself: a copy that arrives later is judged by its
    /// conditions again, unless the table recognises the token.
    ///
    /// # Errors
    /// [`TransactError::Refused`] if a condition did not hold: certain, nothing was changed. [`TransactError::Fault`]:
    /// see [`FaultKind::is_ambiguous`](crate::fault::FaultKind::is_ambiguous).
    async fn transact(&self, transaction: &Transaction) -> Result<(), TransactError>;

    /// Reads one item.
    async fn get(&self, key: &Key) -> Result<Option<Item>, Fault> {
        let mut items = self.get_many(std::slice::from_ref(key)).await?;
        Ok(items.pop().flatten())
    }
}

/// Evaluates a transaction against the present items and returns the items after it, or the conditions that do not
/// hold.
///
/// The core of the embedded tables; the caller makes it atomic.
fn decide<E: From<TransactError>>(
    transaction: &Transaction,
    mut get: impl FnMut(&Key) -> Result<Option<Item>, E>,
) -> Result<Vec<(Key, Option<Item>)>, E> {
    let mut after = Vec::new();
    let mut refused = Vec::new();
    for action in transaction.actions() {
        let before = get(&action.key)?;
        if action.condition.holds(before.as_ref()) {
            refused.push(None);
            if action.change != Change::Check {
                after.push((action.key.clone(), action.change.apply(before)));
            }
        } else {
            refused.push(Some(before));
        }
    }
    if refused.iter().any(Option::is_some) {
        return Err(TransactError::Refused(refused).into());
    }
    Ok(after)
}
