//! The outcome of an attempt that another client can overtake, and that leaves nothing to find out: the next one reads
//! again.

use crate::{
    fault::Fault,
    ledger::Error,
    retry::{RetryHint, Retryable},
};
use std::fmt;

/// The reason why an attempt was not conclusive.
pub(in crate::ledger) enum RaceError {
    /// Another client has changed what was read, or an earlier attempt has arrived; with a text for the log.
    Changed(&'static str),
    Failed(Error),
}

impl fmt::Display for RaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed(what) => f.write_str(what),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl Retryable for RaceError {
    fn retry_hint(&self) -> RetryHint {
        match self {
            Self::Changed(_) => RetryHint::Soon,
            Self::Failed(error) => error.retry_hint(),
        }
    }
}

impl From<Error> for RaceError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Fault> for RaceError {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault.into())
    }
}
