//! The commands, one file each.

pub(super) mod add;
pub(super) mod apply;
pub(super) mod completions;
pub(super) mod delete;
pub(super) mod doctor;
pub(super) mod download;
pub(super) mod fsck;
pub(super) mod gc;
pub(super) mod history;
pub(super) mod info;
pub(super) mod init;
pub(super) mod label;
pub(super) mod list;
pub(super) mod protect;
pub(super) mod rollback;
mod shared;
pub(super) mod tag;
pub(super) mod tags;
pub(super) mod unprotect;
pub(super) mod untag;
pub(super) mod unyank;
pub(super) mod versions;
pub(super) mod wait;
pub(super) mod yank;
