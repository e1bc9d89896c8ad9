//! Reads of a ledger, which change nothing.

mod checks;
mod entries;
mod events;
mod explain;
pub(super) mod freezes;
pub(super) mod gates;
mod history;
mod lookup;
pub(super) mod pages;
pub(super) mod past;
mod status;
mod status_then;
mod stays;
mod stops;
mod times;
