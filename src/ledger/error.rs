//! Errors of a ledger's operations.
//!
//! The kinds are sorted by how a caller handles them. Messages name the package, the version and the tag; hints and
//! exit codes belong to the command line.

mod gates;
mod reasons;
mod uncertain;

pub use gates::GateFailure;
pub(super) use reasons::no_version;
pub use reasons::{Conflict, NotFound, Refused};
pub use uncertain::UncertainTime;

use super::Author;
use crate::{
    fault::Fault,
    model::{IdempotencyKey, PackageName, TagName},
    retry::{RetryHint, Retryable},
    table::Key,
};

/// A failure of a ledger's operation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The package, version or tag does not exist.
    #[error(transparent)]
    NotFound(NotFound),
    /// Another writer was first, or the state is not as expected. Nothing was changed.
    #[error(transparent)]
    Conflict(Conflict),
    /// The ledger's rules forbid the request. Nothing was changed.
    #[error(transparent)]
    Refused(Refused),
    /// The back end failed until the deadline, or in a way that a retry does not fix. Nothing was changed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// Some moves of a plan can't be made. Nothing was changed.
    #[error("{} of {of} moves can't be made:{}", failed.len(), listed(failed))]
    Moves {
        /// The failed moves, in the plan's order: each is not found, a conflict, or refused.
        failed: Vec<Failed>,
        /// The number of moves in the plan.
        of: usize,
    },
    /// The outcome is unknown: the change may have been made. Running the operation again with `key` reports the
    /// outcome, and never makes the change twice.
    #[error("the outcome is unknown: {source}")]
    Unknown {
        /// The idempotency key for running the operation again.
        key: IdempotencyKey,
        /// The reason why the outcome is not known.
        source: Fault,
    },
    /// The request names no author. Nothing was changed.
    #[error("the change has no author: set one for the client, or for the request")]
    NoAuthor,
    /// A cancellation was requested before the commit. Nothing was changed.
    #[error("interrupted before anything was committed")]
    Interrupted,
    /// An item of the ledger is not as it must be.
    #[error("{what} is damaged: {why}")]
    Damaged {
        /// The item.
        what: String,
        /// The defect.
        why: String,
    },
    /// Part of the ledger was written by a newer release of this program, and records that this release must not read
    /// or change it. Nothing was changed.
    #[error(
        "{what} needs {} to {done}; this is {}",
        least.as_ref().map_or_else(|| "a newer release of sacker".to_owned(), |least| format!("sacker {least} or newer")),
        env!("CARGO_PKG_VERSION")
    )]
    Newer {
        /// The part.
        what: String,
        /// The operation that needs it: `be read`, `be changed`.
        done: String,
        /// The oldest release that may do so, if the ledger names one.
        least: Option<String>,
    },
    /// The table is a copy of a ledger, such as a restored one; copies are read-only. Nothing was changed.
    /// [`Ledger::adopt`](super::Ledger::adopt) makes a copy a ledger of its own.
    #[error("this is a copy of the ledger {id} in {home}")]
    Copy {
        /// The ledger's id.
        id: String,
        /// The location where the ledger was created.
        home: String,
    },
    /// The ledger has a schema that this program does not know, and does not say which releases can use it.
    #[error("the ledger has schema {found}; this program knows schema {known}")]
    Schema {
        /// The schema of the ledger.
        found: u64,
        /// The schema of this program.
        known: u64,
    },
}

impl Error {
    /// Returns the error for an item that is not as it must be.
    pub(super) fn damaged(item: &Key, why: impl Into<String>) -> Self {
        Self::Damaged { what: format!("the ledger's item {item}"), why: why.into() }
    }

    /// Returns the error for a state or kind that this release does not know.
    pub(super) fn unknown_word(what: &str, word: &str, done: &str) -> Self {
        Self::Newer { what: format!("{what} ({word})"), done: done.to_owned(), least: None }
    }

    /// Refuses a request that names no author.
    pub(super) fn check_author(author: &Author) -> Result<(), Self> {
        if author.actor.is_some() { Ok(()) } else { Err(Self::NoAuthor) }
    }

    /// Returns this failure as [`Error::Unknown`] if the run resumes another by its `OP@SLOT` and fails before it knows
    /// the outcome: the outcome of the other run is still unknown, and must not be reported as unchanged.
    pub(crate) fn unresolved(self, author: &Author) -> Self {
        match (self, &author.key) {
            (Self::Fault(source), Some(key @ IdempotencyKey::Resume { .. })) => {
                Self::Unknown { key: key.clone(), source }
            }
            (error, _) => error,
        }
    }
}

/// A move of a plan that can't be made.
#[derive(Debug)]
pub struct Failed {
    /// The package.
    pub package: PackageName,
    /// The tag.
    pub tag: TagName,
    /// The reason.
    pub error: Error,
}

impl Failed {
    /// Returns true if this failure prevents the undo of a plan.
    pub(crate) fn is_of_undo(&self) -> bool {
        matches!(self.error, Error::Conflict(Conflict::NotApplied { .. }))
    }
}

/// Formats one line per move, which begins with its tag.
fn listed(failed: &[Failed]) -> String {
    let line = |Failed { package, tag, error }: &Failed| {
        let (tag, why) = (format!("{package} {tag} "), error.to_string());
        if why.starts_with(&tag) { format!("\n{why}") } else { format!("\n{}: {why}", tag.trim_end()) }
    };
    failed.iter().map(line).collect()
}

impl Retryable for Error {
    fn retry_hint(&self) -> RetryHint {
        match self {
            Self::Fault(fault) => fault.retry_hint(),
            _ => RetryHint::Never,
        }
    }
}

impl From<NotFound> for Error {
    fn from(error: NotFound) -> Self {
        Self::NotFound(error)
    }
}

impl From<Conflict> for Error {
    fn from(error: Conflict) -> Self {
        Self::Conflict(error)
    }
}

impl From<Refused> for Error {
    fn from(error: Refused) -> Self {
        Self::Refused(error)
    }
}
