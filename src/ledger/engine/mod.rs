//! The engine: it turns one operation into one transaction, and finds out its outcome.

pub(super) mod attempt;
mod clocks;
mod commit;
mod fence;
pub(super) mod idempotency;
mod live;
pub(super) mod operation;
mod pending;
pub(super) mod race;
mod settle;
