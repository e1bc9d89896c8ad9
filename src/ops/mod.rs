//! What can be done with a ledger and a store together: one file an operation, but for those that
//! only call the ledger.
//!
//! The order of blob and ledger steps lives here. Nothing here prints or reads the environment: progress and warnings
//! go to an [`Observer`].

mod add;
mod adopt;
mod client;
mod download;
mod error;
mod fetch;
mod fsck;
mod gc;
mod init;
mod ledger_calls;
mod list;
mod listing;
mod memory;
mod mode;
mod observer;
mod partial;
mod present;
mod runs;
mod spool;
mod upload;
mod wait;

pub use add::{Add, AddInput};
pub use client::{Client, LateActor};
pub use download::{Download, Downloaded, Target};
pub use error::Error;
pub use fsck::{Fsck, FsckReport};
pub use gc::{Garbage, GcOptions};
pub use init::{Adopted, InitReport};
pub use list::{Listed, Packages};
pub use observer::{Observer, Phase, Silent};
pub use wait::{LAST_LOOK, POLL, Wait};
