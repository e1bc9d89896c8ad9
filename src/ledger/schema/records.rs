//! The records of packages, and their attributes.

use super::{
    numbers::{number, revision, time, time_if_any},
    record::{Record, encode},
};
use crate::{
    model::{
        Actor, Address, Blob, Digest, FileName, Generation, Labels, Message, Mode, OpId, PackageName,
        Release, State, Timestamp, Version, Word, words,
    },
    table::Item,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The head of a package's releases.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::ledger) struct Head {
    /// The highest version number so far; 0 in a head that a fence created when there was no package yet.
    #[serde(deserialize_with = "number")]
    pub n: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latest: Option<Version>,
    /// The blob of `latest`, so that reading it is one read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blob: Option<BlobFields>,
    #[serde(deserialize_with = "revision")]
    pub rev: u64,
    pub chain: String,
    #[serde(deserialize_with = "time")]
    pub when: Timestamp,
    /// The attributes that a newer release of this program wrote: kept whenever the item is written again.
    #[serde(flatten)]
    pub rest: Item,
}

/// The head of a package's tags.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::ledger) struct TagHead {
    #[serde(deserialize_with = "revision")]
    pub rev: u64,
    pub chain: String,
    #[serde(deserialize_with = "time")]
    pub when: Timestamp,
    /// The attributes that a newer release of this program wrote: kept whenever the item is written again.
    #[serde(flatten)]
    pub rest: Item,
}

/// The common attribute of both kinds of head.
#[derive(Deserialize, Serialize)]
pub(in crate::ledger) struct Revision {
    #[serde(deserialize_with = "revision")]
    pub rev: u64,
}

impl Record for Revision {
    const MARKS: &'static [&'static str] = &["rev"];
}

/// The attributes for fetching a blob; in versions, and copied to heads and tags.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::ledger) struct BlobFields {
    pub sha256: Digest,
    /// Generation.
    #[serde(rename = "gen", deserialize_with = "number")]
    pub generation: Generation,
    #[serde(deserialize_with = "number")]
    pub size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filename: Option<FileName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// The attributes that a newer release of this program wrote: kept whenever the item is written again.
    #[serde(flatten)]
    pub rest: Item,
}

/// A version. Everything but `state`, `more_labels` and `chain` itself is immutable and goes into the chain.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::ledger) struct VersionItem {
    pub n: Version,
    #[serde(flatten)]
    pub blob: BlobFields,
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Labels that were added later, each by an event.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub more_labels: Labels,
    pub state: State,
    pub who: Actor,
    #[serde(deserialize_with = "time")]
    pub when: Timestamp,
    /// The writer's clock, if `when` had to be raised above it by more than clocks normally differ.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "time_if_any")]
    pub clock: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    pub op: OpId,
    #[serde(deserialize_with = "revision")]
    pub rev: u64,
    pub chain: String,
}

/// An event of a package's releases other than a version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::ledger) struct ReleaseEvent {
    pub kind: ReleaseEventKind,
    /// Absent in a fence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// The version's state before the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<State>,
    /// The version's state after an undeletion: the one before the deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// The requested labels.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// The entries of the tags that a recall has put back, in the yank that is part of it.
    #[serde(default, skip_serializing_if = "PlanEntries::is_empty")]
    pub moves: PlanEntries,
    pub who: Actor,
    #[serde(deserialize_with = "time")]
    pub when: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    pub op: OpId,
    #[serde(deserialize_with = "revision")]
    pub rev: u64,
    pub chain: String,
}

/// The kind of an event of a package's releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ledger) enum ReleaseEventKind {
    Yank,
    Unyank,
    Delete,
    Undelete,
    Label,
    Fence,
    /// A kind that a newer release of this program added.
    Other(Word),
}

words!(ReleaseEventKind {
    Yank: "yank",
    Unyank: "unyank",
    Delete: "delete",
    Undelete: "undelete",
    Label: "label",
    Fence: "fence"
});

/// The entry of each move of a plan: its rev in its package's tag log, by package and tag with a space between.
pub(in crate::ledger) type PlanEntries = BTreeMap<String, u64>;

/// The outcome of the operation with an idempotency key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::ledger) struct KeyItem {
    /// The request, to detect a key that is used for another one.
    pub request: String,
    /// The sort key of the entry that is the outcome.
    pub entry: String,
    /// True if nothing had to be changed and the entry is an older one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unchanged: bool,
    /// The entries of all moves, for a plan.
    #[serde(default, skip_serializing_if = "PlanEntries::is_empty")]
    pub moves: PlanEntries,
    pub op: OpId,
}

/// The state of a blob, shared by all versions that need it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::ledger) struct BlobItem {
    pub state: BlobState,
    #[serde(rename = "gen", deserialize_with = "number")]
    pub generation: Generation,
    /// The number of versions that need it, without deleted ones.
    #[serde(deserialize_with = "number")]
    pub refs: u64,
    /// The attributes that a newer release of this program wrote: kept whenever the item is written again.
    #[serde(flatten)]
    pub rest: Item,
}

/// The state of a blob's generation: whether it may be committed against, or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ledger) enum BlobState {
    Kept,
    Condemned,
    /// A state that a newer release of this program added: neither committed against nor collected.
    Other(Word),
}

words!(BlobState { Kept: "kept", Condemned: "condemned" });

/// Implements [`Record`] with the marks of each record.
macro_rules! records {
    ($($record:ty: $marks:expr;)*) => {
        $(impl Record for $record {
            const MARKS: &'static [&'static str] = &$marks;
        })*
    };
}

records! {
    Head: ["rev"];
    VersionItem: ["state", "more_labels"];
    ReleaseEvent: [];
    KeyItem: [];
    BlobItem: ["state", "gen", "refs", "needs"];
}

impl Record for TagHead {
    const MARKS: &'static [&'static str] = &["rev"];
    const DECIDES: bool = false;
}

impl BlobFields {
    /// Returns the attributes that this release knows, as an item.
    pub(in crate::ledger) fn without_rest(&self) -> Item {
        encode(&Self { rest: Item::new(), ..self.clone() })
    }

    pub(in crate::ledger) fn to_blob(&self) -> Blob {
        Blob {
            address: Address { sha256: self.sha256.clone(), generation: self.generation },
            size: self.size,
            filename: self.filename.clone(),
            mode: self.mode,
        }
    }
}

impl From<&Blob> for BlobFields {
    fn from(blob: &Blob) -> Self {
        Self {
            sha256: blob.address.sha256.clone(),
            generation: blob.address.generation,
            size: blob.size,
            filename: blob.filename.clone(),
            mode: blob.mode,
            rest: Item::new(),
        }
    }
}

impl VersionItem {
    /// Returns its blob for a copy in a head or a tag: without the attributes that a newer release wrote into the
    /// version.
    pub(in crate::ledger) fn copied_blob(&self) -> BlobFields {
        BlobFields { rest: Item::new(), ..self.blob.clone() }
    }

    /// Converts it to a release whose tags are still to be filled in.
    pub(in crate::ledger) fn into_release(self, package: &PackageName) -> Release {
        Release {
            package: package.clone(),
            version: self.n,
            blob: self.blob.to_blob(),
            labels: self.labels.and(&self.more_labels),
            message: self.message,
            state: self.state,
            added_at: self.when,
            added_by: self.who,
            tags: Vec::new(),
            rev: None,
            gates: Vec::new(),
        }
    }
}
