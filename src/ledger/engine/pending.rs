//! An attempt with an unknown outcome.

use super::operation::Proposal;
use crate::{
    ledger::{
        Error,
        schema::{self, Revision},
        snapshot::Snapshot,
    },
    model::OpId,
    table::{Item, Key},
};

/// An attempt that may have landed, or may still land.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub slot: Key,
    pub number: u64,
    /// The logs that it depends on and the `rev` of each. For another process' attempt only a log is known.
    heads: Vec<(String, Option<u64>)>,
}

impl Pending {
    pub(super) fn of<T>(proposal: &Proposal<T>) -> Self {
        let heads = proposal.heads.iter().map(|(log, rev)| (log.clone(), Some(*rev)));
        Self { slot: proposal.slot.clone(), number: proposal.number, heads: heads.collect() }
    }

    /// Creates the attempt of another process that may have put its entry there.
    pub(super) fn of_another(slot: Key) -> Self {
        Self { heads: vec![(slot.pk.clone(), None)], slot, number: 0 }
    }

    /// Returns its slot, and the heads that show whether it can still land.
    pub(super) fn reads(&self) -> Vec<Key> {
        let mut keys: Vec<_> = self.heads.iter().map(|(log, _)| schema::head_key(log)).collect();
        keys.push(self.slot.clone());
        keys
    }

    /// Returns true if it can't land any more: its slot holds another entry, or a head has moved without it.
    pub(super) fn is_inert(&self, seen: &Snapshot) -> Result<bool, Error> {
        if seen.item(&self.slot).is_some() {
            return Ok(true);
        }
        for (log, rev) in &self.heads {
            let head: Option<Revision> = seen.get(&schema::head_key(log))?;
            if rev.is_some_and(|rev| head.map_or(0, |head| head.rev) != rev) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns the log whose head is advanced so that it can't land any more.
    pub(super) fn log(&self) -> &str {
        &self.heads[0].0
    }
}

/// Returns true if an item was written by this operation.
pub(super) fn carries(item: &Item, op: &OpId) -> bool {
    item.get("op").and_then(|value| value.as_str()) == Some(op.as_str())
}
