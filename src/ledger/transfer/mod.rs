//! Moving packages between ledgers: reading all of a package's items as of one instant, and writing them to another
//! ledger.
//!
//! - [`export`] reads a package: its heads at one instant, then every item that they cover. Changes that are committed
//!   later are left out, also where they have changed an item that is read.
//! - [`import`] writes those items to a ledger that holds an earlier state of the same package: each transaction puts
//!   entries and advances the head over them, under the condition that the head still is the one that was seen.
//! - [`marker`] keeps every other change out of a ledger while an import of it is unfinished.
//!
//! Entries, heads and tags are carried as they are stored, with attributes and kinds that a newer release added. What is
//! derived from them is not carried but written again: the directory, and the items of blobs.

pub(in crate::ledger) mod check;
pub(in crate::ledger) mod export;
pub(in crate::ledger) mod import;
pub(in crate::ledger) mod item;
pub(in crate::ledger) mod marker;
mod past;
mod plan;
