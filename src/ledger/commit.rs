//! How a change is committed: read, plan, one transaction, and finding out what became of it.
//!
//! Why it is right (`ARCHITECTURE.md` has the long form): every transaction advances the head of the log that it
//! writes, under the condition that the head's `rev` is the one seen, and puts its entry in a slot that must be
//! empty. So of all copies of all tries of one operation at most one can land; a copy that arrives late is inert as
//! soon as the head has moved; and whether one landed can be read from its slot, which carries the operation's `op`.

use super::{
    Author, Error, TableLedger,
    error::{Conflict, NotFound},
    items::{self, decode},
};
use crate::{
    fault::{Fault, FaultKind},
    model::{Key as IdempotencyKey, OpId, PackageName, Timestamp},
    retry::{Again, Pulse, Retry},
    table::{Action, Change, Item, Key, TransactError, Transaction},
};
use serde::de::DeserializeOwned;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};
use tokio::sync::Mutex;
use tracing::{debug, instrument};

/// How long finding out an unknown outcome may take, once the deadline has passed or a stop was requested.
const SETTLING: Duration = Duration::from_secs(10);

/// Items as they were read; `None` for one that was not there.
#[derive(Debug, Clone, Default)]
pub(super) struct Snapshot(BTreeMap<Key, Option<Item>>);

impl Snapshot {
    pub(super) fn new(keys: Vec<Key>, items: Vec<Option<Item>>) -> Self {
        Self(keys.into_iter().zip(items).collect())
    }

    /// The record at `key`. One that was not read counts as absent.
    pub(super) fn get<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, Error> {
        self.item(key).map(|item| decode(key, item)).transpose()
    }

    pub(super) fn insert(&mut self, key: Key, item: Option<Item>) {
        self.0.insert(key, item);
    }

    pub(super) fn contains(&self, key: &Key) -> bool {
        self.0.contains_key(key)
    }

    fn item(&self, key: &Key) -> Option<&Item> {
        self.0.get(key).and_then(Option::as_ref)
    }
}

/// What an operation's plans are made with.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub op: &'a OpId,
    pub author: &'a Author,
    pub now: Timestamp,
}

/// What has to be done, given what was read.
#[derive(Debug)]
pub(super) enum Plan<T> {
    /// Nothing.
    Done(T),
    /// Nothing: the outcome is an entry that is there already.
    Recall { entry: Key, unchanged: bool },
    /// This.
    Commit(Draft<T>),
}

/// A transaction that is yet to be sent.
#[derive(Debug)]
pub(super) struct Draft<T> {
    pub actions: Vec<Action>,
    /// The partition of the log whose head is advanced, or checked, under `rev = seen`.
    pub log: String,
    /// The `rev` seen in that head; 0 if there was none.
    pub rev: u64,
    /// The item that this transaction puts where there must be none, and that carries `op`.
    pub slot: Key,
    /// The number of that slot, for people: a version or a revision.
    pub number: u64,
    pub outcome: T,
}

/// A change of one package, as the protocol sees it.
pub(super) trait Operation: Sync {
    type Outcome: Clone + Send;

    fn package(&self) -> &PackageName;

    /// What it decides on.
    fn reads(&self) -> Vec<Key>;

    /// Whether what it reads has to be one snapshot. Not needed where every item read is also acted on under a
    /// condition that fails if it has changed.
    fn needs_snapshot(&self) -> bool;

    /// Where an earlier try that used this slot number may have put its entry.
    fn slots(&self, number: u64) -> Vec<Key>;

    /// Decides. Pure.
    fn plan(&self, seen: &Snapshot, context: &Context<'_>) -> Result<Plan<Self::Outcome>, Error>;

    /// The outcome that an entry of ours tells of.
    fn recall(&self, entry: &Key, item: &Item, unchanged: bool) -> Result<Self::Outcome, Error>;
}

/// A try of which it is not known whether it landed, or yet may.
#[derive(Debug, Clone)]
struct Pending {
    slot: Key,
    number: u64,
    log: String,
    /// The head's rev that it depends on; `None` if another process sent it.
    rev: Option<u64>,
}

/// Where a commit stands between two tries.
struct Progress<T> {
    /// What the next plan is made from, if it need not be read.
    carried: Option<Snapshot>,
    /// The transaction to send again as it is.
    resend: Option<(Draft<T>, Transaction, Snapshot, bool)>,
    pending: Vec<Pending>,
}

/// Why a try did not end the matter.
enum Stumble {
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
            Self::Lost { carried: false } => Again::Later,
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

impl TableLedger {
    /// The identity of an operation: a new one, or the one that is taken up again.
    pub(super) fn op_id(&self, author: &Author) -> OpId {
        match &author.key {
            Some(IdempotencyKey::Resume { op, .. }) => op.clone(),
            _ => OpId::from(self.patience().random()),
        }
    }

    /// Commits an operation, or finds out that it can't be. `seen` is what was read for it already, if anything.
    #[instrument(level = "debug", skip_all, fields(package = %operation.package()))]
    pub(super) async fn commit<O: Operation>(
        &self,
        operation: &O,
        author: &Author,
        op: &OpId,
        seen: Option<Snapshot>,
    ) -> Result<O::Outcome, Error> {
        let Some(_committing) = self.patience().stop().begin_commit() else {
            return Err(Error::Interrupted);
        };
        let mut pending = Vec::new();
        if let Some(IdempotencyKey::Resume { slot, .. }) = author.key {
            pending.extend(operation.slots(slot).into_iter().map(|key| Pending {
                log: key.pk.clone(),
                slot: key,
                number: slot,
                rev: None,
            }));
        }
        // What was read for a resumed operation did not look at its slot.
        let carried = seen.filter(|_| pending.is_empty());
        let progress = Mutex::new(Progress { carried, resend: None, pending });
        let attempt = || async { self.attempt(operation, author, op, &mut *progress.lock().await).await };
        let doing = format!("changing {}", operation.package());
        let result = self.patience().run_while(&Pulse::new(), &doing, attempt).await;
        let Err(stumble) = result else { return result.map_err(|_| unreachable!("it is Ok")) };
        let pending = progress.into_inner().pending;
        if !pending.is_empty() {
            match self.settle(operation, author, op, &pending).await {
                Ok(Some(outcome)) => return Ok(outcome),
                Ok(None) => {}
                Err(stumble) => return Err(unknown(author, op, &pending, stumble)),
            }
        }
        let stopped = self.patience().stop().is_requested();
        Err(match stumble {
            Stumble::Final(error) => error,
            Stumble::Fault(fault) if fault.kind.is_transient() && stopped => Error::Interrupted,
            Stumble::Fault(fault) => fault.into(),
            Stumble::Lost { .. } if stopped => Error::Interrupted,
            Stumble::Lost { .. } => Conflict::Contention(operation.package().clone()).into(),
        })
    }

    async fn attempt<O: Operation>(
        &self,
        operation: &O,
        author: &Author,
        op: &OpId,
        progress: &mut Progress<O::Outcome>,
    ) -> Result<O::Outcome, Stumble> {
        let (draft, transaction, snapshot, fresh) = if let Some(same) = progress.resend.take() {
            same
        } else {
            let carried = progress.carried.take();
            let fresh = carried.is_none();
            let snapshot = match carried {
                Some(snapshot) => snapshot,
                None => self.read_for(operation, &progress.pending).await?,
            };
            if let Some(outcome) = recognise(operation, op, &snapshot, &mut progress.pending)? {
                return Ok(outcome);
            }
            let draft = match operation.plan(&snapshot, &Context { op, author, now: self.now() })? {
                // With something pending, what was read may be its doing: `Final` has that settled first.
                Plan::Done(outcome) if progress.pending.is_empty() => return Ok(outcome),
                Plan::Done(outcome) => {
                    return self.settle_then(operation, author, op, progress, outcome).await;
                }
                Plan::Recall { entry, unchanged } => {
                    let item = self.table().get(&entry).await?;
                    let item = item.ok_or_else(|| Error::Damaged {
                        what: format!("the ledger's item {entry}"),
                        why: "it is missing, and an idempotency key tells of it".to_owned(),
                    })?;
                    return Ok(operation.recall(&entry, &item, unchanged)?);
                }
                Plan::Commit(draft) => draft,
            };
            let mut transaction = Transaction::new(OpId::from(self.patience().random()).to_string());
            for action in &draft.actions {
                transaction.push(action.clone());
            }
            (draft, transaction, snapshot, fresh)
        };
        match self.table().transact(&transaction).await {
            Ok(()) => Ok(draft.outcome),
            Err(TransactError::Refused(found)) => {
                let covered = covers(&transaction, &snapshot);
                let carried = fresh && covered && progress.pending.is_empty();
                if carried {
                    let mut snapshot = snapshot;
                    for (action, found) in transaction.actions().iter().zip(found) {
                        if let Some(item) = found.filter(|_| snapshot.contains(&action.key)) {
                            snapshot.insert(action.key.clone(), item);
                        }
                    }
                    progress.carried = Some(snapshot);
                }
                Err(Stumble::Lost { carried })
            }
            Err(TransactError::Fault(fault)) => {
                if fault.kind.is_ambiguous() && !progress.pending.iter().any(|p| p.slot == draft.slot) {
                    progress.pending.push(Pending {
                        slot: draft.slot.clone(),
                        number: draft.number,
                        log: draft.log.clone(),
                        rev: Some(draft.rev),
                    });
                }
                progress.resend = Some((draft, transaction, snapshot, fresh));
                Err(fault.into())
            }
        }
    }

    /// Nothing is left to be done, if an earlier try of our own can't land any more.
    async fn settle_then<O: Operation>(
        &self,
        operation: &O,
        author: &Author,
        op: &OpId,
        progress: &mut Progress<O::Outcome>,
        outcome: O::Outcome,
    ) -> Result<O::Outcome, Stumble> {
        let settled = self.settle(operation, author, op, &progress.pending).await?;
        progress.pending.clear();
        Ok(settled.unwrap_or(outcome))
    }

    async fn read_for<O: Operation>(&self, operation: &O, pending: &[Pending]) -> Result<Snapshot, Error> {
        let mut keys = operation.reads();
        for pending in pending {
            for key in [items::head_key(&pending.log), pending.slot.clone()] {
                if !keys.contains(&key) {
                    keys.push(key);
                }
            }
        }
        let items = if operation.needs_snapshot() || !pending.is_empty() {
            self.table().get_transact(&keys).await?
        } else {
            self.table().get_many(&keys).await?
        };
        let snapshot = Snapshot::new(keys, items);
        super::table_ledger::check_meta(snapshot.get(&items::meta_key())?.as_ref())?;
        Ok(snapshot)
    }

    /// Finds out what became of tries whose outcome is unknown: `Some` if one landed; `None` if it is certain that
    /// none did and none will. Makes it so by advancing the head where it has not moved. Takes at most [`SETTLING`].
    async fn settle<O: Operation>(
        &self,
        operation: &O,
        author: &Author,
        op: &OpId,
        pending: &[Pending],
    ) -> Result<Option<O::Outcome>, Stumble> {
        let doing = format!("finding out what became of a change of {}", operation.package());
        let patience = self.patience().for_settling(SETTLING);
        let settle = patience.run(&doing, || self.settle_once(operation, author, op, pending.to_vec()));
        tokio::time::timeout(SETTLING, settle).await.unwrap_or_else(|_| {
            Err(Fault::new(FaultKind::Unavailable, doing.clone(), "no answer in time").into())
        })
    }

    async fn settle_once<O: Operation>(
        &self,
        operation: &O,
        author: &Author,
        op: &OpId,
        mut pending: Vec<Pending>,
    ) -> Result<Option<O::Outcome>, Stumble> {
        let snapshot = self.read_for(operation, &pending).await?;
        if let Some(outcome) = recognise(operation, op, &snapshot, &mut pending)? {
            return Ok(Some(outcome));
        }
        if pending.is_empty() {
            return Ok(None);
        }
        let logs: BTreeSet<&String> = pending.iter().map(|pending| &pending.log).collect();
        for log in logs {
            debug!(log, "making sure that a late copy can't land");
            let fence = self.fence(log, operation.package(), author, &snapshot)?;
            match self.table().transact(&fence).await {
                Ok(()) => {}
                Err(TransactError::Refused(_)) => return Err(Stumble::Lost { carried: false }),
                Err(TransactError::Fault(fault)) => return Err(fault.into()),
            }
        }
        // Only now are the slots what they will be for ever.
        let snapshot = self.read_for(operation, &pending).await?;
        Ok(recognise(operation, op, &snapshot, &mut pending)?)
    }
}

/// Looks at the slots of pending tries: an entry of ours there is the outcome. A try is no longer pending when
/// its slot is another's or its head has moved on without it.
fn recognise<O: Operation>(
    operation: &O,
    op: &OpId,
    snapshot: &Snapshot,
    pending: &mut Vec<Pending>,
) -> Result<Option<O::Outcome>, Error> {
    for pending in &*pending {
        let Some(item) = snapshot.item(&pending.slot) else { continue };
        let ours = item.get("op").and_then(|value| value.as_str()) == Some(op.as_str());
        // The slot of an operation that changed nothing is its key item, which the plan knows how to read.
        if ours && !pending.slot.sk.starts_with("K#") {
            return operation.recall(&pending.slot, item, false).map(Some);
        }
    }
    let mut still = Vec::new();
    for pending in pending.drain(..) {
        let head: Option<Revision> = snapshot.get(&items::head_key(&pending.log))?;
        let moved = pending.rev.is_some_and(|rev| head.map_or(0, |head| head.rev) != rev);
        if !moved && snapshot.item(&pending.slot).is_none() {
            still.push(pending);
        }
    }
    *pending = still;
    Ok(None)
}

/// What both kinds of head have.
#[derive(serde::Deserialize)]
struct Revision {
    rev: u64,
}

/// Whether everything that was read is acted on, so that a refusal carries back whatever has changed of it.
fn covers(transaction: &Transaction, snapshot: &Snapshot) -> bool {
    let acted_on = |key: &Key| transaction.actions().iter().any(|action| action.key == *key);
    snapshot.0.keys().all(|key| *key == items::meta_key() || acted_on(key))
}

fn unknown(author: &Author, op: &OpId, pending: &[Pending], why: Stumble) -> Error {
    let key = match &author.key {
        Some(key) => key.clone(),
        None => IdempotencyKey::Resume { op: op.clone(), slot: pending[0].number },
    };
    let source = match why {
        Stumble::Final(error) => return error,
        Stumble::Fault(fault) => fault,
        Stumble::Lost { .. } => {
            Fault::new(FaultKind::Contended, "finding out what became of a change", why.to_string())
        }
    };
    Error::Unknown { key, source }
}

/// Puts the outcome of an operation under its idempotency key, if it has one of the caller's choice.
pub(super) fn remember(
    context: &Context<'_>,
    log: &str,
    request: &str,
    entry: &Key,
    unchanged: bool,
) -> Option<Action> {
    let Some(IdempotencyKey::Named(name)) = &context.author.key else { return None };
    let item = items::KeyItem {
        request: request.to_owned(),
        entry: entry.sk.clone(),
        unchanged,
        op: context.op.clone(),
    };
    Some(Action {
        key: items::idempotency_key(log, name),
        condition: crate::table::Condition::Absent,
        change: Change::Put(items::encode(&item)),
    })
}

/// The key item of an operation, if it has a key of the caller's choice.
pub(super) fn key_read(author: &Author, log: &str) -> Option<Key> {
    match &author.key {
        Some(IdempotencyKey::Named(name)) => Some(items::idempotency_key(log, name)),
        _ => None,
    }
}

/// What an earlier run with the same key made, if there was one.
///
/// # Errors
/// [`Conflict::Key`] if the key was used for another request.
pub(super) fn remembered<T>(
    seen: &Snapshot,
    author: &Author,
    log: &str,
    request: &str,
) -> Result<Option<Plan<T>>, Error> {
    let Some(IdempotencyKey::Named(name)) = &author.key else { return Ok(None) };
    let Some(item) = seen.get::<items::KeyItem>(&items::idempotency_key(log, name))? else { return Ok(None) };
    if item.request != request {
        return Err(Conflict::Key { key: name.clone(), first: item.request, now: request.to_owned() }.into());
    }
    Ok(Some(Plan::Recall { entry: Key::new(log, item.entry), unchanged: item.unchanged }))
}

/// What a missing version, or a missing package, is called.
pub(super) fn no_version(
    package: &PackageName,
    version: crate::model::Version,
    head: Option<&items::Head>,
) -> NotFound {
    match head.and_then(|head| crate::model::Version::try_from(head.n).ok()) {
        Some(last) => NotFound::Version { package: package.clone(), version, last },
        None => NotFound::Package(package.clone()),
    }
}
