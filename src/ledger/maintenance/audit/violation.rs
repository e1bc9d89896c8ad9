//! The findings that an audit reports.

use crate::table::Action;
use std::fmt;

/// The invariants that an audit checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Invariant {
    /// Every item is readable, agrees with its own key, and has a key of a known form.
    Form,
    /// Versions are dense, and so are the entries of each log up to its head.
    Dense,
    /// A head agrees with its log.
    Head,
    /// Each operation is done once, within a package.
    Op,
    /// Times grow along each log.
    Time,
    /// The hash chain is unbroken.
    Chain,
    /// Versions have the state, and the later labels, that their events record.
    State,
    /// Tags are on the versions that their events record, and these are active.
    Tag,
    /// Idempotency keys refer to existing entries.
    Key,
    /// The directory has every package, and nothing else.
    Directory,
    /// A blob's item counts the versions that need it, and keeps the generation that they need.
    Refs,
    /// The store has every blob that a version needs.
    Missing,
    /// The store's object has the size that the ledger records.
    Size,
    /// The store's object has the sha256 that the ledger records.
    Bytes,
    /// The audit can't judge something that a newer release wrote.
    Newer,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Form => "form",
            Self::Dense => "dense",
            Self::Head => "head",
            Self::Op => "op",
            Self::Time => "time",
            Self::Chain => "chain",
            Self::State => "state",
            Self::Tag => "tag",
            Self::Key => "key",
            Self::Directory => "directory",
            Self::Refs => "refs",
            Self::Missing => "missing",
            Self::Size => "size",
            Self::Bytes => "bytes",
            Self::Newer => "newer",
        })
    }
}

/// The outcome of a repair of a violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Repair {
    /// The correct content can't be derived from anything else.
    Impossible,
    /// A repair is possible, and was not requested.
    Possible,
    /// The violation was repaired.
    Done,
    /// A repair was requested, and others were writing there: run it again.
    Overtaken,
}

/// A violation of an invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The key of an item of the ledger, or the address of a blob.
    pub place: String,
    /// The violated invariant.
    pub rule: Invariant,
    /// A description of the violation, for people.
    pub what: String,
    /// The outcome of its repair.
    pub repair: Repair,
}

impl Violation {
    /// Returns true for something that this release can't judge, rather than a violation.
    #[must_use]
    pub fn is_unjudged(&self) -> bool {
        self.rule == Invariant::Newer
    }

    /// Creates a violation that can't be repaired.
    pub(crate) fn new(place: String, rule: Invariant, what: impl Into<String>) -> Self {
        Self { place, rule, what: what.into(), repair: Repair::Impossible }
    }
}

/// A callback for each violation as it is found.
pub type OnViolation<'a> = &'a mut (dyn FnMut(Violation) + Send);

/// A callback with the number of items read, as they are read.
pub type OnProgress<'a> = &'a (dyn Fn(u64) + Send + Sync);

/// A violation, and the actions that would repair it.
#[derive(Clone)]
pub(super) struct Found {
    pub violation: Violation,
    pub fix: Option<Vec<Action>>,
}

/// The report on an item of a kind that this release does not know.
pub(super) const UNKNOWN_ITEM: &str =
    "this release does not know this kind of item: a newer sacker, or another program, wrote it";
