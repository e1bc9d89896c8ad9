//! A small, strongly consistent table with conditional transactions: what the ledger's protocol stands on.
//!
//! An item is found by a [`Key`] of two strings: a partition and, within it, a sort key, ordered bytewise. Every
//! read is strongly consistent: it sees every change that was acknowledged before it began. A [`Transaction`] is
//! atomic and serialisable: all its conditions hold at one instant and all its changes happen then, or nothing does.
//!
//! The semantics are those of DynamoDB's
//! [`TransactWriteItems`](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html);
//! [`memory::MemoryTable`] is their executable specification, and one conformance suite holds every
//! implementation to it. A table makes one try and never sleeps: trying again is the caller's decision.

mod canonical;
pub mod dynamodb;
pub mod memory;
pub mod sqlite;

pub(crate) use canonical::canonical_object;

use crate::{
    fault::Fault,
    model::{Created, Setting},
};
use async_trait::async_trait;
use serde_json::Value;
use std::{collections::BTreeMap, fmt};

/// The attributes of an item, without its key: strings, whole numbers up to 2^53, and maps of these.
pub type Item = serde_json::Map<String, Value>;

/// The most actions in one [`Transaction`], and the most keys in one [`Table::get_transact`].
///
/// [DynamoDB's limit](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html).
pub const MAX_ACTIONS: usize = 100;

/// Where an item is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The partition.
    pub pk: String,
    /// The place in it. Not empty.
    pub sk: String,
}

impl Key {
    /// A key of these two.
    pub fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.pk, self.sk)
    }
}

/// What must be true of an item for a transaction to happen.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// Anything.
    Always,
    /// There is no such item.
    Absent,
    /// There is such an item.
    Present,
    /// The item has this attribute with this value: a string, a number, or a map of these.
    Equals(&'static str, Value),
    /// The item does not have this attribute. Holds also where there is no item.
    Lacks(&'static str),
    /// The item has this attribute, as a number that is at least this.
    AtLeast(&'static str, u64),
    /// All of these hold. True when empty.
    All(Vec<Condition>),
    /// One of these holds. False when empty.
    Any(Vec<Condition>),
}

impl Condition {
    /// The item has this attribute with this value.
    pub fn equals(attribute: &'static str, value: impl Into<Value>) -> Self {
        Self::Equals(attribute, value.into())
    }

    /// The item has this attribute as `item` has it, or lacks it as `item` does.
    #[must_use]
    pub fn same(attribute: &'static str, item: &Item) -> Self {
        item.get(attribute).map_or(Self::Lacks(attribute), |value| Self::equals(attribute, value.clone()))
    }

    /// Whether it holds for what is there.
    #[must_use]
    pub fn holds(&self, item: Option<&Item>) -> bool {
        match self {
            Self::Always => true,
            Self::Absent => item.is_none(),
            Self::Present => item.is_some(),
            Self::Equals(attribute, value) => item.and_then(|item| item.get(*attribute)) == Some(value),
            Self::Lacks(attribute) => item.is_none_or(|item| !item.contains_key(*attribute)),
            Self::AtLeast(attribute, least) => item
                .and_then(|item| item.get(*attribute))
                .and_then(Value::as_u64)
                .is_some_and(|number| number >= *least),
            Self::All(conditions) => conditions.iter().all(|c| c.holds(item)),
            Self::Any(conditions) => conditions.iter().any(|c| c.holds(item)),
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Always, only) | (only, Self::Always) => only,
            (one, other) => Self::All(vec![one, other]),
        }
    }
}

/// What a transaction does with one item.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Nothing: its condition is all that matters.
    Check,
    /// Replaces it, or makes it.
    Put(Item),
    /// Sets some attributes and adds to others, leaving the rest as they are; makes the item if it is not there.
    Update {
        /// Attributes and their new values.
        set: Item,
        /// Numeric attributes and what is added to them; an absent one counts as 0.
        add: BTreeMap<&'static str, i64>,
    },
    /// Removes it. Removing what is not there changes nothing.
    Delete,
}

impl Change {
    /// What the item is after this change.
    ///
    /// The specification that [`memory`] and [`sqlite`] run, and that `dynamodb` compiles to expressions.
    #[must_use]
    pub fn apply(&self, before: Option<Item>) -> Option<Item> {
        match self {
            Self::Check => before,
            Self::Put(item) => Some(item.clone()),
            Self::Update { set, add } => {
                let mut item = before.unwrap_or_default();
                item.extend(set.clone());
                for (attribute, by) in add {
                    let sum = item.get(*attribute).and_then(Value::as_i64).unwrap_or(0) + by;
                    item.insert((*attribute).to_owned(), sum.into());
                }
                Some(item)
            }
            Self::Delete => None,
        }
    }
}

/// A condition and a change of one item.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// The item.
    pub key: Key,
    /// What must be true of it.
    pub condition: Condition,
    /// What is done with it.
    pub change: Change,
}

/// Conditions and changes that happen together or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Transaction {
    token: String,
    actions: Vec<Action>,
}

impl Transaction {
    /// An empty transaction with an idempotency token of 1 to 36 characters.
    ///
    /// A table may use the token to recognise a copy of the same transaction (DynamoDB does, for 10 minutes) or
    /// ignore it: correctness must never rest on it. Another transaction needs another token.
    #[must_use]
    pub fn new(token: String) -> Self {
        Self { token, actions: Vec::new() }
    }

    /// Adds an action. A check of an item that is already acted on joins that action's condition, since no item
    /// may stand twice in a transaction.
    ///
    /// # Panics
    /// If two actions would change the same item.
    pub fn push(&mut self, action: Action) {
        let Some(there) = self.actions.iter_mut().find(|there| there.key == action.key) else {
            self.actions.push(action);
            return;
        };
        let before = std::mem::replace(&mut there.condition, Condition::Always);
        there.condition = before.and(action.condition);
        match (&there.change, action.change) {
            (_, Change::Check) => {}
            (Change::Check, change) => there.change = change,
            _ => panic!("two changes of {} in one transaction", action.key),
        }
    }

    /// The idempotency token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The actions, each of another item.
    #[must_use]
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }
}

/// Why a transaction did not happen, or may not have.
#[derive(Debug)]
pub enum TransactError {
    /// Conditions did not hold; nothing was changed. One entry for each action, in their order: `None` where its
    /// condition held, else what was there.
    Refused(Vec<Option<Found>>),
    /// The back end failed. If the fault is ambiguous, the transaction may have happened or may yet happen.
    Fault(Fault),
}

/// The item that a condition was not true of, or `None` if there was no item.
pub type Found = Option<Item>;

impl From<Fault> for TransactError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Which end of a partition a query begins at.
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
    /// The lowest sort key wanted. Not empty.
    pub from: String,
    /// The highest sort key wanted; not below `from`.
    pub to: String,
    /// Which comes first.
    pub order: Order,
    /// The most items on a page, at least 1. A page may have fewer.
    pub limit: u32,
    /// Only items after this sort key, in the order of the query: a page's `next`. Need not exist.
    pub after: Option<String>,
}

/// A page of items with the part of their keys that was not in the question.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<K> {
    /// The items, in order. May be empty even where more follow.
    pub items: Vec<(K, Item)>,
    /// Where to go on, if there may be more.
    pub next: Option<K>,
}

/// A strongly consistent table. See the [module](self) for what all methods guarantee.
///
/// Every method makes one try (of each page or batch that it needs) and reports a [`Fault`] as it is.
#[async_trait]
pub trait Table: fmt::Debug + Send + Sync {
    /// What this table is, for people: `dynamodb://sacker-ledger`.
    fn describe(&self) -> String;

    /// Something that stays the same as long as this is the same table, and differs in a copy of it, as far as that
    /// can be told at no cost; `None` if it can't, or if there is no table yet.
    async fn home(&self) -> Result<Option<String>, Fault> {
        Ok(None)
    }

    /// Makes the table with safe settings if there is none, else checks that its keys are what they must be.
    /// Never changes an existing one. Idempotent.
    ///
    /// # Errors
    /// [`FaultKind::Misconfigured`](crate::fault::FaultKind) if a table with other keys is there.
    async fn create(&self) -> Result<Created, Fault>;

    /// What the table must have to be safe, and whether it has it. Changes nothing. What may not be seen is
    /// [`SettingState::NotKnown`]; empty where there is nothing to set.
    async fn settings(&self) -> Result<Vec<Setting>, Fault> {
        Ok(Vec::new())
    }

    /// Reads items, any number of them, in the order of their keys. Each read is consistent; together they are
    /// *not* one snapshot, and are made in no order.
    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault>;

    /// Reads at most [`MAX_ACTIONS`] different items as one snapshot, in the order of their keys.
    async fn get_transact(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault>;

    /// Reads a page of a partition. Pages of one query are not one snapshot.
    async fn query(&self, query: &Query) -> Result<Page<String>, Fault>;

    /// Reads a page of the whole table in no particular order; `after` is the `next` of the page before. Costly:
    /// for `fsck` and export alone.
    async fn scan(&self, after: Option<&Key>) -> Result<Page<Key>, Fault>;

    /// As [`scan`](Self::scan), a page of at most `most` items, at least 1: a smaller page is over sooner on a slow link.
    /// A table without a link may give more.
    async fn scan_at_most(&self, after: Option<&Key>, most: u32) -> Result<Page<Key>, Fault> {
        let _ = most;
        self.scan(after).await
    }

    /// Does all of a transaction or nothing. Not idempotent in itself: a copy that arrives later is judged by its
    /// conditions anew, unless the table recognises the token.
    ///
    /// # Errors
    /// [`TransactError::Refused`] if a condition did not hold: certain, nothing was changed.
    /// [`TransactError::Fault`]: see [`FaultKind::is_ambiguous`](crate::fault::FaultKind::is_ambiguous).
    async fn transact(&self, transaction: &Transaction) -> Result<(), TransactError>;

    /// Reads one item.
    async fn get(&self, key: &Key) -> Result<Option<Item>, Fault> {
        let mut items = self.get_many(std::slice::from_ref(key)).await?;
        Ok(items.pop().flatten())
    }
}

/// Judges a transaction by what is there and says what would be there after it, or which conditions do not hold.
///
/// The heart of the embedded tables; the caller makes it atomic.
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
