//! How one operation becomes one transaction, and how its outcome is found out.

pub(super) mod attempt;
mod clocks;
mod commit;
mod fence;
pub(super) mod idempotency;
mod live;
pub(super) mod operation;
mod pending;
mod settle;
