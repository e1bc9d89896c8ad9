//! Changes of tags.

pub(in crate::ledger) mod destination;
pub(in crate::ledger) mod frozen;
pub(in crate::ledger) mod gates;
pub(in crate::ledger) mod log;
pub(in crate::ledger) mod moves;
pub(in crate::ledger) mod one_move;
mod plan;
mod plan_entries;
mod protect;
pub(in crate::ledger) mod recall;
pub(in crate::ledger) mod undo;
