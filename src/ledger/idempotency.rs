//! Idempotency keys: the outcome of an operation is kept under its key, in the same transaction.

use super::{
    Author, Error,
    error::Conflict,
    items::{self, KeyItem},
    operation::{Context, Operation, Told},
    snapshot::Snapshot,
};
use crate::{
    model::Key as IdempotencyKey,
    table::{Action, Change, Condition, Key},
};

/// The action that keeps an outcome under its key.
///
/// A key `OP@SLOT` is kept as well: the slot tells of the first run alone, and a later run may have used another.
pub(super) fn remember<O: Operation>(operation: &O, key: &IdempotencyKey, told: &Told) -> Action {
    let Told { entry, op, unchanged, moves } = told.clone();
    let item = KeyItem { request: operation.asked(), entry: entry.sk, unchanged, moves, op };
    Action {
        key: items::idempotency_key(&operation.log(), key),
        condition: Condition::Absent,
        change: Change::Put(items::encode(&item)),
    }
}

/// Where an operation's outcome is kept, if it has a key.
pub(super) fn key_read(author: &Author, log: &str) -> Option<Key> {
    author.key.as_ref().map(|key| items::idempotency_key(log, key))
}

/// What an earlier run with the same key came to, if there was one.
///
/// # Errors
/// [`Conflict::Key`] if the key was used for another request.
pub(super) fn remembered<O: Operation>(
    operation: &O,
    seen: &Snapshot,
    context: &Context<'_>,
) -> Result<Option<Told>, Error> {
    let log = operation.log();
    let Some(key) = key_read(context.author, &log) else { return Ok(None) };
    let Some(item) = seen.get::<KeyItem>(&key)? else { return Ok(None) };
    if item.request != operation.asked() {
        return Err(used_for(item.request, operation, context));
    }
    Ok(Some(item.told(&log)))
}

/// The operation's key was used for something else.
pub(super) fn used_for<O: Operation>(first: String, operation: &O, context: &Context<'_>) -> Error {
    let key = context.author.key.as_ref().map(ToString::to_string).unwrap_or_default();
    Conflict::Key { key, first: readable(first), now: readable(operation.asked()) }.into()
}

/// A request as it is recorded; of the sha256 of a file or a plan, only the beginning.
fn readable(request: String) -> String {
    const SHOWN: usize = 8;
    let (what, of) = match request.rsplit_once(' ') {
        Some((what @ "add", sha256)) => (format!("{what} FILE"), sha256),
        Some((what @ ("apply" | "apply --undo"), sha256)) => (format!("{what} PLAN"), sha256),
        _ => return request,
    };
    format!("{what} (sha256 {}…)", of.get(..SHOWN).unwrap_or(of))
}
