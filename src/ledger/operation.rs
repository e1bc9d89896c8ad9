//! A change as the protocol sees it: what it reads, and what it decides, as pure functions of what was read.

use super::{
    Author, Error,
    fence::still_at,
    idempotency::{self, remembered},
    items,
    snapshot::Snapshot,
    times::Now,
};
use crate::{
    model::{OpId, PackageName},
    table::{Action, Change, Key},
};
use std::collections::BTreeMap;

/// What an operation's plans are made with.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub op: &'a OpId,
    pub author: &'a Author,
    pub now: Now,
}

/// What has to be done, given what was read.
#[derive(Debug)]
pub(super) enum Plan<T> {
    /// More has to be read first: items that never change in what matters here.
    Read(Vec<Key>),
    /// Nothing.
    Done(T),
    /// Nothing, since things are so already; `entry` tells of it. With a key, that is recorded as long as the heads of
    /// these logs are as they were read, and the checks hold.
    Unchanged { outcome: T, entry: Key, moves: Moves, logs: Vec<String>, checks: Vec<Action> },
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
    /// See [`Told`].
    pub moves: Moves,
    pub outcome: T,
}

/// Which entry tells of each move of a plan: its rev in its package's tag log, by package and tag with a space between.
pub(super) type Moves = BTreeMap<String, u64>;

/// Where the outcome of an operation that was done earlier is told.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub entry: Key,
    /// The operation that came to it. An entry that carries another was there already.
    pub op: OpId,
    /// Whether nothing had to be changed, as far as `entry` goes.
    pub unchanged: bool,
    /// Of a plan: the entries of all its moves. Empty where `entry` itself names them, or is the only one.
    pub moves: Moves,
}

/// What a plan needs to know, or what has to be read to know it.
pub(super) enum Known<T> {
    Is(T),
    Read(Vec<Key>),
}

/// A change of one package, as the protocol sees it.
pub(super) trait Operation: Sync {
    type Outcome: Clone + Send;

    fn package(&self) -> &PackageName;

    /// What is asked for, to notice an idempotency key that is used for something else.
    fn asked(&self) -> String;

    /// The log that its idempotency key belongs to.
    fn log(&self) -> String;

    /// The items to read before it is planned.
    fn reads(&self) -> Vec<Key>;

    /// True if these are to be read at one instant from the start, which costs twice as much. A hint: it saves a request
    /// where a plan would else turn out not to be covered, and be read for again.
    fn reads_at_once(&self) -> bool;

    /// Where an earlier try that used this slot number may have put its entry.
    fn slots(&self, number: u64) -> Vec<Key>;

    /// Decides. Pure.
    fn plan(&self, seen: &Snapshot, context: &Context<'_>) -> Result<Plan<Self::Outcome>, Error>;

    /// The outcome that an entry in `seen` tells of, as [`Plan::Done`]; or [`Plan::Read`]. Pure.
    fn recall(
        &self,
        told: &Told,
        seen: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Plan<Self::Outcome>, Error>;
}

/// What an operation with its idempotency key has to do, and in `seen` what that rests on. Pure.
pub(super) fn decide<O: Operation>(
    operation: &O,
    seen: &Snapshot,
    context: &Context<'_>,
) -> Result<Plan<O::Outcome>, Error> {
    seen.begin();
    if let Some(told) = remembered(operation, seen, context)? {
        return recall(operation, &told, seen, context);
    }
    let plan = operation.plan(seen, context)?;
    let key = context.author.key.as_ref();
    match (plan, key) {
        (Plan::Unchanged { outcome, .. }, None) => Plan::Done(outcome),
        (Plan::Unchanged { outcome, entry, moves, logs, checks }, Some(key)) => {
            let heads = logs.into_iter().map(|log| Ok((seen.rev(&log)?, log)));
            let heads =
                heads.map(|head| head.map(|(rev, log)| (log, rev))).collect::<Result<Vec<_>, Error>>()?;
            let check = |(log, rev): &(String, u64)| Action {
                key: items::head_key(log),
                condition: still_at(*rev),
                change: Change::Check,
            };
            let mut actions: Vec<_> = heads.iter().map(check).chain(checks).collect();
            let told = Told { entry, op: context.op.clone(), unchanged: true, moves };
            let remember = idempotency::remember(operation, key, &told);
            let slot = remember.key.clone();
            actions.push(remember);
            let Told { entry, moves, .. } = told;
            // With a key, no one is shown the number.
            Plan::Commit(Proposal { actions, heads, slot, number: 0, entry, unchanged: true, moves, outcome })
        }
        (Plan::Commit(mut proposal), Some(key)) => {
            let told = Told {
                entry: proposal.entry.clone(),
                op: context.op.clone(),
                unchanged: proposal.unchanged,
                moves: proposal.moves.clone(),
            };
            proposal.actions.push(idempotency::remember(operation, key, &told));
            Plan::Commit(proposal)
        }
        (plan, _) => plan,
    }
    .writable(seen)
}

impl<T> Plan<T> {
    /// Passes on a plan whose changes this release may make, by what the items say that it changes and the ledger itself.
    fn writable(self, seen: &Snapshot) -> Result<Self, Error> {
        if let Self::Commit(proposal) = &self {
            let changed = proposal.actions.iter().filter(|action| action.change != Change::Check);
            let heads: Vec<_> = proposal.heads.iter().map(|(log, _)| items::head_key(log)).collect();
            let meta = items::meta_key();
            seen.check_writable(changed.map(|action| &action.key).chain(&heads).chain([&meta]))?;
        }
        Ok(self)
    }
}

/// The outcome that an entry tells of, as [`Plan::Done`]; or [`Plan::Read`]. Pure.
pub(super) fn recall<O: Operation>(
    operation: &O,
    told: &Told,
    seen: &Snapshot,
    context: &Context<'_>,
) -> Result<Plan<O::Outcome>, Error> {
    if seen.contains(&told.entry) {
        operation.recall(told, seen, context)
    } else {
        Ok(Plan::Read(vec![told.entry.clone()]))
    }
}
