//! Finding out what became of a try whose outcome is unknown.

use super::{
    Error,
    commit::{Commit, Stumble},
    items::{self, KeyItem},
    operation::{Moves, Operation, Proposal, Told},
    snapshot::{Record, Snapshot},
};
use crate::{
    fault::{Fault, FaultKind},
    model::OpId,
    table::{Item, Key, TransactError},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, time::Duration};
use tracing::debug;

/// How long finding out an unknown outcome may take, once the deadline has passed or a stop was requested.
const SETTLING: Duration = Duration::from_secs(10);

/// A try of which it is not known whether it landed, or yet may.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub slot: Key,
    pub number: u64,
    /// The logs that it depends on and the `rev` of each. Of another process' try only a log is known.
    heads: Vec<(String, Option<u64>)>,
}

impl Pending {
    pub(super) fn of<T>(proposal: &Proposal<T>) -> Self {
        let heads = proposal.heads.iter().map(|(log, rev)| (log.clone(), Some(*rev)));
        Self { slot: proposal.slot.clone(), number: proposal.number, heads: heads.collect() }
    }

    /// A try of another process that may have put its entry there.
    pub(super) fn of_another(slot: Key) -> Self {
        Self { heads: vec![(slot.pk.clone(), None)], slot, number: 0 }
    }

    /// Its slot, and the heads that say whether it may yet land.
    pub(super) fn reads(&self) -> Vec<Key> {
        let mut keys: Vec<_> = self.heads.iter().map(|(log, _)| items::head_key(log)).collect();
        keys.push(self.slot.clone());
        keys
    }

    /// Whether it can't land any more: its slot is another's, or a head has moved on without it.
    pub(super) fn is_inert(&self, seen: &Snapshot) -> Result<bool, Error> {
        if seen.item(&self.slot).is_some() {
            return Ok(true);
        }
        for (log, rev) in &self.heads {
            let head: Option<Revision> = seen.get(&items::head_key(log))?;
            if rev.is_some_and(|rev| head.map_or(0, |head| head.rev) != rev) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The log whose head is advanced so that it can't land any more.
    fn log(&self) -> &str {
        &self.heads[0].0
    }
}

/// What both kinds of head have.
#[derive(Deserialize, Serialize)]
pub(super) struct Revision {
    #[serde(deserialize_with = "items::revision")]
    pub rev: u64,
}

impl Record for Revision {
    const MARKS: &'static [&'static str] = &["rev"];
}

/// Whether an item was written by this operation.
pub(super) fn carries(item: &Item, op: &OpId) -> bool {
    item.get("op").and_then(|value| value.as_str()) == Some(op.as_str())
}

impl<O: Operation> Commit<'_, O> {
    /// The outcome of a pending try, if its slot shows that it landed.
    pub(super) async fn recognise(
        &self,
        pending: &Pending,
        seen: &Snapshot,
    ) -> Result<Option<O::Outcome>, Error> {
        let slot = &pending.slot;
        let Some(item) = seen.item(slot).filter(|item| carries(item, self.op)) else { return Ok(None) };
        let told = if items::is_idempotency_key(slot) {
            items::decode::<KeyItem>(slot, item)?.told(&slot.pk)
        } else {
            let (entry, op) = (slot.clone(), self.op.clone());
            Told { entry, op, unchanged: false, moves: Moves::new() }
        };
        self.recall(&told, seen.clone()).await.map(Some)
    }

    /// Finds out what became of a try: `Some` if it landed; `None` if it is certain that it did not and will not. Has
    /// time of its own, and only a stop at once ends it early.
    pub(super) async fn settle(&self, pending: &Pending) -> Result<Option<O::Outcome>, Stumble> {
        let doing = format!("finding out what became of a change of {}", self.operation.package());
        let patience = self.ledger.patience().for_settling(SETTLING);
        let pending = std::slice::from_ref(pending);
        let settle = patience.run(&doing, || self.settle_once(pending));
        let unknown = |why: &str| Err(Fault::new(FaultKind::Unavailable, doing.clone(), why).into());
        tokio::select! {
            biased;
            settled = tokio::time::timeout(SETTLING, settle) => {
                settled.unwrap_or_else(|_| unknown("no answer in time"))
            }
            () = self.ledger.patience().stop().insisted() => unknown("interrupted again"),
        }
    }

    /// One try to find out what became of tries, of which at most one can have landed.
    pub(super) async fn settle_once(&self, pending: &[Pending]) -> Result<Option<O::Outcome>, Stumble> {
        let table = self.ledger.table();
        // A fence is a change: a copy of the ledger is not fenced either.
        let keys: BTreeSet<Key> =
            pending.iter().flat_map(Pending::reads).chain([items::meta_key()]).collect();
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
                // Moved by someone else, which serves as well; or by the very copy.
                Err(TransactError::Refused(_)) => return Err(Stumble::Lost { carried: false }),
                Err(TransactError::Fault(fault)) => return Err(fault.into()),
            }
        }
        // Only now are the slots what they will be for ever.
        let seen = read().await?;
        for pending in open {
            if let Some(outcome) = self.recognise(pending, &seen).await? {
                return Ok(Some(outcome));
            }
        }
        Ok(None)
    }
}
