//! A change as the protocol sees it: what it reads, and what it decides, as pure functions of what was read.

use crate::{
    ledger::{Author, Error, clock::Now, schema::PlanEntries, snapshot::Snapshot},
    model::{OpId, PackageName},
    table::{Action, Key},
};

/// What an operation's plans are made with.
#[derive(Debug)]
pub(in crate::ledger) struct Context<'a> {
    pub op: &'a OpId,
    pub author: &'a Author,
    pub now: Now,
}

/// What has to be done, given what was read.
#[derive(Debug)]
pub(in crate::ledger) enum Step<T> {
    /// More has to be read first: items that never change in what matters here.
    Read(Vec<Key>),
    /// Nothing.
    Done(T),
    /// Nothing, since things are so already; `entry` tells of it. With a key, that is recorded as long as the heads of
    /// these logs are as they were read, and the checks hold.
    Unchanged { outcome: T, entry: Key, moves: PlanEntries, logs: Vec<String>, checks: Vec<Action> },
    /// This.
    Commit(Proposal<T>),
}

/// A transaction that is yet to be sent.
#[derive(Debug)]
pub(in crate::ledger) struct Proposal<T> {
    pub actions: Vec<Action>,
    /// The logs that it depends on and the `rev` seen in the head of each, 0 for none: conditions of its actions, so
    /// that it can't land once one of them has moved.
    pub heads: Vec<(String, u64)>,
    /// The item that it puts where there must be none, and that carries `op`.
    pub slot: Key,
    /// The number of that slot, for people: a version or a revision.
    pub number: u64,
    /// The entry that tells of the outcome, in the log of the operation, and whether it was there already: what an
    /// idempotency key leads to.
    pub entry: Key,
    pub unchanged: bool,
    /// See [`OutcomeRef`].
    pub moves: PlanEntries,
    pub outcome: T,
}

/// Where the outcome of an operation that was done earlier is told.
#[derive(Debug, Clone)]
pub(in crate::ledger) struct OutcomeRef {
    pub entry: Key,
    /// The operation that came to it. An entry that carries another was there already.
    pub op: OpId,
    /// Whether nothing had to be changed, as far as `entry` goes.
    pub unchanged: bool,
    /// Of a plan: the entries of all its moves. Empty where `entry` itself names them, or is the only one.
    pub moves: PlanEntries,
}

/// A change of one package, as the protocol sees it.
pub(in crate::ledger) trait Operation: Sync {
    type Outcome: Clone + Send;

    fn package(&self) -> &PackageName;

    /// What is asked for, to notice an idempotency key that is used for something else.
    fn asked(&self) -> String;

    /// The log that its idempotency key belongs to.
    fn log(&self) -> String;

    /// The items to read before it is planned.
    fn reads(&self) -> Vec<Key>;

    /// True if these are to be read at one instant from the start, which costs twice as much. A hint: it saves a request
    /// where a plan would else turn out not to be covered, and be read for again.
    fn reads_at_once(&self) -> bool;

    /// Where an earlier try that used this slot number may have put its entry.
    fn slots(&self, number: u64) -> Vec<Key>;

    /// Decides. Pure.
    fn plan(&self, seen: &Snapshot, context: &Context<'_>) -> Result<Step<Self::Outcome>, Error>;

    /// The outcome that an entry in `seen` tells of, as [`Step::Done`]; or [`Step::Read`]. Pure.
    fn recall(
        &self,
        reference: &OutcomeRef,
        seen: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Step<Self::Outcome>, Error>;
}
