//! Reads of a ledger, which change nothing.

mod explain;
mod history;
mod lookup;
pub(super) mod pages;
pub(super) mod past;
mod times;
