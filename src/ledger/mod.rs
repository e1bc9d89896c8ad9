//! The ledger: it maps each version of a package to a blob, and each tag to a version.
//!
//! The trait [`Ledger`] states the operations and guarantees. [`TableLedger`] provides the guarantees over any
//! [`Table`](crate::table::Table), with one protocol that is written once. The cargo feature `weak-s3-ledger` adds
//! `WeakS3Ledger`, which does not provide them and exists to demonstrate that.

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
mod transfer;
#[cfg(feature = "weak-s3-ledger")]
mod weak_s3;

pub(crate) use crate::clock::CLOCKS_DIFFER;
pub use contract::{Freezes, Ledger, Transfers};
pub use error::{Conflict, Error, Failed, GateFailure, NotFound, Refused, UncertainTime};
pub use identity::Identity;
pub use maintenance::{
    audit::{AuditReport, Invariant, NeededBlob, OnProgress, OnViolation, Repair, Violation},
    condemn::BlobStatus,
};
pub use outcomes::{Added, Changed, CheckReport, Draft, Pruned, Recalled, Staged, Stop, Stops};
pub(crate) use requests::Authored;
pub use requests::{
    AddRequest, ApplyRequest, Author, ChangeRequest, CheckRequest, FreezeRequest, MAX_TAGS, PackageQuery,
    ProtectRequest, PruneRequest, RecallRequest, RollbackRequest, TagRequest, ThawRequest, UntagRequest,
};
pub use table_ledger::TableLedger;
pub use transfer::{
    check::PackageCheck,
    import::{ImportBatch, Importing},
    item::{ExportItem, Position, Positions},
};
#[cfg(feature = "weak-s3-ledger")]
pub use weak_s3::WeakS3Ledger;
