//! Restricts implementations of [`Ledger`](super::Ledger) to this crate.

/// A ledger of this crate.
pub trait Sealed {}
