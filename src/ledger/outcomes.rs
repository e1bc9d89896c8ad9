//! Results of requests to a ledger.

use super::{identity::Identity, snapshot::Snapshot};
use crate::model::{Generation, OpId, Release, State};

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

/// The outcome of a change of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The version after the change.
    pub release: Release,
    /// The state before the change; equal to the present state if the change did not affect it.
    pub previous: State,
}
