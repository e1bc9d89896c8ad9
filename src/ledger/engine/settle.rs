//! Finding out the outcome of an attempt when it is unknown.

use super::{
    attempt::{AttemptError, Commit},
    operation::{Operation, OutcomeRef, subject},
    pending::{Pending, carries},
};
use crate::{
    fault::{Fault, FaultKind},
    ledger::{
        Error,
        schema::{self, KeyItem, PlanEntries},
        snapshot::Snapshot,
    },
    table::{Key, TransactError},
};
use std::{collections::BTreeSet, time::Duration};
use tracing::debug;

/// The time limit for finding out an unknown outcome, after the deadline has passed or a cancellation was requested.
const SETTLING: Duration = Duration::from_secs(10);

impl<O: Operation> Commit<'_, O> {
    /// Returns the outcome of a pending attempt, if its slot shows that it landed.
    pub(super) async fn recognise(
        &self,
        pending: &Pending,
        seen: &Snapshot,
    ) -> Result<Option<O::Outcome>, Error> {
        let slot = &pending.slot;
        let Some(item) = seen.item(slot).filter(|item| carries(item, self.op)) else { return Ok(None) };
        let reference = if schema::is_idempotency_key(slot) {
            schema::decode::<KeyItem>(slot, item)?.outcome_ref(&slot.pk)
        } else {
            let (entry, op) = (slot.clone(), self.op.clone());
            OutcomeRef { entry, op, unchanged: false, moves: PlanEntries::new() }
        };
        self.recall(&reference, seen.clone()).await.map(Some)
    }

    /// Finds out the outcome of an attempt: `Some` if it landed; `None` if it is certain that it did not and will not.
    /// Has its own time limit, and only an abort ends it early.
    pub(super) async fn settle(&self, pending: &Pending) -> Result<Option<O::Outcome>, AttemptError> {
        let doing = format!("finding out the outcome of a change of {}", subject(self.operation));
        let retry_policy = self.ledger.retry_policy().for_settlement(SETTLING);
        let pending = std::slice::from_ref(pending);
        let settle = retry_policy.run(&doing, || self.settle_once(pending));
        let unknown = |why: &str| Err(Fault::new(FaultKind::Unavailable, doing.clone(), why).into());
        tokio::select! {
            biased;
            settled = tokio::time::timeout(SETTLING, settle) => {
                settled.unwrap_or_else(|_| unknown("no answer in time"))
            }
            () = self.ledger.retry_policy().cancellation().aborted() => unknown("interrupted again"),
        }
    }

    /// Tries once to find out the outcome of attempts, of which at most one can have landed.
    pub(super) async fn settle_once(&self, pending: &[Pending]) -> Result<Option<O::Outcome>, AttemptError> {
        let table = self.ledger.table();
        // A fence is a change: a copy of the ledger is not fenced either.
        let keys: BTreeSet<Key> =
            pending.iter().flat_map(Pending::reads).chain([schema::meta_key()]).collect();
        let keys: Vec<Key> = keys.into_iter().collect();
        let read = || async {
            let items = table.get_transact(&keys).await?;
            Ok::<_, Fault>(Snapshot::new(keys.clone(), items, true))
        };
        let seen = read().await?;
        self.ledger.check_home(&seen).await?;
        let mut open = Vec::new();
        for pending in pending {
            if let Some(outcome) = self.recognise(pending, &seen).await? {
                return Ok(Some(outcome));
            }
            if !pending.is_inert(&seen)? {
                open.push(pending);
            }
        }
        if open.is_empty() {
            return Ok(None);
        }
        let logs: BTreeSet<&str> = open.iter().map(|pending| pending.log()).collect();
        for log in logs {
            debug!(log, "making sure that a late copy can't land");
            let fence = self.ledger.fence(log, self.author, &seen)?;
            match self.ledger.send(&fence).await {
                Ok(()) => {}
                // The head was moved by another writer, which has the same effect; or by the very copy.
                Err(TransactError::Refused(_)) => return Err(AttemptError::Lost { carried: false }),
                Err(TransactError::Fault(fault)) => return Err(fault.into()),
            }
        }
        // Only now are the slots final.
        let seen = read().await?;
        for pending in open {
            if let Some(outcome) = self.recognise(pending, &seen).await? {
                return Ok(Some(outcome));
            }
        }
        Ok(None)
    }
}
