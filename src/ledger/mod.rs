//! Which version of which package is which blob, and which tag is on which version.
//!
//! The trait [`Ledger`] says what a ledger does and promises. [`TableLedger`] keeps the promises over any
//! [`Table`](crate::table::Table) with one protocol, written once. With the cargo feature `weak-s3-ledger` there is a
//! second one, `WeakS3Ledger`, which does not keep them and exists to show so.

mod api;
mod changes;
mod clock;
mod contract;
mod engine;
mod error;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod identity;
mod maintenance;
mod outcomes;
mod reads;
mod requests;
mod schema;
mod snapshot;
mod table_ledger;
#[cfg(feature = "weak-s3-ledger")]
mod weak_s3;

pub use contract::Ledger;
pub use error::{Conflict, Error, Failed, GateFailure, NotFound, Refused, UncertainTime};
pub use identity::Identity;
pub use maintenance::{
    audit::{AuditReport, Invariant, NeededBlob, OnProgress, OnViolation, Repair, Violation},
    condemn::BlobStatus,
};
pub use outcomes::{Added, Changed, Draft, Staged};
pub use requests::{
    AddRequest, ApplyRequest, Author, ChangeRequest, MAX_TAGS, PackageQuery, ProtectRequest, RollbackRequest,
    TagRequest, UntagRequest,
};
pub use table_ledger::TableLedger;
#[cfg(feature = "weak-s3-ledger")]
pub use weak_s3::WeakS3Ledger;
