//! Results of requests to a ledger.

mod stops;

pub use stops::{Stop, Stops};

use super::{
    error::{Error, GateFailure, Refused},
    identity::Identity,
    snapshot::Snapshot,
};
use crate::model::{
    GateCheck, Generation, OpId, PackageName, Protection, Release, State, TagMove, TagName, Version,
};

/// An addition that has begun, with the items that were read for it. See [`Ledger::begin_add`](super::Ledger::begin_add).
#[derive(Debug, Clone)]
pub struct Draft {
    /// The identity of the ledger, which must own the store that the blob goes to.
    pub ledger: Identity,
    pub(super) op: OpId,
    pub(super) seen: Snapshot,
    /// The generation in the last [`Staged::Upload`] that the caller received. A version is committed at no other.
    staged: Option<Generation>,
}

impl Draft {
    pub(super) fn new(ledger: Identity, op: OpId, seen: Snapshot) -> Self {
        Self { ledger, op, seen, staged: None }
    }

    pub(super) fn set_staged(&mut self, staged: Staged) {
        self.staged = match staged {
            Staged::Upload { generation, .. } => Some(generation),
            Staged::NothingToStore => None,
        };
    }

    pub(super) fn was_staged(&self, generation: Generation) -> bool {
        self.staged == Some(generation)
    }
}

/// The next step of an addition. See [`Ledger::stage`](super::Ledger::stage).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staged {
    /// The blob must be in the store, at this generation.
    Upload {
        /// The generation.
        generation: Generation,
        /// True if a version needs the blob already, so that it should be in the store.
        expected: bool,
    },
    /// The blob need not be stored: the outcome does not depend on it.
    NothingToStore,
}

/// The outcome of an addition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// The version exists.
    Version {
        /// The version.
        release: Box<Release>,
        /// True if this operation created the version, now or in an earlier run with the same key. False if nothing was
        /// added, because `latest` had the same sha256.
        new: bool,
    },
    /// The blob was collected in the meantime, and must be stored at this generation; nothing was added.
    Restage(Generation),
}

/// The outcome of a recall.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recalled {
    /// The version after the recall: yanked, and without tags.
    pub release: Release,
    /// The state before the recall.
    pub previous: State,
    /// The moves of the tags that were on the version, by tag.
    pub moves: Vec<TagMove>,
}

/// The outcome of a change of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The version after the change.
    pub release: Release,
    /// The state before the change; equal to the present state if the change did not affect it.
    pub previous: State,
}

/// The outcome of [`Ledger::prune`](super::Ledger::prune).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pruned {
    /// The version was deleted, or was deleted before.
    Deleted(Box<Changed>),
    /// The version is `latest` now, and stays.
    Latest,
    /// The version has a label that keeps it, and stays.
    Labelled,
    /// The version is a stop, and stays.
    Stop,
    /// A log of the package has changed since the stops were read. Nothing was changed.
    Moved,
}

/// The answer to the question whether a tag could be moved to a version, as of the reads that it was made from: a move
/// checks all of it again in its own transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckReport {
    /// The package.
    pub package: PackageName,
    /// The tag.
    pub tag: TagName,
    /// The version that the spec means.
    pub version: Version,
    /// True if the tag is on that version already: then a move changes nothing, and need not pass standing gates.
    pub in_place: bool,
    /// The protection of the tag. A move may have to be confirmed.
    pub protection: Option<Protection>,
    /// True if the standing gates can't be overridden.
    pub no_override: bool,
    /// Each gate, with the result.
    pub checks: Vec<GateCheck>,
}

impl CheckReport {
    /// Returns the refusal that a move without an override would get for its gates, if any.
    #[must_use]
    pub fn refusal(&self) -> Option<Error> {
        let counts = |check: &&GateCheck| !(check.passed || check.standing && self.in_place);
        let failed: Vec<_> = self.checks.iter().filter(counts).cloned().map(GateFailure::from).collect();
        let no_override = self.no_override && failed.iter().any(|failure| failure.standing);
        let (package, tag, version) = (self.package.clone(), self.tag.clone(), self.version);
        let refused = Refused::Gates { package, tag, version, failed, no_override };
        let is_refused = matches!(&refused, Refused::Gates { failed, .. } if !failed.is_empty());
        is_refused.then(|| refused.into())
    }
}
