//! The types of the domain: names, versions, digests, releases.
//!
//! These types cannot hold an invalid value: parsing checks the value, and printing returns the parsed text. This
//! module depends on nothing else in the crate.

mod author;
mod blob;
mod cursor;
mod digest;
mod event;
mod freeze;
mod gate;
mod grant;
mod invalid;
mod key;
mod labels;
mod name;
mod object;
mod package;
mod plan;
mod range;
mod release;
mod retention;
mod role;
mod setting;
mod spec;
mod status;
mod tag;
mod text;
mod time;
mod version;
mod word;

pub use author::{Actor, Message};
pub(crate) use blob::epoch;
pub use blob::{Address, Blob, FileName, Generation, Mode, first_generation};
pub use cursor::{Cursor, Revs};
pub use digest::{Digest, Sha256};
pub use event::{Event, EventKind};
pub(crate) use freeze::is_in_force;
pub use freeze::{Freeze, FreezeEvent, FreezeKind, PackagePrefix, Until};
pub use gate::{Gate, GateCheck, Gates, Override, TagGates};
pub use grant::{Grant, GrantState, Trial};
pub use invalid::Invalid;
pub use key::{IdempotencyKey, OpId};
pub use labels::Labels;
pub use name::{PackageName, TagName};
pub use package::PackageSummary;
pub use plan::{Plan, PlannedMove};
pub use range::VersionRange;
pub use release::{Release, ReleaseChange, State};
pub use retention::{Retention, RetentionPolicy};
pub(crate) use role::roles_granting;
pub use setting::{Created, Setting, SettingState, Severity};
pub use spec::Spec;
pub use status::{PackageStatus, TagNow, TagStatus};
pub use tag::{Protection, TagKind, TagMove, Tagged};
pub use time::{Length, Moment, Timestamp};
pub use version::{Expectation, Version};
pub use word::Word;
pub(crate) use word::words;
