//! One operation on its way to being committed: reading what it is decided on, and deciding.

use super::{
    idempotency::{decide, recall},
    operation::{Context, Operation, Plan, Told},
    pending::Pending,
};
use crate::{
    fault::{Fault, FaultKind},
    ledger::{Author, Error, TableLedger, schema, snapshot::Snapshot, table_ledger::READING},
    model::{Key as IdempotencyKey, OpId},
    retry::{Again, Retry},
    table::{Key, MAX_ACTIONS},
};
use std::fmt;

/// One operation on its way to being committed.
pub(in crate::ledger) struct Commit<'a, O> {
    pub ledger: &'a TableLedger,
    pub operation: &'a O,
    pub author: &'a Author,
    pub op: &'a OpId,
}

/// Why a try did not end the matter.
pub(super) enum Stumble {
    /// Someone else was first; `carried` says whether the refusal brought what the next try needs.
    Lost {
        carried: bool,
    },
    Fault(Fault),
    /// The end of the matter, as soon as nothing is pending.
    Final(Error),
}

impl fmt::Display for Stumble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { .. } => f.write_str("someone else was first"),
            Self::Fault(fault) => write!(f, "{fault}: {}", fault.source),
            Self::Final(error) => error.fmt(f),
        }
    }
}

impl Retry for Stumble {
    fn again(&self) -> Again {
        match self {
            Self::Lost { carried: true } => Again::Now,
            Self::Lost { carried: false } => Again::Soon,
            Self::Fault(fault) => fault.again(),
            Self::Final(_) => Again::Never,
        }
    }
}

impl From<Error> for Stumble {
    fn from(error: Error) -> Self {
        match error {
            Error::Fault(fault) => Self::Fault(fault),
            other => Self::Final(other),
        }
    }
}

impl From<Fault> for Stumble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl<O: Operation> Commit<'_, O> {
    /// The plan from what was read for it. An error that rests on no one state is decided on again, in one.
    pub(in crate::ledger) async fn expect(&self, seen: &mut Snapshot) -> Result<Plan<O::Outcome>, Error> {
        let plan = decide(self.operation, seen, &self.context());
        if plan.is_ok() || seen.torn().is_none() {
            return plan;
        }
        let keys = self.operation.reads();
        *seen = self.ledger.patience().run(READING, || self.ledger.read_once(keys.clone(), true)).await?;
        decide(self.operation, seen, &self.context())
    }

    /// What it would come to now. Changes nothing.
    pub(in crate::ledger) async fn foresee(&self) -> Result<O::Outcome, Error> {
        let mut snapshot = self.read(None, &[], self.operation.reads_at_once()).await?;
        Ok(match self.decide(&mut snapshot).await? {
            Plan::Done(outcome) | Plan::Unchanged { outcome, .. } => outcome,
            Plan::Commit(proposal) => proposal.outcome,
            Plan::Read(_) => unreachable!("more was read"),
        })
    }

    pub(in crate::ledger) fn context(&self) -> Context<'_> {
        Context { op: self.op, author: self.author, now: self.ledger.now() }
    }

    pub(super) async fn decide(&self, snapshot: &mut Snapshot) -> Result<Plan<O::Outcome>, Error> {
        let context = self.context();
        self.reading(snapshot, |seen| decide(self.operation, seen, &context)).await
    }

    /// The outcome that an entry tells of.
    pub(super) async fn recall(&self, told: &Told, mut snapshot: Snapshot) -> Result<O::Outcome, Error> {
        let context = self.context();
        let plan = self.reading(&mut snapshot, |seen| recall(self.operation, told, seen, &context));
        match plan.await? {
            Plan::Done(outcome) => Ok(outcome),
            _ => unreachable!("an entry is recalled by reading alone"),
        }
    }

    /// Decides, reading what more it takes.
    async fn reading<T>(
        &self,
        snapshot: &mut Snapshot,
        decide: impl Fn(&Snapshot) -> Result<Plan<T>, Error>,
    ) -> Result<Plan<T>, Error> {
        loop {
            let keys = match decide(snapshot)? {
                Plan::Read(keys) => keys,
                plan => return Ok(plan),
            };
            // What is there stays as it was read: at one instant with others, perhaps.
            let keys: Vec<_> = keys.into_iter().filter(|key| !snapshot.contains(key)).collect();
            let items = self.ledger.table().get_many(&keys).await?;
            snapshot.more(keys.into_iter().zip(items));
        }
    }

    pub(super) async fn read(
        &self,
        pending: Option<&Pending>,
        more: &[Key],
        at_once: bool,
    ) -> Result<Snapshot, Error> {
        // A slot tells nothing unless its heads were read no later.
        let seen = self.ledger.read_once(self.keys(pending, more), at_once || pending.is_some()).await?;
        self.ledger.check_home(&seen).await?;
        Ok(seen)
    }

    pub(super) fn keys(&self, pending: Option<&Pending>, more: &[Key]) -> Vec<Key> {
        let mut keys = self.operation.reads();
        for key in pending.into_iter().flat_map(Pending::reads).chain(more.iter().cloned()) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        if pending.is_some() && keys.len() > MAX_ACTIONS {
            // The slot takes the place of the ledger's identity, without which nothing new is sent.
            keys.retain(|key| *key != schema::meta_key());
        }
        keys
    }

    pub(super) fn unknown(&self, slot: u64, why: Stumble) -> Error {
        let key =
            self.author.key.clone().unwrap_or_else(|| IdempotencyKey::Resume { op: self.op.clone(), slot });
        let doing = format!("finding out what became of a change of {}", self.operation.package());
        let source = match why {
            Stumble::Fault(fault) => fault,
            Stumble::Lost { .. } => Fault::new(FaultKind::Contended, doing, why.to_string()),
            // The key is another operation's, or the ledger is another: nothing is unknown of this one.
            Stumble::Final(error @ (Error::Conflict(_) | Error::Copy { .. })) => return error,
            Stumble::Final(error) => Fault::new(FaultKind::Corrupt, doing, error),
        };
        Error::Unknown { key, source }
    }
}
