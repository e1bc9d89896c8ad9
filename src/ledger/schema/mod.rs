//! The schema of the ledger: the keys of its items, their attributes, and reading them back.
//!
//! This is the whole schema (`ARCHITECTURE.md` has a table of it).

mod freezes;
pub(super) mod gated;
mod keys;
pub(super) mod live;
pub(super) mod log;
mod meta;
mod newer;
mod note;
mod numbers;
mod record;
mod records;
mod strict;
mod tag_records;

pub(super) use freezes::{
    FREEZES, FreezeEntry, FreezeFields, FreezeHead, FreezeReplica, InForce, MAX_FREEZES, REPLICAS,
    freeze_entry_key, replay, replica_key, replica_of,
};
pub(super) use keys::{
    ANY_RELEASE_EVENT, ANY_TAG, ANY_TAG_EVENT, ANY_VERSION, DIRECTORIES, HIGHEST, blob_key, directory,
    directory_key, fence_key, head_key, idempotency_key, is_idempotency_key, is_logged, is_releases,
    meta_key, release_event_key, releases, rev_of_tag_entry, tag_event_key, tag_key, tags, version_key,
};
pub(super) use log::{START, after, chained, is_ahead, stamp, still_at};
pub(super) use meta::{Meta, SCHEMA, check_schema};
pub(super) use newer::{UNFINISHED_IMPORT, check_write, knows_freezes, least, require_freezes, still_needs};
pub(super) use note::described;
pub(super) use record::{Record, encode};
pub(super) use records::{
    BlobFields, BlobItem, BlobState, Head, KeyItem, PlanEntries, ReleaseEvent, ReleaseEventKind, Revision,
    TagHead, VersionItem,
};
pub(super) use strict::decode;
pub(super) use tag_records::{TagEvent, TagItem};

#[cfg(test)]
mod tests;
