//! Why the ledger did not do what was asked.
//!
//! Sorted by what a caller would do differently. Messages name the package, the version and the tag; hints and exit
//! codes are the business of whoever shows them.

mod reasons;
mod uncertain;

pub(super) use reasons::no_version;
pub use reasons::{Conflict, GateFailure, NotFound, Refused};
pub use uncertain::UncertainTime;

use super::Author;
use crate::{
    fault::Fault,
    model::{IdempotencyKey, PackageName, TagName},
    retry::{RetryHint, Retryable},
};

/// A failure of a ledger's operation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What was named is not there.
    #[error(transparent)]
    NotFound(NotFound),
    /// Someone else was first, or things are not as expected. Nothing was changed.
    #[error(transparent)]
    Conflict(Conflict),
    /// The ledger's rules forbid it. Nothing was changed.
    #[error(transparent)]
    Refused(Refused),
    /// The back end failed for longer than the deadline, or in a way that trying again does not mend. Nothing was
    /// changed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// Some moves of a plan can't be made, for these reasons. Nothing was changed.
    #[error("{} of {of} moves can't be made:{}", failed.len(), listed(failed))]
    Moves {
        /// What failed, in the plan's order: of kinds not found, conflict, or refused.
        failed: Vec<Failed>,
        /// How many moves there are.
        of: usize,
    },
    /// The change may have happened, and this could not be found out. Running it again with `key` finds out, and
    /// never does it twice.
    #[error("the outcome is unknown: {source}")]
    Unknown {
        /// The idempotency key to run it again with.
        key: IdempotencyKey,
        /// Why it is not known.
        source: Fault,
    },
    /// A stop was requested before anything was committed. Nothing was changed.
    #[error("interrupted before anything was committed")]
    Interrupted,
    /// What the ledger holds is not what it must be.
    #[error("{what} is damaged: {why}")]
    Damaged {
        /// The item.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// Part of the ledger was written by a newer release of this program, which says that this one must not read or
    /// change it. Nothing was changed.
    #[error(
        "{what} needs {} to {done}; this is {}",
        least.as_ref().map_or_else(|| "a newer release of sacker".to_owned(), |least| format!("sacker {least} or newer")),
        env!("CARGO_PKG_VERSION")
    )]
    Newer {
        /// The part.
        what: String,
        /// For what: `be read`, `be changed`.
        done: String,
        /// The least release that may do so, where the ledger says.
        least: Option<String>,
    },
    /// The table is a copy of a ledger, such as a restored one, and a copy is not changed. Nothing was changed.
    /// [`Ledger::adopt`](super::Ledger::adopt) makes it a ledger of its own.
    #[error("this is a copy of the ledger {id} in {home}")]
    Copy {
        /// The ledger's id.
        id: String,
        /// Where the ledger was made.
        home: String,
    },
    /// The ledger has a schema that this program does not know, and does not say which releases may use it.
    #[error("the ledger has schema {found}; this program knows schema {known}")]
    Schema {
        /// The schema of the ledger.
        found: u64,
        /// The schema of this program.
        known: u64,
    },
}

impl Error {
    /// Something has a state or kind that this release does not know, so it can't say what may be done with it.
    pub(super) fn unknown_word(what: &str, word: &str, done: &str) -> Self {
        Self::Newer { what: format!("{what} ({word})"), done: done.to_owned(), least: None }
    }

    /// This failure, of a run that takes up another by its `OP@SLOT`, from before it has found anything out: what
    /// became of the other is as unknown as it was, and must not be called unchanged.
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
    /// Why.
    pub error: Error,
}

impl Failed {
    /// Whether it is in the way of taking a plan back.
    pub(crate) fn is_of_undo(&self) -> bool {
        matches!(self.error, Error::Conflict(Conflict::NotApplied { .. }))
    }
}

/// A line for each, which begins with the tag that was to be moved.
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
