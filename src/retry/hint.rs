//! Whether trying again may help.

use crate::fault::{Fault, FaultKind};
use std::fmt;

/// Whether and when a failed try is worth another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RetryHint {
    /// It would fail the same way.
    Never,
    /// At once: the failure brought what the next try needs.
    Now,
    /// Soon: someone else was first. Nothing is wrong, and waiting for long would be for nothing.
    Soon,
    /// After a while: the back end can't, or can't be reached.
    Later,
}

/// An error that knows whether another try may help.
pub trait Retryable: fmt::Display {
    /// Whether and when.
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
