//! Hints whether and when to retry.

use crate::fault::{Fault, FaultKind};
use std::fmt;

/// The time at which a failed attempt is worth a retry, if ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RetryHint {
    /// A retry would fail the same way.
    Never,
    /// Retry at once: the failure returned what the next attempt needs.
    Now,
    /// Retry soon: another client was first. Nothing is wrong, and a long wait would be useless.
    Soon,
    /// Retry after a while: the back end is unavailable or unreachable.
    Later,
}

/// An error with a hint whether a retry may succeed.
pub trait Retryable: fmt::Display {
    /// Returns whether and when to retry.
    fn retry_hint(&self) -> RetryHint;
}

impl Retryable for Fault {
    fn retry_hint(&self) -> RetryHint {
        match self.kind {
            FaultKind::Contended => RetryHint::Soon,
            kind if kind.is_transient() => RetryHint::Later,
            _ => RetryHint::Never,
        }
    }
}
