//! The interface between a change and the protocol: the items that it reads, and its decision, as pure functions of
//! them.

use crate::{
    ledger::{Author, Error, clock::Now, schema::PlanEntries, snapshot::Snapshot},
    model::{OpId, PackageName},
    table::{Action, Key},
};

/// The values that an operation plans with.
#[derive(Debug)]
pub(in crate::ledger) struct Context<'a> {
    pub op: &'a OpId,
    pub author: &'a Author,
    pub now: Now,
    /// The replica of the freezes that the operation checks.
    pub replica: Option<Key>,
}

/// The next step of an operation, given what was read.
#[derive(Debug)]
pub(in crate::ledger) enum Step<T> {
    /// More must be read first: items whose relevant part never changes.
    Read(Vec<Key>),
    /// The operation is done.
    Done(T),
    /// The state is as requested already; `entry` records it. With a key, that is stored as
    /// long as the heads of these logs are as they were read, and the checks hold.
    Unchanged { outcome: T, entry: Key, moves: PlanEntries, logs: Vec<String>, checks: Vec<Action> },
    /// This transaction has to be committed.
    Commit(Proposal<T>),
}

/// A transaction that is to be sent.
#[derive(Debug)]
pub(in crate::ledger) struct Proposal<T> {
    pub actions: Vec<Action>,
    /// The logs that it depends on and the `rev` seen in the head of each, 0 for none. Its actions are conditional on
    /// them, so that it can't land once one of them has moved.
    pub heads: Vec<(String, u64)>,
    /// The item that it puts where there must be none, and that carries `op`.
    pub slot: Key,
    /// The number of that slot, for people: a version or a revision.
    pub number: u64,
    /// The entry that records the outcome, in the log of the operation, and whether it existed already: the reference
    /// that an idempotency key stores.
    pub entry: Key,
    pub unchanged: bool,
    /// The moves, as in [`OutcomeRef`].
    pub moves: PlanEntries,
    pub outcome: T,
}

/// A reference to the recorded outcome of an earlier operation.
#[derive(Debug, Clone)]
pub(in crate::ledger) struct OutcomeRef {
    pub entry: Key,
    /// The operation that had this outcome. An entry that carries another existed already.
    pub op: OpId,
    /// True if nothing had to be changed, as far as `entry` records.
    pub unchanged: bool,
    /// The entries of all moves of a plan. Empty if `entry` itself names them, or is the only one.
    pub moves: PlanEntries,
}

/// Returns the subject of an operation for messages.
pub(in crate::ledger) fn subject(operation: &impl Operation) -> String {
    operation.package().map_or_else(|| "the freezes".to_owned(), ToString::to_string)
}

/// A change of one package, as the protocol sees it.
pub(in crate::ledger) trait Operation: Sync {
    type Outcome: Clone + Send;

    /// Returns the package that messages name; `None` for a change of the freezes.
    fn package(&self) -> Option<&PackageName>;

    /// Returns the request as text, to detect an idempotency key that is used for another one.
    fn request_text(&self) -> String;

    /// Returns the log that its idempotency key belongs to.
    fn log(&self) -> String;

    /// Returns the items to read before it is planned.
    fn reads(&self) -> Vec<Key>;

    /// Returns true if these items are to be read at one instant from the start, which costs twice as much. A hint: it
    /// saves a request if a plan would otherwise not be covered, and would need a second read.
    fn reads_at_once(&self) -> bool;

    /// Returns the keys at which an earlier attempt with this slot number may have put its entry.
    fn slots(&self, number: u64) -> Vec<Key>;

    /// Decides. Pure.
    fn plan(&self, seen: &Snapshot, context: &Context<'_>) -> Result<Step<Self::Outcome>, Error>;

    /// Returns the outcome that an entry in `seen` records, as [`Step::Done`]; or [`Step::Read`]. Pure.
    fn recall(
        &self,
        reference: &OutcomeRef,
        seen: &Snapshot,
        context: &Context<'_>,
    ) -> Result<Step<Self::Outcome>, Error>;
}
