//! What is read of a ledger, and nothing changed.

mod explain;
mod history;
mod lookup;
pub(super) mod pages;
pub(super) mod past;
mod times;
