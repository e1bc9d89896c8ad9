//! The changes of a ledger: each is an operation that the engine commits.

pub(super) mod add;
mod adding;
pub(super) mod effects;
pub(super) mod freezing;
pub(super) mod guard;
pub(super) mod prune;
mod replicating;
pub(super) mod tagging;
pub(super) mod tags;
pub(super) mod version;
