//! Committing a change: read, plan, one transaction, and finding out its outcome.
//!
//! The argument for correctness (`ARCHITECTURE.md` has the long form): every transaction names the `rev` that it saw in
//! the head of each log that it depends on, and puts an entry that carries the operation's `op` in a slot that must be
//! empty. So of all copies of all attempts of one operation at most one can land; a copy that arrives late is inert as
//! soon as one of its heads has moved; and the slot shows whether one landed. [`settle`](super::settle) reads it.

use super::{
    attempt::{AttemptError, Commit},
    idempotency::decide,
    operation::{Operation, Proposal, Step, subject},
    pending::{Pending, carries},
};
use crate::{
    failpoint::reach,
    fault::FaultKind,
    ledger::{
        Author, Conflict, Error, TableLedger, schema,
        snapshot::{Snapshot, coverage::Sealed},
        table_ledger::READING,
    },
    model::{IdempotencyKey, OpId},
    retry::Heartbeat,
    table::{Found, Key, MAX_ACTIONS, TransactError, Transaction},
};
use std::{mem, ops::ControlFlow};
use tokio::sync::Mutex;
use tracing::instrument;

/// The keys that must be read together with those of the operation, and what was read.
type ReadAgain = (Vec<Key>, Box<Snapshot>);

impl TableLedger {
    pub(in crate::ledger) async fn commit<O: Operation>(
        &self,
        operation: &O,
        author: &Author,
    ) -> Result<O::Outcome, Error> {
        self.commit_or_dry_run(operation, author, false).await
    }

    /// Commits an operation, or only returns the outcome that it would have now.
    pub(in crate::ledger) async fn commit_or_dry_run<O: Operation>(
        &self,
        operation: &O,
        author: &Author,
        dry: bool,
    ) -> Result<O::Outcome, Error> {
        let op = self.op_id(author);
        let commit = Commit { ledger: self, operation, author, op: &op };
        if dry { self.retry_policy().run(READING, || commit.dry_run()).await } else { commit.run(None).await }
    }

    /// Returns the id of an operation: a new one, or the one that is resumed.
    pub(in crate::ledger) fn op_id(&self, author: &Author) -> OpId {
        match &author.key {
            Some(IdempotencyKey::Resume { op, .. }) => op.clone(),
            _ => OpId::from(self.retry_policy().random()),
        }
    }
}

/// The state between two attempts.
struct Progress<T> {
    next: Next<T>,
    /// The last attempt that may have landed or may still land. Never more than one: see [`propose`](Commit::propose).
    pending: Option<Pending>,
    /// True once a lost race was run again at once with what the refusal returned. Only the first one is: with many
    /// writers that data is stale on arrival, and an attempt that loses slows the others down.
    ran_again: bool,
    /// True once all tags were read to record in the head which are live. Done once, because it takes time.
    live_tags_read: bool,
}

/// The start of the next attempt.
enum Next<T> {
    Read,
    /// Plans with the items that were read before.
    Plan(Snapshot),
    /// Sends the same transaction again.
    Resend(Box<Sent<T>>),
}

struct Sent<T> {
    proposal: Proposal<T>,
    transaction: Sealed,
    snapshot: Snapshot,
}

/// A plan whose dependencies are checked.
enum Checked<T> {
    Send(Box<Sent<T>>),
    Answer(T),
}

/// The maximum number of reads in one attempt, when the result is not a consistent state.
const MAX_READS: usize = 5;

impl<O: Operation> Commit<'_, O> {
    /// Commits the operation, or returns why it can't be. `seen` holds the items that were read for it already, if any.
    #[instrument(name = "commit", level = "debug", skip_all, fields(package = %subject(self.operation)))]
    pub(in crate::ledger) async fn run(&self, seen: Option<Snapshot>) -> Result<O::Outcome, Error> {
        let retry_policy = self.ledger.retry_policy();
        let Some(_guard) = retry_policy.cancellation().begin_commit() else { return Err(Error::Interrupted) };
        let (heartbeat, doing) = (Heartbeat::new(), format!("changing {}", subject(self.operation)));
        let mut next = seen.map_or(Next::Read, Next::Plan);
        if let Some(IdempotencyKey::Resume { slot, .. }) = self.author.key {
            // The attempt of another process must be settled before there is another.
            let pending: Vec<_> = self.operation.slots(slot).into_iter().map(Pending::of_another).collect();
            match retry_policy.run_while(&heartbeat, &doing, || self.settle_once(&pending)).await {
                Ok(Some(outcome)) => return Ok(outcome),
                Ok(None) => next = Next::Read,
                Err(why) => return Err(self.unknown(slot, why)),
            }
        }
        let progress = Mutex::new(Progress { next, pending: None, ran_again: false, live_tags_read: false });
        let attempt = || async { self.attempt(&mut *progress.lock().await).await };
        let error = match retry_policy.run_while(&heartbeat, &doing, attempt).await {
            Ok(outcome) => return Ok(outcome),
            Err(error) => error,
        };
        if let Some(pending) = progress.into_inner().pending {
            match self.settle(&pending).await {
                Ok(Some(outcome)) => return Ok(outcome),
                Ok(None) => {}
                Err(why) => return Err(self.unknown(pending.number, why)),
            }
        }
        let stopped = retry_policy.cancellation().is_cancelled();
        Err(match error {
            AttemptError::Final(error) => error,
            AttemptError::Fault(fault) if fault.kind.is_transient() && stopped => Error::Interrupted,
            AttemptError::Lost { .. } if stopped => Error::Interrupted,
            // DynamoDB refuses a transaction that meets another one in progress, without deciding between them.
            AttemptError::Fault(fault) if fault.kind == FaultKind::Contended => self.contention(),
            AttemptError::Fault(fault) => fault.into(),
            AttemptError::Lost { .. } => self.contention(),
        })
    }

    fn contention(&self) -> Error {
        match self.operation.package() {
            Some(package) => Conflict::Contention(package.clone()).into(),
            None => Conflict::FreezeContention.into(),
        }
    }

    async fn attempt(&self, progress: &mut Progress<O::Outcome>) -> Result<O::Outcome, AttemptError> {
        let known = match mem::replace(&mut progress.next, Next::Read) {
            Next::Resend(sent) => return self.send(*sent, progress).await,
            Next::Plan(snapshot) => Some(snapshot),
            Next::Read => None,
        };
        match self.propose(known, progress).await? {
            ControlFlow::Continue(sent) => self.send(sent, progress).await,
            ControlFlow::Break(outcome) => Ok(outcome),
        }
    }

    async fn send(
        &self,
        sent: Sent<O::Outcome>,
        progress: &mut Progress<O::Outcome>,
    ) -> Result<O::Outcome, AttemptError> {
        reach("commit-planned");
        let answer = self.ledger.send(&sent.transaction).await;
        reach("commit-answered");
        match answer {
            Ok(()) => {
                self.ledger.report_clocks(&sent.proposal, &sent.snapshot).await;
                Ok(sent.proposal.outcome)
            }
            Err(TransactError::Refused(found)) => self.refused(sent, found, progress).await,
            Err(TransactError::Fault(fault)) => {
                if fault.kind.is_ambiguous() {
                    progress.pending = Some(Pending::of(&sent.proposal));
                }
                progress.next = Next::Resend(Box::new(sent));
                Err(fault.into())
            }
        }
    }

    /// Returns the transaction to send, or the outcome if there is nothing to send.
    async fn propose(
        &self,
        mut known: Option<Snapshot>,
        progress: &mut Progress<O::Outcome>,
    ) -> Result<ControlFlow<O::Outcome, Sent<O::Outcome>>, AttemptError> {
        let (mut more, mut at_once, mut earlier) = (Vec::new(), self.operation.reads_at_once(), None);
        for _ in 0..MAX_READS {
            let whole = known.is_none() && (at_once || progress.pending.is_some());
            let mut snapshot = match known.take() {
                Some(known) => known,
                None => self.read(progress.pending.as_ref(), &more, at_once).await?,
            };
            if let Some(earlier) = earlier.take() {
                snapshot.keep_entries(earlier);
            }
            if let Some(pending) = &progress.pending {
                if let Some(outcome) = self.recognise(pending, &snapshot).await? {
                    return Ok(ControlFlow::Break(outcome));
                }
                if pending.is_inert(&snapshot)? {
                    progress.pending = None;
                    if !snapshot.contains(&schema::meta_key()) {
                        continue;
                    }
                }
            }
            let mut plan = self.decide(&mut snapshot).await;
            if let Ok(Step::Commit(proposal)) = &mut plan {
                let read_tags = !mem::replace(&mut progress.live_tags_read, true);
                self.ledger.record_live_tags(&mut proposal.actions, &snapshot, read_tags).await;
            }
            match self.check_covered(plan, snapshot, whole) {
                Ok(checked) => return self.conclude(checked?, progress).await,
                // The items that were read do not cover this plan: all are read again, at one instant.
                Err((keys, read)) => {
                    (more, at_once) = (keys, true);
                    earlier = Some(*read);
                }
            }
        }
        Err(AttemptError::Lost { carried: false })
    }

    /// Checks that a change covers all that it was decided on, and that an answer depends on what was true at one
    /// instant; else returns the keys that must be read together with [`Operation::reads`], and what was read.
    ///
    /// If a change does not cover that although all was read at one instant (`whole`), the operation ends: see
    /// [`Sealed::or_stop`].
    fn check_covered(
        &self,
        plan: Result<Step<O::Outcome>, Error>,
        snapshot: Snapshot,
        whole: bool,
    ) -> Result<Result<Checked<O::Outcome>, Error>, ReadAgain> {
        let answer = match plan {
            Err(Error::Fault(fault)) => return Ok(Err(fault.into())),
            Ok(Step::Commit(proposal)) => {
                return match snapshot.seal(self.transaction(&proposal)) {
                    Ok(transaction) => {
                        Ok(Ok(Checked::Send(Box::new(Sent { proposal, transaction, snapshot }))))
                    }
                    Err(gap) if whole => Ok(Err(gap.stop())),
                    Err(_) => Err((Vec::new(), Box::new(snapshot))),
                };
            }
            Ok(Step::Done(outcome)) => Ok(Checked::Answer(outcome)),
            Ok(Step::Read(_) | Step::Unchanged { .. }) => {
                unreachable!("more was read, and an unchanged outcome is done or committed")
            }
            Err(error) => Err(error),
        };
        match snapshot.torn() {
            // No operation reads more items at once than fit.
            Some(keys) if self.keys(None, &keys).len() <= MAX_ACTIONS => Err((keys, Box::new(snapshot))),
            _ => Ok(answer),
        }
    }

    fn transaction(&self, proposal: &Proposal<O::Outcome>) -> Transaction {
        let mut transaction = Transaction::new(OpId::from(self.ledger.retry_policy().random()).to_string());
        for action in &proposal.actions {
            transaction.push(action.clone());
        }
        transaction
    }

    /// Returns the transaction to send next, once no attempt is pending that could land as well.
    async fn conclude(
        &self,
        checked: Checked<O::Outcome>,
        progress: &mut Progress<O::Outcome>,
    ) -> Result<ControlFlow<O::Outcome, Sent<O::Outcome>>, AttemptError> {
        match (checked, progress.pending.as_ref()) {
            (Checked::Send(sent), pending) if pending.is_none_or(|it| it.slot == sent.proposal.slot) => {
                Ok(ControlFlow::Continue(*sent))
            }
            (Checked::Answer(outcome), None) => Ok(ControlFlow::Break(outcome)),
            (checked, Some(pending)) => {
                // The state may come from an attempt that is still in progress, and two attempts must not both land.
                let settled = self.settle(pending).await?;
                progress.pending = None;
                match (settled, checked) {
                    (Some(outcome), _) | (None, Checked::Answer(outcome)) => Ok(ControlFlow::Break(outcome)),
                    (None, Checked::Send(_)) => Err(AttemptError::Lost { carried: false }),
                }
            }
            (Checked::Send(_), None) => unreachable!("nothing is pending"),
        }
    }

    /// Handles a refusal: it is a success if our own entry is in the slot; else there may be another attempt.
    async fn refused(
        &self,
        sent: Sent<O::Outcome>,
        found: Vec<Option<Found>>,
        progress: &mut Progress<O::Outcome>,
    ) -> Result<O::Outcome, AttemptError> {
        let Sent { proposal, transaction, mut snapshot } = sent;
        let found = transaction.actions().iter().map(|action| action.key.clone()).zip(found);
        let found: Vec<_> = found
            .filter_map(|(key, found)| Some((key, found?)))
            .filter(|(key, _)| *key == proposal.slot || snapshot.contains(key))
            .collect();
        snapshot.more(found);
        let pending = Pending::of(&proposal);
        if snapshot.item(&proposal.slot).is_some_and(|item| carries(item, self.op)) {
            // If reading the outcome fails, the next attempt finds the entry again.
            let landed = self.recognise(&pending, &snapshot).await;
            progress.pending = Some(pending);
            if let Some(outcome) = landed? {
                return Ok(outcome);
            }
        }
        let carried = !progress.ran_again && progress.pending.is_none() && self.carries_on(&snapshot);
        if carried {
            progress.ran_again = true;
            progress.next = Next::Plan(snapshot);
        }
        Err(AttemptError::Lost { carried })
    }

    /// Returns true if a plan from the snapshot, with the items that a refusal returned, would be covered: then nothing
    /// has to be read again.
    fn carries_on(&self, snapshot: &Snapshot) -> bool {
        match decide(self.operation, snapshot, &self.context()) {
            Ok(Step::Commit(proposal)) => snapshot.seal(self.transaction(&proposal)).is_ok(),
            Ok(Step::Read(_)) => true,
            _ => snapshot.torn().is_none(),
        }
    }
}
