//! Mutants of the protocol, as wrappers around a correct table: the product's own code is unchanged.

use super::network::Time;
use async_trait::async_trait;
use sacker::{
    fault::{Fault, FaultKind},
    model::Created,
    table::{Action, Change, Condition, Item, Key, Page, Query, Table, TransactError, Transaction},
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex},
};

/// A protection that is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// A blob that was collected is stored under the same address again.
    NoGeneration,
    /// A version is committed whatever has become of its blob.
    UnconditionalKeep,
    /// A head may be advanced by a client that has not seen it.
    NoRevision,
    /// A read may show the state before the last change.
    StaleReads,
    /// Reads that must be one snapshot are not.
    TornSnapshots,
    /// A resend has another identity than what was sent before.
    NewOpOnResend,
    /// One's own entry is not recognised.
    NoRecognition,
    /// The head is not advanced before an unanswered change is given up.
    NoFence,
    /// A missing answer is taken for "nothing was changed".
    LostMeansRefused,
    /// A key is not checked.
    NoKeys,
    /// A version is withdrawn without looking whether a tag was put on it meanwhile.
    NoTagCheck,
    /// A version is tagged without looking whether it was withdrawn meanwhile.
    NoActiveCheck,
    /// A tag is moved without looking whether it was frozen meanwhile.
    NoFreezeCheck,
    /// A freeze does not reach all movers.
    HalfTheReplicas,
    /// A tag is overwritten by a client that has not read it, under a head that is not checked.
    NoTagRevision,
    /// The gates that are kept with a tag are not seen.
    NoStandingGates,
    /// A recall moves its tags whatever has happened since they were read.
    UnconditionalRecall,
    /// A version comes back, and its blob does not count it.
    UncountedUndelete,
    /// The store's 409 is read as "it is there".
    ConflictMeansPresent,
    /// The collector deletes, and condemns afterwards.
    DeletesBeforeCondemning,
    /// The collector condemns what versions need.
    CollectorIgnoresRefs,
    /// An addition does not check whether the store was taken over.
    NoOwnerCheck,
    /// An adoption does not see the epoch of the store's owner.
    NoEpochOfOwner,
}

impl Mutant {
    /// Returns `true` if the client that adds has it, and the collector is correct.
    pub fn is_of_the_adder(self) -> bool {
        matches!(
            self,
            Self::NoGeneration | Self::UnconditionalKeep | Self::ConflictMeansPresent | Self::NoOwnerCheck
        )
    }

    /// Returns true if only runs with adoptions can notice it.
    pub fn is_of_adoption(self) -> bool {
        matches!(self, Self::NoOwnerCheck | Self::NoEpochOfOwner)
    }

    pub const ALL: [Self; 23] = [
        Self::NoGeneration,
        Self::UnconditionalKeep,
        Self::NoRevision,
        Self::StaleReads,
        Self::TornSnapshots,
        Self::NewOpOnResend,
        Self::NoRecognition,
        Self::NoFence,
        Self::LostMeansRefused,
        Self::NoKeys,
        Self::NoTagCheck,
        Self::NoActiveCheck,
        Self::NoFreezeCheck,
        Self::HalfTheReplicas,
        Self::NoTagRevision,
        Self::NoStandingGates,
        Self::UnconditionalRecall,
        Self::UncountedUndelete,
        Self::ConflictMeansPresent,
        Self::DeletesBeforeCondemning,
        Self::CollectorIgnoresRefs,
        Self::NoOwnerCheck,
        Self::NoEpochOfOwner,
    ];
}

/// The items before their last change.
pub type Before = Arc<Mutex<BTreeMap<Key, Option<Item>>>>;

/// A table with a protection taken away, between one client and its link.
pub struct Mutated {
    pub inner: Arc<dyn Table>,
    /// The table itself, without the network.
    raw: Arc<dyn Table>,
    pub mutant: Mutant,
    time: Arc<Time>,
    random: Mutex<fastrand::Rng>,
    /// For stale reads.
    before: Before,
    sent: Mutex<BTreeSet<String>>,
}

impl fmt::Debug for Mutated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.mutant)
    }
}

fn is_blob(key: &Key) -> bool {
    key.pk.starts_with("B#")
}

/// Returns true if a transaction records an event of this kind.
fn records(transaction: &Transaction, kind: &str) -> bool {
    let has = |action: &Action| match &action.change {
        Change::Put(item) => item.get("kind").is_some_and(|of| of == kind),
        _ => false,
    };
    transaction.actions().iter().any(has)
}

fn is_recall(transaction: &Transaction) -> bool {
    records(transaction, "yank") && transaction.actions().iter().any(|action| action.key.sk.starts_with("t#"))
}

/// A tag as if it had no gates.
fn without_gates(mut item: Item) -> Item {
    item.retain(|name, _| !["gates", "no_override"].contains(&name.as_str()));
    match item.get("protection").and_then(Value::as_str) {
        Some("gates") => drop(item.remove("protection")),
        Some(word) => {
            let word = word.trim_end_matches("-gates").to_owned();
            item.insert("protection".to_owned(), word.into());
        }
        None => {}
    }
    item
}

impl Mutated {
    /// `before` is shared by all clients: what is stale is so for each of them.
    pub fn new(
        (inner, raw): (Arc<dyn Table>, &Arc<dyn Table>),
        mutant: Mutant,
        before: &Before,
        time: &Arc<Time>,
        seed: u64,
    ) -> Self {
        let random = Mutex::new(fastrand::Rng::with_seed(seed));
        let (raw, before, time) = (Arc::clone(raw), Arc::clone(before), Arc::clone(time));
        Self { inner, raw, mutant, time, random, before, sent: Mutex::default() }
    }

    fn read(&self, key: &Key, item: Option<Item>) -> Option<Item> {
        match self.mutant {
            // Not the identity, whose absence is noticed at once: what is to be missed is the state of packages.
            Mutant::StaleReads if key.pk != "M" && self.random.lock().unwrap().bool() => {
                self.before.lock().unwrap().get(key).cloned().unwrap_or(item)
            }
            Mutant::NoRecognition => item.map(|mut item| {
                if let Some(op) = item.get_mut("op") {
                    *op = "0".repeat(32).into();
                }
                item
            }),
            Mutant::NoKeys if key.sk.starts_with("K#") => None,
            Mutant::NoStandingGates if key.sk.starts_with("t#") => item.map(without_gates),
            Mutant::NoGeneration if is_blob(key) => item.filter(|item| item["state"] == "kept"),
            _ => item,
        }
    }

    fn mutate(&self, action: &mut Action) {
        let head = action.key.sk == "H";
        let check = action.change == Change::Check;
        let free = match self.mutant {
            Mutant::NoRevision => head,
            Mutant::NoTagRevision => head && !check && action.key.pk.starts_with("T#"),
            Mutant::NoTagCheck => check && head && action.key.pk.starts_with("T#"),
            Mutant::NoFreezeCheck => check && action.key.pk.starts_with("F#"),
            Mutant::NoActiveCheck => check && action.key.sk.starts_with("V#"),
            Mutant::NoKeys => action.key.sk.starts_with("K#"),
            Mutant::UnconditionalKeep | Mutant::NoGeneration => is_blob(&action.key),
            _ => false,
        };
        let tag = matches!(self.mutant, Mutant::NoTagRevision | Mutant::NoStandingGates);
        if free || tag && action.key.sk.starts_with("t#") {
            action.condition = Condition::Always;
        }
    }

    /// Returns the items that a transaction is about to change, as they are.
    async fn doomed(&self, transaction: &Transaction) -> Vec<(Key, Option<Item>)> {
        let mut items = Vec::new();
        for action in transaction.actions().iter().filter(|action| action.change != Change::Check) {
            items.push((action.key.clone(), self.raw.get(&action.key).await.unwrap()));
        }
        items
    }

    /// Gives every entry another `op`.
    fn rename(&self, action: &mut Action) {
        if let Change::Put(item) = &mut action.change
            && let Some(op) = item.get_mut("op")
        {
            *op = Value::from(format!("{:032x}", self.time.tick()));
        }
    }
}

#[async_trait]
impl Table for Mutated {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    async fn home(&self) -> Result<Option<String>, Fault> {
        self.inner.home().await
    }

    async fn create(&self) -> Result<Created, Fault> {
        self.inner.create().await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        let items = self.inner.get_many(keys).await?;
        Ok(keys.iter().zip(items).map(|(key, item)| self.read(key, item)).collect())
    }

    async fn get_transact(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Fault> {
        if self.mutant == Mutant::TornSnapshots {
            return self.inner.get_many(keys).await;
        }
        let items = self.inner.get_transact(keys).await?;
        Ok(keys.iter().zip(items).map(|(key, item)| self.read(key, item)).collect())
    }

    async fn query(&self, query: &Query) -> Result<Page<String>, Fault> {
        self.inner.query(query).await
    }

    async fn scan(&self, after: Option<&Key>) -> Result<Page<Key>, Fault> {
        self.inner.scan(after).await
    }

    async fn transact(&self, transaction: &Transaction) -> Result<(), TransactError> {
        if self.mutant == Mutant::NoFence && records(transaction, "fence") {
            return Ok(());
        }
        let doomed = self.doomed(transaction).await;
        let again = !self.sent.lock().unwrap().insert(transaction.token().to_owned());
        let is_free = self.mutant == Mutant::UnconditionalRecall && is_recall(transaction);
        let is_left_out = |action: &Action| match self.mutant {
            Mutant::HalfTheReplicas => {
                action.change != Change::Check
                    && action.key.pk.starts_with("F#")
                    && action.key.pk.ends_with(['1', '3', '7'])
            }
            Mutant::UncountedUndelete => records(transaction, "undelete") && is_blob(&action.key),
            _ => false,
        };
        let mut mutated = Transaction::new(transaction.token().to_owned());
        for action in transaction.actions().iter().filter(|action| !is_left_out(action)) {
            let mut action = action.clone();
            self.mutate(&mut action);
            if is_free && action.change != Change::Check {
                action.condition = Condition::Always;
            }
            if again && self.mutant == Mutant::NewOpOnResend {
                self.rename(&mut action);
            }
            mutated.push(action);
        }
        match self.inner.transact(&mutated).await {
            Ok(()) => {
                self.before.lock().unwrap().extend(doomed);
                Ok(())
            }
            Err(TransactError::Refused(found)) => {
                let keys = transaction.actions().iter().map(|action| &action.key);
                let found = keys.zip(found).map(|(key, found)| found.map(|item| self.read(key, item)));
                Err(TransactError::Refused(found.collect()))
            }
            Err(TransactError::Fault(fault))
                if self.mutant == Mutant::LostMeansRefused && fault.kind == FaultKind::Unavailable =>
            {
                Err(Fault { kind: FaultKind::Throttled, ..fault }.into())
            }
            Err(fault) => Err(fault),
        }
    }
}
