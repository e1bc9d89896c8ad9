//! The check that the facts a decision used still hold when it takes effect.
//!
//! A *change* takes effect when its transaction commits. Each fact that it was decided on must hold then:
//!
//! - the transaction acts on the item, under a condition that implies the fact; or
//! - the item belongs to a log, the transaction is conditional on the `rev` in the head of that log as it was read, and
//!   the item was read no earlier than that head. Every change of an item of a log advances its head, so the item is
//!   then as it was read. (Idempotency keys are put without that, so this does not hold for their absence.)
//!
//! An *answer* that changes nothing takes effect while it is being decided: all that it depends on must be true at one
//! instant. So it depends on one item, or on items of one transactional read.
//!
//! Facts that hold permanently once they are true are not recorded: entries never change, and labels and packages are
//! never removed.

use super::{
    Snapshot,
    facts::{Fact, Used, ensures},
};
use crate::{
    ledger::{Error, schema},
    table::{Action, Key, Table, TransactError, Transaction},
};
use std::{collections::BTreeSet, fmt};

/// A fact that was used and that a transaction does not cover.
#[derive(Debug)]
pub(in crate::ledger) struct Gap {
    key: Key,
    fact: Fact,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, fact } = self;
        write!(f, "a change depends on {key}, and its transaction does not check at the commit: {fact:?}")
    }
}

/// A transaction that covers all that it was decided on: the only kind that a ledger sends, except for repairs.
#[derive(Debug)]
pub(in crate::ledger) struct Sealed(Transaction);

impl Sealed {
    pub(in crate::ledger) fn actions(&self) -> &[Action] {
        self.0.actions()
    }

    /// Sends it, once.
    pub(in crate::ledger) async fn send(&self, table: &dyn Table) -> Result<(), TransactError> {
        table.transact(&self.0).await
    }

    /// Returns the transaction, or the error of a gap when reading again could not close it.
    ///
    /// # Errors
    /// See [`Gap::stop`].
    ///
    /// # Panics
    /// See [`Gap::stop`].
    pub(in crate::ledger) fn or_stop(sealed: Result<Self, Gap>) -> Result<Self, Error> {
        sealed.map_err(Gap::stop)
    }
}

impl Gap {
    /// Ends the operation before anything is sent. A gap is a bug in this program, or damage that it did not foresee.
    ///
    /// # Panics
    /// With debug assertions, as in all tests: there it is a bug.
    pub(in crate::ledger) fn stop(self) -> Error {
        debug_assert!(false, "{self}");
        self.into_error()
    }

    fn into_error(self) -> Error {
        let why = format!("or sacker {} has a bug: {self}; nothing was sent", env!("CARGO_PKG_VERSION"));
        Error::damaged(&self.key, why)
    }
}

impl Snapshot {
    /// Begins a decision: nothing was used for it yet.
    pub(in crate::ledger) fn begin(&self) {
        self.used().clear();
    }

    /// Checks that a transaction covers all that was used since [`begin`](Self::begin).
    pub(in crate::ledger) fn seal(&self, transaction: Transaction) -> Result<Sealed, Gap> {
        let used = self.used();
        let gap = used.iter().find(|used| !self.covers(&transaction, used));
        match gap {
            None => Ok(Sealed(schema::described(transaction))),
            Some(Used { key, fact, .. }) => Err(Gap { key: key.clone(), fact: fact.clone() }),
        }
    }

    /// Returns the items that an answer depends on, if they were not all read at one instant.
    pub(in crate::ledger) fn torn(&self) -> Option<Vec<Key>> {
        let used = self.used();
        let keys: BTreeSet<_> = used.iter().filter(|used| used.decides).map(|used| &used.key).collect();
        let reads: BTreeSet<_> = keys.iter().map(|key| self.items[*key].read).collect();
        let one = keys.len() < 2 || reads.len() == 1 && reads.iter().all(|read| self.reads[*read]);
        (!one).then(|| keys.into_iter().cloned().collect())
    }

    fn covers(&self, transaction: &Transaction, used: &Used) -> bool {
        let acted = |key: &Key| transaction.actions().iter().find(|action| action.key == *key);
        let Used { key, fact, .. } = used;
        let item = self.item(key);
        if acted(key).is_some_and(|action| ensures(&action.condition, fact, item)) {
            return true;
        }
        let head_key = schema::head_key(&key.pk);
        let (Some(head), Some(seen)) = (self.items.get(&head_key), self.items.get(key)) else { return false };
        let in_order = seen.read > head.read || seen.read == head.read && self.reads[seen.read];
        let still = head.item.as_ref().map_or(Fact::Absent, |_| Fact::Same(&["rev"]));
        in_order
            && schema::is_logged(key)
            && acted(&head_key).is_some_and(|action| ensures(&action.condition, &still, head.item.as_ref()))
    }
}

#[cfg(test)]
mod tests;
