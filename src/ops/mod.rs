//! The operations over a ledger and a store together: a file for each, and `ledger_calls.rs` for those that only call
//! the ledger.
//!
//! The order of blob and ledger steps lives here. Nothing here prints or reads the environment: progress and warnings
//! go to an [`Observer`].

mod add;
mod adopt;
mod client;
mod doctor;
mod download;
mod error;
mod fetch;
mod find;
mod fsck;
mod gc;
mod init;
mod kind;
mod ledger_calls;
mod list;
mod listing;
mod memory;
mod mode;
mod observer;
mod obstacle;
mod open;
mod partial;
mod present;
mod prune;
mod restore;
mod runs;
mod spool;
mod status;
mod transfer;
mod undelete;
mod upload;
mod wait;
mod watch;

pub use add::AddInput;
pub use client::{Client, LateActor};
pub use doctor::{Doctor, DoctorReport, Finding, Verdict};
pub use download::{Download, Downloaded, Target};
pub use error::Error;
pub use find::{Changes, Found, VersionQuery};
pub use fsck::{Fsck, FsckReport};
pub use gc::{Garbage, GcOptions};
pub use init::{Adopted, InitReport};
pub use kind::ErrorKind;
pub use list::{Listed, Packages};
pub use observer::{Observer, Phase, Silent};
pub use obstacle::Obstacle;
pub use open::ClientBuilder;
pub use prune::{PruneAction, PruneOptions, PruneReason, PruneScope, PrunedVersion, Pruning};
pub use restore::RestoreRequest;
pub use status::{Status, StatusQuery};
pub use transfer::{
    CopyReport, ExportLine, ExportReport, FilesOptions, Foreign, ForeignVersion, HeadDiffers, ImportOptions,
    OnPackage, Order, PackageCopied, Pattern, PythonTables, SavedHead,
};
pub use wait::{LAST_POLL, POLL, Wait};
pub use watch::{Watch, WatchScope, WatchedEvent};
