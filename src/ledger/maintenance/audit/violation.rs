//! What an audit reports.

use crate::table::Action;
use std::fmt;

/// The rules that an audit checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Invariant {
    /// An item can't be read, contradicts its own key, or has a key that no item has.
    Form,
    /// Versions are dense, and so are the entries of each log up to its head.
    Dense,
    /// A head is what its log says.
    Head,
    /// Each operation is done once, within a package.
    Op,
    /// Times grow along each log.
    Time,
    /// The hash chain fits.
    Chain,
    /// Versions are in the state, and have the later labels, that the events say.
    State,
    /// Tags are where their events say, on active versions.
    Tag,
    /// Idempotency keys lead to entries that are there.
    Key,
    /// The directory has every package, and nothing else.
    Directory,
    /// A blob's item counts the versions that need it, and keeps the generation that they need.
    Refs,
    /// The store has every blob that some version needs.
    Missing,
    /// The store's object has the size that the ledger says.
    Size,
    /// The store's object has the sha256 that the ledger says.
    Bytes,
    /// No rule is broken as far as this release can judge: a newer one wrote something that it does not know.
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

/// The outcome of a repair of a breach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Repair {
    /// There is nothing else that the right content could be derived from.
    Impossible,
    /// It can be repaired, and no repair was asked for.
    Possible,
    /// It was repaired.
    Done,
    /// A repair was asked for, and others were writing there: another run decides.
    Overtaken,
}

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Where: the key of an item of the ledger, or the address of a blob.
    pub place: String,
    /// The rule that is broken.
    pub rule: Invariant,
    /// A description of the breach, for people.
    pub what: String,
    /// The outcome of its repair.
    pub repair: Repair,
}

impl Violation {
    /// True for something that this release can't judge, rather than a breach.
    #[must_use]
    pub fn is_unjudged(&self) -> bool {
        self.rule == Invariant::Newer
    }

    /// A breach that nothing can repair.
    pub(crate) fn new(place: String, rule: Invariant, what: impl Into<String>) -> Self {
        Self { place, rule, what: what.into(), repair: Repair::Impossible }
    }
}

/// Is told of each breach as it is found.
pub type OnViolation<'a> = &'a mut (dyn FnMut(Violation) + Send);

/// Is called with the number of items that were read, as they are.
pub type OnProgress<'a> = &'a (dyn Fn(u64) + Send + Sync);

/// A breach, and what would mend it.
#[derive(Clone)]
pub(super) struct Found {
    pub violation: Violation,
    pub fix: Option<Vec<Action>>,
}

/// The report on an item of a kind that this release does not know.
pub(super) const UNKNOWN_ITEM: &str =
    "this release knows no such item, and does not judge it: a newer sacker wrote it, or another program";
