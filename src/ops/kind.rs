//! Kinds of failures, by what a caller can do about them.

use super::error::Error;
use crate::{fault::FaultKind, ledger};

/// A kind of [`Error`], by what a caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The package, version or tag is not there. Nothing was changed.
    NotFound,
    /// The state is not the expected one, or contention lasted past the deadline. Nothing was changed; decide again.
    Conflict,
    /// The rules of the ledger, a protection, or an existing file forbid it. Nothing was changed.
    Refused,
    /// The request, the settings or the local disk have to be corrected first. Nothing was changed.
    Invalid,
    /// The back end was out of reach or throttled past the deadline. Nothing was changed; try again later.
    Unavailable,
    /// Credentials are missing or not sufficient. Nothing was changed.
    Denied,
    /// A [`Wait`](super::Wait) reached its timeout.
    TimedOut,
    /// Stored data is damaged or missing. A person must inspect it.
    Integrity,
    /// The change may have happened. Run it again with the key in [`ledger::Error::Unknown`] to find out.
    Unknown,
    /// A stop was requested before anything was committed. Nothing was changed.
    Interrupted,
    /// An answer of a back end that should not be possible. Nothing was changed.
    Internal,
}

impl Error {
    /// The kind of this failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Ledger(error) => of_ledger(error),
            Self::Store(fault) | Self::Source(fault) => of_fault(fault.kind),
            Self::TimedOut { .. } => ErrorKind::TimedOut,
            Self::Exists(_) | Self::NotRestorable { .. } => ErrorKind::Refused,
            Self::Lost { .. } | Self::Damaged { .. } | Self::NotCopied { .. } | Self::Export { .. } => {
                ErrorKind::Integrity
            }
            Self::Url(_)
            | Self::Invalid(_)
            | Self::Input { .. }
            | Self::Changed(_)
            | Self::Tags(_)
            | Self::NeedsSplit { .. }
            | Self::NotOwner { .. }
            | Self::SameLedger { .. }
            | Self::NewerExport { .. }
            | Self::OwnerLost { .. }
            | Self::Spool { .. }
            | Self::Output { .. } => ErrorKind::Invalid,
        }
    }
}

fn of_ledger(error: &ledger::Error) -> ErrorKind {
    use ledger::Error as E;
    match error {
        E::NotFound(_) => ErrorKind::NotFound,
        E::Conflict(_) => ErrorKind::Conflict,
        E::Moves { failed, .. } => of_moves(failed),
        E::Fault(fault) => of_fault(fault.kind),
        E::Unknown { .. } => ErrorKind::Unknown,
        E::Interrupted => ErrorKind::Interrupted,
        E::Damaged { .. } => ErrorKind::Integrity,
        E::NoAuthor
        | E::Schema { .. }
        | E::Newer { .. }
        | E::Copy { .. }
        | E::Refused(ledger::Refused::TooLarge { .. } | ledger::Refused::PastUntil { .. }) => {
            ErrorKind::Invalid
        }
        E::Refused(_) => ErrorKind::Refused,
    }
}

/// The failure kind least likely to succeed on retry.
fn of_moves(failed: &[ledger::Failed]) -> ErrorKind {
    let kinds: Vec<_> = failed.iter().map(|failed| of_ledger(&failed.error)).collect();
    let order = [ErrorKind::NotFound, ErrorKind::Refused, ErrorKind::Conflict];
    order.into_iter().find(|kind| kinds.contains(kind)).unwrap_or(ErrorKind::Internal)
}

fn of_fault(kind: FaultKind) -> ErrorKind {
    match kind {
        FaultKind::Contended => ErrorKind::Conflict,
        FaultKind::Throttled | FaultKind::Unavailable | FaultKind::Unsent | FaultKind::Full => {
            ErrorKind::Unavailable
        }
        FaultKind::Denied => ErrorKind::Denied,
        FaultKind::Missing | FaultKind::Misconfigured | FaultKind::Disk => ErrorKind::Invalid,
        FaultKind::Corrupt => ErrorKind::Integrity,
        FaultKind::Unexpected => ErrorKind::Internal,
    }
}
