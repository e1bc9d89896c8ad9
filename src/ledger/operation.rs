//! A change as the protocol sees it: what it reads, and what it decides, as pure functions of what was read.

use super::{
    Author, Error,
    fence::still_at,
    idempotency::{self, remembered},
    items::{self, decode},
};
use crate::{
    model::{OpId, PackageName, Timestamp},
    table::{Action, Change, Item, Key},
};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;

/// Items as they were read; `None` for one that was not there.
#[derive(Debug, Clone, Default)]
pub(super) struct Snapshot(BTreeMap<Key, Option<Item>>);

impl Snapshot {
    pub(super) fn new(keys: Vec<Key>, items: Vec<Option<Item>>) -> Self {
        Self(keys.into_iter().zip(items).collect())
    }

    /// The record at `key`. One that was not read counts as absent.
    pub(super) fn get<T: Serialize + DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, Error> {
        self.item(key).map(|item| decode(key, item)).transpose()
    }

    /// The record at `key`, which another item tells of; `None` if it was not read.
    pub(super) fn told_of<T: Serialize + DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, Error> {
        match self.0.get(key) {
            None => Ok(None),
            Some(Some(item)) => decode(key, item).map(Some),
            Some(None) => Err(Error::Damaged {
                what: format!("the ledger's item {key}"),
                why: "it is missing, and another item tells of it".to_owned(),
            }),
        }
    }

    pub(super) fn insert(&mut self, key: Key, item: Option<Item>) {
        self.0.insert(key, item);
    }

    pub(super) fn contains(&self, key: &Key) -> bool {
        self.0.contains_key(key)
    }

    pub(super) fn item(&self, key: &Key) -> Option<&Item> {
        self.0.get(key).and_then(Option::as_ref)
    }
}

/// What an operation's plans are made with.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub op: &'a OpId,
    pub author: &'a Author,
    pub now: Timestamp,
}

/// What has to be done, given what was read.
#[derive(Debug)]
pub(super) enum Plan<T> {
    /// More has to be read first: items that never change in what matters here.
    Read(Vec<Key>),
    /// Nothing.
    Done(T),
    /// Nothing, since things are so already; `entry` tells of it as long as these heads are at these revs.
    Unchanged { outcome: T, entry: Key, heads: Vec<(String, u64)> },
    /// This.
    Commit(Proposal<T>),
}

/// A transaction that is yet to be sent.
#[derive(Debug)]
pub(super) struct Proposal<T> {
    pub actions: Vec<Action>,
    /// The logs that it depends on and the `rev` seen in the head of each, 0 for none: conditions of its actions, so
    /// that it can't land once one of them has moved.
    pub heads: Vec<(String, u64)>,
    /// The item that it puts where there must be none, and that carries `op`.
    pub slot: Key,
    /// The number of that slot, for people: a version or a revision.
    pub number: u64,
    /// The entry that tells of the outcome, in the log of the operation, and whether it was there already: what an
    /// idempotency key leads to.
    pub entry: Key,
    pub unchanged: bool,
    pub outcome: T,
}

/// A change of one package, as the protocol sees it.
pub(super) trait Operation: Sync {
    type Outcome: Clone + Send;

    fn package(&self) -> &PackageName;

    /// What is asked for, to notice an idempotency key that is used for something else.
    fn asked(&self) -> String;

    /// The log that its idempotency key belongs to.
    fn log(&self) -> String;

    /// What it decides on.
    fn reads(&self) -> Vec<Key>;

    /// Whether what it reads has to be one snapshot. Not needed where every item read is also acted on under a
    /// condition that fails if it has changed, and every verdict rests on one item.
    fn needs_snapshot(&self) -> bool;

    /// Where an earlier try that used this slot number may have put its entry.
    fn slots(&self, number: u64) -> Vec<Key>;

    /// Decides. Pure.
    fn plan(&self, seen: &Snapshot, context: &Context<'_>) -> Result<Plan<Self::Outcome>, Error>;

    /// The outcome that an entry in `seen` tells of, as [`Plan::Done`]; or [`Plan::Read`]. Pure.
    fn recall(
        &self,
        entry: &Key,
        unchanged: bool,
        seen: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Plan<Self::Outcome>, Error>;
}

/// What an operation with its idempotency key has to do. Pure.
pub(super) fn decide<O: Operation>(
    operation: &O,
    seen: &Snapshot,
    context: &Context<'_>,
) -> Result<Plan<O::Outcome>, Error> {
    if let Some((entry, unchanged)) = remembered(operation, seen, context)? {
        return recall(operation, &entry, unchanged, seen, context);
    }
    let plan = operation.plan(seen, context)?;
    let key = context.author.key.as_ref();
    Ok(match (plan, key) {
        (Plan::Unchanged { outcome, .. }, None) => Plan::Done(outcome),
        (Plan::Unchanged { outcome, entry, heads }, Some(key)) => {
            let check = |(log, rev): &(String, u64)| Action {
                key: items::head_key(log),
                condition: still_at(*rev),
                change: Change::Check,
            };
            let mut actions: Vec<_> = heads.iter().map(check).collect();
            let remember = idempotency::remember(operation, key, &entry, true, context);
            let slot = remember.key.clone();
            actions.push(remember);
            // With a key, no one is shown the number.
            Plan::Commit(Proposal { actions, heads, slot, number: 0, entry, unchanged: true, outcome })
        }
        (Plan::Commit(mut proposal), Some(key)) => {
            let Proposal { entry, unchanged, .. } = &proposal;
            let remember = idempotency::remember(operation, key, entry, *unchanged, context);
            proposal.actions.push(remember);
            Plan::Commit(proposal)
        }
        (plan, _) => plan,
    })
}

/// The outcome that an entry tells of, as [`Plan::Done`]; or [`Plan::Read`]. Pure.
pub(super) fn recall<O: Operation>(
    operation: &O,
    entry: &Key,
    unchanged: bool,
    seen: &Snapshot,
    context: &Context<'_>,
) -> Result<Plan<O::Outcome>, Error> {
    if seen.contains(entry) {
        operation.recall(entry, unchanged, seen, context)
    } else {
        Ok(Plan::Read(vec![entry.clone()]))
    }
}
