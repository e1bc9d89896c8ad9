//! What a ledger can be asked to change: each an operation that the engine commits.

pub(super) mod add;
mod adding;
pub(super) mod tagging;
pub(super) mod tags;
pub(super) mod version;
