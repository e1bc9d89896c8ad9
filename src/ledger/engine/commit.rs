//! How a change is committed: read, plan, one transaction, and finding out what became of it.
//!
//! Why it is right (`ARCHITECTURE.md` has the long form): every transaction names the `rev` that it saw in the head of
//! each log that it depends on, and puts an entry that carries the operation's `op` in a slot that must be empty. So
//! of all copies of all tries of one operation at most one can land; a copy that arrives late is inert as soon as one
//! of its heads has moved; and whether one landed can be read from its slot. [`settle`](super::settle) does so.

use super::{
    attempt::{AttemptError, Commit},
    idempotency::decide,
    operation::{Operation, Proposal, Step},
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

impl TableLedger {
    pub(in crate::ledger) async fn commit<O: Operation>(
        &self,
        operation: &O,
        author: &Author,
    ) -> Result<O::Outcome, Error> {
        self.commit_or_dry_run(operation, author, false).await
    }

    /// Commits an operation; or only says what it would come to now.
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

    /// The identity of an operation: a new one, or the one that is taken up again.
    pub(in crate::ledger) fn op_id(&self, author: &Author) -> OpId {
        match &author.key {
            Some(IdempotencyKey::Resume { op, .. }) => op.clone(),
            _ => OpId::from(self.retry_policy().random()),
        }
    }
}

/// Where it stands between two tries.
struct Progress<T> {
    next: Next<T>,
    /// The last try of which it is not known whether it landed, or yet may. Only ever one: see
    /// [`propose`](Commit::propose).
    pending: Option<Pending>,
    /// Whether a lost race was run again at once with what the refusal brought. Only the first one: where many write,
    /// that goes stale on its way, and a try that loses is in the way of the others.
    ran_again: bool,
    /// Whether all tags were looked at already, to say in the head which are live. That is done once: it takes time.
    looked: bool,
}

/// What the next try begins with.
enum Next<T> {
    Read,
    /// Planning with what was read before.
    Plan(Snapshot),
    /// Sending the same transaction again.
    Resend(Box<Sent<T>>),
}

struct Sent<T> {
    proposal: Proposal<T>,
    transaction: Sealed,
    snapshot: Snapshot,
}

/// A plan that rests on what it may rest on.
enum Checked<T> {
    Send(Box<Sent<T>>),
    Answer(T),
}

/// How often one try reads again because what it read was no one state.
const LOOKS: usize = 5;

impl<O: Operation> Commit<'_, O> {
    /// Commits the operation, or finds out that it can't be. `seen` is what was read for it already, if anything.
    #[instrument(name = "commit", level = "debug", skip_all, fields(package = %self.operation.package()))]
    pub(in crate::ledger) async fn run(&self, seen: Option<Snapshot>) -> Result<O::Outcome, Error> {
        let retry_policy = self.ledger.retry_policy();
        let Some(_guard) = retry_policy.cancellation().begin_commit() else { return Err(Error::Interrupted) };
        let (heartbeat, doing) = (Heartbeat::new(), format!("changing {}", self.operation.package()));
        let mut next = seen.map_or(Next::Read, Next::Plan);
        if let Some(IdempotencyKey::Resume { slot, .. }) = self.author.key {
            // The try of another process has to be settled before there is another.
            let pending: Vec<_> = self.operation.slots(slot).into_iter().map(Pending::of_another).collect();
            match retry_policy.run_while(&heartbeat, &doing, || self.settle_once(&pending)).await {
                Ok(Some(outcome)) => return Ok(outcome),
                Ok(None) => next = Next::Read,
                Err(why) => return Err(self.unknown(slot, why)),
            }
        }
        let progress = Mutex::new(Progress { next, pending: None, ran_again: false, looked: false });
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
            // DynamoDB refuses what meets another transaction under way without deciding between them.
            AttemptError::Fault(fault) if fault.kind == FaultKind::Contended => self.contention(),
            AttemptError::Fault(fault) => fault.into(),
            AttemptError::Lost { .. } => self.contention(),
        })
    }

    fn contention(&self) -> Error {
        Conflict::Contention(self.operation.package().clone()).into()
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

    /// What to send, or the outcome if there is nothing to send.
    async fn propose(
        &self,
        mut known: Option<Snapshot>,
        progress: &mut Progress<O::Outcome>,
    ) -> Result<ControlFlow<O::Outcome, Sent<O::Outcome>>, AttemptError> {
        let (mut more, mut at_once) = (Vec::new(), self.operation.reads_at_once());
        for _ in 0..LOOKS {
            let whole = known.is_none() && (at_once || progress.pending.is_some());
            let mut snapshot = match known.take() {
                Some(known) => known,
                None => self.read(progress.pending.as_ref(), &more, at_once).await?,
            };
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
                let look = !mem::replace(&mut progress.looked, true);
                self.ledger.record_live_tags(&mut proposal.actions, &snapshot, look).await;
            }
            match self.check_covered(plan, snapshot, whole) {
                Ok(checked) => return self.conclude(checked?, progress).await,
                // What was read is no base for this: it is all read again, at one instant.
                Err(keys) => (more, at_once) = (keys, true),
            }
        }
        Err(AttemptError::Lost { carried: false })
    }

    /// Makes sure that a change covers all that it was decided on, and that an answer rests on what was true at one
    /// instant; else returns what has to be read together with [`Operation::reads`].
    ///
    /// Where a change does not cover that although all was read at one instant (`whole`), the operation ends: see
    /// [`Sealed::or_stop`].
    fn check_covered(
        &self,
        plan: Result<Step<O::Outcome>, Error>,
        snapshot: Snapshot,
        whole: bool,
    ) -> Result<Result<Checked<O::Outcome>, Error>, Vec<Key>> {
        let answer = match plan {
            Err(Error::Fault(fault)) => return Ok(Err(fault.into())),
            Ok(Step::Commit(proposal)) => {
                return match snapshot.seal(self.transaction(&proposal)) {
                    Ok(transaction) => {
                        Ok(Ok(Checked::Send(Box::new(Sent { proposal, transaction, snapshot }))))
                    }
                    Err(gap) if whole => Ok(Err(gap.stop())),
                    Err(_) => Err(Vec::new()),
                };
            }
            Ok(Step::Done(outcome)) => Ok(Checked::Answer(outcome)),
            Ok(Step::Read(_) | Step::Unchanged { .. }) => {
                unreachable!("more was read, and an unchanged outcome is done or committed")
            }
            Err(error) => Err(error),
        };
        match snapshot.torn() {
            // More than fits is more than any operation asks for at once.
            Some(keys) if self.keys(None, &keys).len() <= MAX_ACTIONS => Err(keys),
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

    /// What to send next, once nothing is pending that it could land beside.
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
                // What was read may be the doing of a try that is still under way, and it must not land beside another.
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

    /// A refusal is a success if it is our own entry that is in the way; else there may be another try.
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
            // Should the outcome have to be read, and that fail, the next try finds the entry again.
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

    /// Returns true if a plan from what was read, with what a refusal brought back, would be covered: then nothing has to
    /// be read again.
    fn carries_on(&self, snapshot: &Snapshot) -> bool {
        match decide(self.operation, snapshot, &self.context()) {
            Ok(Step::Commit(proposal)) => snapshot.seal(self.transaction(&proposal)).is_ok(),
            Ok(Step::Read(_)) => true,
            _ => snapshot.torn().is_none(),
        }
    }
}
