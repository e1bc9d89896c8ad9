//! One operation before its commit: reading the items that it depends on, and deciding.

use super::{
    idempotency::{decide, recall},
    operation::{Context, Operation, OutcomeRef, Step, subject},
    pending::Pending,
};
use crate::{
    fault::{Fault, FaultKind},
    ledger::{Author, Error, TableLedger, schema, snapshot::Snapshot, table_ledger::READING},
    model::{IdempotencyKey, OpId},
    retry::{RetryHint, Retryable},
    table::{Key, MAX_ACTIONS},
};
use std::fmt;

/// One operation that is to be committed.
pub(in crate::ledger) struct Commit<'a, O> {
    pub ledger: &'a TableLedger,
    pub operation: &'a O,
    pub author: &'a Author,
    pub op: &'a OpId,
}

/// The reason why an attempt did not conclude the operation.
pub(in crate::ledger) enum AttemptError {
    /// Another writer was first; `carried` is true if the refusal returned what the next attempt needs.
    Lost {
        carried: bool,
    },
    Fault(Fault),
    /// The final error, to be returned as soon as no attempt is pending.
    Final(Error),
}

impl fmt::Display for AttemptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { .. } => f.write_str("another writer was first"),
            Self::Fault(fault) => write!(f, "{fault}: {}", fault.source),
            Self::Final(error) => error.fmt(f),
        }
    }
}

impl Retryable for AttemptError {
    fn retry_hint(&self) -> RetryHint {
        match self {
            Self::Lost { carried: true } => RetryHint::Now,
            Self::Lost { carried: false } => RetryHint::Soon,
            Self::Fault(fault) => fault.retry_hint(),
            Self::Final(_) => RetryHint::Never,
        }
    }
}

impl From<Error> for AttemptError {
    fn from(error: Error) -> Self {
        match error {
            Error::Fault(fault) => Self::Fault(fault),
            other => Self::Final(other),
        }
    }
}

impl From<Fault> for AttemptError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl<O: Operation> Commit<'_, O> {
    /// Returns the plan for what was read. If an error depends on reads at different instants, reads again at one
    /// instant and decides again.
    pub(in crate::ledger) async fn expect(&self, seen: &mut Snapshot) -> Result<Step<O::Outcome>, Error> {
        let plan = decide(self.operation, seen, &self.context());
        if plan.is_ok() || seen.torn().is_none() {
            return plan;
        }
        let keys = self.operation.reads();
        *seen = self.ledger.retry_policy().run(READING, || self.ledger.read_once(keys.clone(), true)).await?;
        decide(self.operation, seen, &self.context())
    }

    /// Returns the outcome that the operation would have now. Changes nothing.
    pub(in crate::ledger) async fn dry_run(&self) -> Result<O::Outcome, Error> {
        let mut snapshot = self.read(None, &[], self.operation.reads_at_once()).await?;
        Ok(match self.decide(&mut snapshot).await? {
            Step::Done(outcome) | Step::Unchanged { outcome, .. } => outcome,
            Step::Commit(proposal) => proposal.outcome,
            Step::Read(_) => unreachable!("more was read"),
        })
    }

    pub(in crate::ledger) fn context(&self) -> Context<'_> {
        Context {
            op: self.op,
            author: self.author,
            now: self.ledger.now(),
            replica: self.operation.package().map(schema::replica_of),
        }
    }

    pub(super) async fn decide(&self, snapshot: &mut Snapshot) -> Result<Step<O::Outcome>, Error> {
        let context = self.context();
        self.reading(snapshot, |seen| decide(self.operation, seen, &context)).await
    }

    /// Returns the outcome that an entry records.
    pub(super) async fn recall(
        &self,
        reference: &OutcomeRef,
        mut snapshot: Snapshot,
    ) -> Result<O::Outcome, Error> {
        let context = self.context();
        let plan = self.reading(&mut snapshot, |seen| recall(self.operation, reference, seen, &context));
        match plan.await? {
            Step::Done(outcome) => Ok(outcome),
            _ => unreachable!("recalling an entry only reads"),
        }
    }

    /// Decides, and reads more items until the decision needs none.
    async fn reading<T>(
        &self,
        snapshot: &mut Snapshot,
        decide: impl Fn(&Snapshot) -> Result<Step<T>, Error>,
    ) -> Result<Step<T>, Error> {
        loop {
            let keys = match decide(snapshot)? {
                Step::Read(keys) => keys,
                plan => return Ok(plan),
            };
            // Items that are present stay as they were read, perhaps at one instant with others.
            let keys: Vec<_> = keys.into_iter().filter(|key| !snapshot.contains(key)).collect();
            let items = self.ledger.get_items(&keys).await?;
            snapshot.more(keys.into_iter().zip(items));
        }
    }

    pub(super) async fn read(
        &self,
        pending: Option<&Pending>,
        more: &[Key],
        at_once: bool,
    ) -> Result<Snapshot, Error> {
        // A slot is evidence only if its heads were read no later.
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

    pub(in crate::ledger) fn unknown(&self, slot: u64, why: AttemptError) -> Error {
        let key =
            self.author.key.clone().unwrap_or_else(|| IdempotencyKey::Resume { op: self.op.clone(), slot });
        let doing = format!("finding out the outcome of a change of {}", subject(self.operation));
        let source = match why {
            AttemptError::Fault(fault) => fault,
            AttemptError::Lost { .. } => Fault::new(FaultKind::Contended, doing, why.to_string()),
            // The key belongs to another request, or the table is a copy: nothing about this operation is unknown.
            AttemptError::Final(error @ (Error::Conflict(_) | Error::Copy { .. })) => return error,
            AttemptError::Final(error) => Fault::new(FaultKind::Corrupt, doing, error),
        };
        Error::Unknown { key, source }
    }
}
