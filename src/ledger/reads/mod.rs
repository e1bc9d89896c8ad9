//! Reads of a ledger, which change nothing.

mod checks;
mod entries;
mod explain;
pub(super) mod gates;
mod history;
mod lookup;
pub(super) mod pages;
pub(super) mod past;
mod stays;
mod times;
