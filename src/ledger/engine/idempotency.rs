//! Idempotency keys: an operation's outcome is stored under its key, in the same transaction.

use super::operation::{Context, Operation, OutcomeRef, Proposal, Step};
use crate::{
    ledger::{
        Author, Conflict, Error,
        schema::{self, KeyItem, still_at},
        snapshot::Snapshot,
    },
    model::IdempotencyKey,
    table::{Action, Change, Condition, Key},
};

/// Decides what an operation with its idempotency key must do, and records in `seen` what that depends on. Pure.
pub(in crate::ledger) fn decide<O: Operation>(
    operation: &O,
    seen: &Snapshot,
    context: &Context<'_>,
) -> Result<Step<O::Outcome>, Error> {
    seen.begin();
    if let Some(reference) = remembered(operation, seen, context)? {
        return recall(operation, &reference, seen, context);
    }
    let plan = operation.plan(seen, context)?;
    let key = context.author.key.as_ref();
    match (plan, key) {
        (Step::Unchanged { outcome, .. }, None) => Step::Done(outcome),
        (Step::Unchanged { outcome, entry, moves, logs, checks }, Some(key)) => {
            let heads = logs.into_iter().map(|log| Ok((seen.rev(&log)?, log)));
            let heads =
                heads.map(|head| head.map(|(rev, log)| (log, rev))).collect::<Result<Vec<_>, Error>>()?;
            let check = |(log, rev): &(String, u64)| Action {
                key: schema::head_key(log),
                condition: still_at(*rev),
                change: Change::Check,
            };
            let mut actions: Vec<_> = heads.iter().map(check).chain(checks).collect();
            let reference = OutcomeRef { entry, op: context.op.clone(), unchanged: true, moves };
            let remember = remember(operation, key, &reference);
            let slot = remember.key.clone();
            actions.push(remember);
            let OutcomeRef { entry, moves, .. } = reference;
            // With a key, the number is not shown to anyone.
            Step::Commit(Proposal { actions, heads, slot, number: 0, entry, unchanged: true, moves, outcome })
        }
        (Step::Commit(mut proposal), Some(key)) => {
            let reference = OutcomeRef {
                entry: proposal.entry.clone(),
                op: context.op.clone(),
                unchanged: proposal.unchanged,
                moves: proposal.moves.clone(),
            };
            proposal.actions.push(remember(operation, key, &reference));
            Step::Commit(proposal)
        }
        (plan, _) => plan,
    }
    .writable(seen)
}

impl<T> Step<T> {
    /// Returns the plan if this release may make its changes, by what the ledger and the changed items say.
    fn writable(self, seen: &Snapshot) -> Result<Self, Error> {
        if let Self::Commit(proposal) = &self {
            let changed = proposal.actions.iter().filter(|action| action.change != Change::Check);
            let heads: Vec<_> = proposal.heads.iter().map(|(log, _)| schema::head_key(log)).collect();
            let meta = schema::meta_key();
            seen.check_writable(changed.map(|action| &action.key).chain(&heads).chain([&meta]))?;
        }
        Ok(self)
    }
}

/// Returns the outcome that an entry records, as [`Step::Done`]; or [`Step::Read`]. Pure.
pub(in crate::ledger) fn recall<O: Operation>(
    operation: &O,
    reference: &OutcomeRef,
    seen: &Snapshot,
    context: &Context<'_>,
) -> Result<Step<O::Outcome>, Error> {
    if seen.contains(&reference.entry) {
        operation.recall(reference, seen, context)
    } else {
        Ok(Step::Read(vec![reference.entry.clone()]))
    }
}

impl KeyItem {
    /// Returns the reference that the key holds, in its log.
    pub(in crate::ledger) fn outcome_ref(self, log: &str) -> OutcomeRef {
        let Self { entry, unchanged, moves, op, .. } = self;
        OutcomeRef { entry: Key::new(log, entry), op, unchanged, moves }
    }
}

/// Returns the action that stores an outcome under its key.
///
/// A key `OP@SLOT` is stored as well: the slot records only the first run, and a later run may have used another slot.
pub(in crate::ledger) fn remember<O: Operation>(
    operation: &O,
    key: &IdempotencyKey,
    reference: &OutcomeRef,
) -> Action {
    let OutcomeRef { entry, op, unchanged, moves } = reference.clone();
    let item = KeyItem { request: operation.request_text(), entry: entry.sk, unchanged, moves, op };
    Action {
        key: schema::idempotency_key(&operation.log(), key),
        condition: Condition::Absent,
        change: Change::Put(schema::encode(&item)),
    }
}

/// Returns the key under which an operation's outcome is stored, if it has one.
pub(in crate::ledger) fn key_read(author: &Author, log: &str) -> Option<Key> {
    author.key.as_ref().map(|key| schema::idempotency_key(log, key))
}

/// Returns the outcome of an earlier run with the same key, if there was one.
///
/// # Errors
/// [`Conflict::Key`] if the key was used for another request.
pub(in crate::ledger) fn remembered<O: Operation>(
    operation: &O,
    seen: &Snapshot,
    context: &Context<'_>,
) -> Result<Option<OutcomeRef>, Error> {
    let log = operation.log();
    let Some(key) = key_read(context.author, &log) else { return Ok(None) };
    let Some(item) = seen.get::<KeyItem>(&key)? else { return Ok(None) };
    if item.request != operation.request_text() {
        return Err(used_for(item.request, operation, context));
    }
    Ok(Some(item.outcome_ref(&log)))
}

/// Returns the error for a key that was used for another request.
pub(in crate::ledger) fn used_for<O: Operation>(
    first: String,
    operation: &O,
    context: &Context<'_>,
) -> Error {
    let key = context.author.key.as_ref().map(ToString::to_string).unwrap_or_default();
    Conflict::Key { key, first: readable(first), now: readable(operation.request_text()) }.into()
}

/// Shortens a recorded request: shows only the beginning of the sha256 of a file or a plan.
fn readable(request: String) -> String {
    const SHOWN: usize = 8;
    let (what, of) = match request.rsplit_once(' ') {
        Some((what @ "add", sha256)) => (format!("{what} FILE"), sha256),
        Some((what @ ("apply" | "apply --undo"), sha256)) => (format!("{what} PLAN"), sha256),
        _ => return request,
    };
    format!("{what} (sha256 {}…)", of.get(..SHOWN).unwrap_or(of))
}
