//! What comes of what is asked.

use super::{identity::Identity, snapshot::Snapshot};
use crate::model::{Generation, OpId, Release, State};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// An addition that has begun, and what was read for it. See [`Ledger::begin_add`].
#[derive(Debug, Clone)]
pub struct Draft {
    /// The ledger, which must own the store that the blob goes to.
    pub ledger: Identity,
    pub(super) op: OpId,
    pub(super) seen: Snapshot,
    /// The generation at which the caller was told last to store the blob, if any, plus one. Shared with `add`, which
    /// borrows the draft: a version is committed against no other.
    staged_generation: Arc<AtomicU64>,
}

impl Draft {
    pub(super) fn new(ledger: Identity, op: OpId, seen: Snapshot) -> Self {
        Self { ledger, op, seen, staged_generation: Arc::default() }
    }

    pub(super) fn set_staged(&self, staged: Staged) {
        let staged_generation = match staged {
            Staged::Upload { generation, .. } => generation.saturating_add(1),
            Staged::NothingToStore => 0,
        };
        self.staged_generation.store(staged_generation, Ordering::Relaxed);
    }

    pub(super) fn was_staged(&self, generation: Generation) -> bool {
        self.staged_generation.load(Ordering::Relaxed) == generation.saturating_add(1)
    }
}

/// What an addition needs next. See [`Ledger::stage`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staged {
    /// The blob must be in the store, at this generation.
    Upload {
        /// The generation.
        generation: Generation,
        /// Whether some version needs it already, so that it should be there.
        expected: bool,
    },
    /// The outcome does not depend on the blob: there is nothing to store.
    NothingToStore,
}

/// How an addition ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// The version is there.
    Version {
        /// The version.
        release: Box<Release>,
        /// Whether this operation, now or in an earlier run with the same key, made it. If not, nothing was added:
        /// `latest` had the same sha256.
        new: bool,
    },
    /// Nothing was added: the blob was collected meanwhile, and has to be stored at this generation.
    Restage(Generation),
}

/// A version that was changed, or was so already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The version as the change left it.
    pub release: Release,
    /// Its state before; the same as now where that did not change.
    pub previous: State,
}
