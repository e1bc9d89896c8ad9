//! The ledger's items: where each is, what it holds, how it is read back.
//!
//! This is the whole schema (see `ARCHITECTURE.md` for the table of it).

mod keys;
mod newer;
mod numbers;
mod says;

pub(super) use newer::{check_write, least, still_needs};
pub(super) use numbers::revision;
use numbers::{number, number_if_any, time, time_if_any};

pub(super) use keys::{
    ANY_RELEASE_EVENT, ANY_TAG, ANY_TAG_EVENT, ANY_VERSION, DIRECTORIES, HIGHEST, blob_key, directory,
    directory_key, fence_key, head_key, idempotency_key, is_idempotency_key, is_logged, is_releases,
    meta_key, release_event_key, releases, tag_event_key, tag_key, tags, version_key,
};

use super::{
    Error,
    operation::{Moves, Told},
    snapshot::Record,
};
use crate::{
    model::{
        Actor, Address, Blob, Digest, FileName, Generation, Labels, Message, Mode, OpId, PackageName,
        Protection, Release, State, TagKind, TagMove, TagName, Timestamp, Version, Word, words,
    },
    table::{Item, Key},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// The number of the schema that this module reads and writes.
pub(super) const SCHEMA: u64 = 1;

/// The ledger's own identity: schema number and a random id, made once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Meta {
    #[serde(deserialize_with = "number")]
    pub schema: u64,
    pub ledger: String,
    /// The table that it was made in, by which a copy can be told apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// Which epoch of its store it adds to: raised whenever it adopts one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub epoch: u64,
    /// The attributes that a newer release of this program wrote: kept whenever the item is written again.
    #[serde(flatten)]
    pub rest: Item,
}

impl Meta {
    /// Whether the ledger says which releases may read it, and which may write it.
    pub(super) fn says_needs(&self) -> bool {
        self.rest.get("needs").is_some_and(|needs| ["read", "write"].iter().all(|it| needs.get(it).is_some()))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The head of a package's releases.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Head {
    /// Last number given; 0 in a head that a fence made, where there is no package yet.
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
pub(super) struct TagHead {
    #[serde(deserialize_with = "revision")]
    pub rev: u64,
    pub chain: String,
    #[serde(deserialize_with = "time")]
    pub when: Timestamp,
    /// The attributes that a newer release of this program wrote: kept whenever the item is written again.
    #[serde(flatten)]
    pub rest: Item,
}

/// What is needed to fetch a blob; in versions, and copied to heads and tags.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct BlobFields {
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
pub(super) struct VersionItem {
    pub n: Version,
    #[serde(flatten)]
    pub blob: BlobFields,
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Labels added later, each by an event.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub more_labels: Labels,
    pub state: State,
    pub who: Actor,
    #[serde(deserialize_with = "time")]
    pub when: Timestamp,
    /// What the writer's clock said, where `when` had to be raised above it by more than clocks differ.
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
pub(super) struct ReleaseEvent {
    pub kind: ReleaseEventKind,
    /// Absent in a fence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// The version's state before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<State>,
    /// The labels that were asked for.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
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

/// What an event of a package's releases says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReleaseEventKind {
    Yank,
    Unyank,
    Delete,
    Label,
    Fence,
    /// A word of a newer release of this program.
    Other(Word),
}

words!(ReleaseEventKind { Yank: "yank", Unyank: "unyank", Delete: "delete", Label: "label", Fence: "fence" });

/// A tag as it stands: a copy of its last event, and of the blob it is on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct TagItem {
    pub tag: TagName,
    /// Absent: a tombstone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blob: Option<BlobFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Version>,
    pub kind: TagKind,
    /// The rev of its last event.
    #[serde(deserialize_with = "number")]
    pub set: u64,
    /// That event's `back`.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "number_if_any")]
    pub back: Option<u64>,
    pub who: Actor,
    #[serde(deserialize_with = "time")]
    pub when: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protection: Option<Protection>,
    /// The attributes that a newer release of this program wrote: kept whenever the item is written again.
    #[serde(flatten)]
    pub rest: Item,
}

/// An event of a package's tags.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct TagEvent {
    pub kind: TagKind,
    /// Absent in a fence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<TagName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Version>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// The rev of the event whose version a rollback would restore.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "number_if_any")]
    pub back: Option<u64>,
    /// How the tag is protected after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protection: Option<Protection>,
    /// In the first entry of a plan: the entries of all its moves.
    #[serde(default, skip_serializing_if = "Moves::is_empty")]
    pub moves: Moves,
    /// In every other entry of a plan: the package and rev of the first.
    #[serde(default, skip_serializing_if = "Moves::is_empty")]
    pub led_by: Moves,
    pub who: Actor,
    #[serde(deserialize_with = "time")]
    pub when: Timestamp,
    /// As that of a version.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "time_if_any")]
    pub clock: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    pub op: OpId,
    #[serde(deserialize_with = "revision")]
    pub rev: u64,
    pub chain: String,
}

/// The outcome of the operation with some idempotency key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct KeyItem {
    /// What was asked, to notice a key that is used for something else.
    pub request: String,
    /// The sort key of the entry that is the outcome.
    pub entry: String,
    /// Whether things were so already and the entry is an older one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unchanged: bool,
    /// The outcome of a plan: the entries of all its moves.
    #[serde(default, skip_serializing_if = "Moves::is_empty")]
    pub moves: Moves,
    pub op: OpId,
}

impl KeyItem {
    /// What it leads to, in its log.
    pub(super) fn told(self, log: &str) -> Told {
        let Self { entry, unchanged, moves, op, .. } = self;
        Told { entry: Key::new(log, entry), op, unchanged, moves }
    }
}

/// What is known of a blob, whoever needs it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct BlobItem {
    pub state: BlobState,
    #[serde(rename = "gen", deserialize_with = "number")]
    pub generation: Generation,
    /// How many versions that are not deleted need it.
    #[serde(deserialize_with = "number")]
    pub refs: u64,
    /// The attributes that a newer release of this program wrote: kept whenever the item is written again.
    #[serde(flatten)]
    pub rest: Item,
}

/// Whether a blob's generation may be committed against, or may be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BlobState {
    Kept,
    Condemned,
    /// A state of a newer release of this program: neither committed against nor collected.
    Other(Word),
}

words!(BlobState { Kept: "kept", Condemned: "condemned" });

/// The marks of records: see [`Record`].
macro_rules! records {
    ($($record:ty: $marks:expr;)*) => {
        $(impl Record for $record {
            const MARKS: &'static [&'static str] = &$marks;
        })*
    };
}

records! {
    // Any two identities have ids of their own; the rest is what a newer release may raise.
    Meta: ["ledger", "schema", "needs"];
    Head: ["rev"];
    // The rev of the event that it is a copy of.
    TagItem: ["set"];
    VersionItem: ["state", "more_labels"];
    ReleaseEvent: [];
    TagEvent: [];
    KeyItem: [];
    BlobItem: ["state", "gen", "refs", "needs"];
}

impl Record for TagHead {
    const MARKS: &'static [&'static str] = &["rev"];
    const DECIDES: bool = false;
}

/// Writes a record as an item.
pub(super) fn encode(record: &impl Serialize) -> Item {
    match serde_json::to_value(record) {
        Ok(Value::Object(item)) => item,
        // Every record above is a struct of strings, numbers and maps of them.
        other => unreachable!("a record is no item: {other:?}"),
    }
}

/// Reads a record back from an item. Attributes that the record does not know are no error.
///
/// # Errors
/// [`Error::Newer`] if the item says that a newer release is needed to read it; [`Error::Damaged`].
pub(super) fn decode<T: Serialize + DeserializeOwned>(key: &Key, item: &Item) -> Result<T, Error> {
    newer::check_read(key, item)?;
    let damaged = |why: String| Error::Damaged { what: format!("the ledger's item {key}"), why };
    let record = T::deserialize(item).map_err(|error| damaged(error.to_string()))?;
    // serde also takes a list for a record, and `{"kept": null}` for a word. A condition on what was read would then
    // hold for nothing that is stored.
    match says::differing(&record, item) {
        None => Ok(record),
        Some(name) => Err(damaged(format!("`{name}` is not as it is written"))),
    }
}

impl BlobFields {
    /// Returns what this release knows of it, as an item.
    pub(super) fn without_rest(&self) -> Item {
        encode(&Self { rest: Item::new(), ..self.clone() })
    }

    pub(super) fn to_blob(&self) -> Blob {
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
    /// Returns its blob for a copy in a head or a tag: without what else a newer release wrote into the version.
    pub(super) fn copied_blob(&self) -> BlobFields {
        BlobFields { rest: Item::new(), ..self.blob.clone() }
    }

    /// As a release, with the tags on it yet to be filled in.
    pub(super) fn into_release(self, package: &PackageName) -> Release {
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
        }
    }
}

impl TagItem {
    pub(super) fn into_move(self, package: &PackageName) -> TagMove {
        TagMove {
            package: package.clone(),
            tag: self.tag,
            version: self.version,
            previous: self.previous,
            kind: self.kind,
            rev: self.set,
            moved_at: self.when,
            moved_by: self.who,
            message: self.message,
            protection: self.protection,
        }
    }
}

impl TagEvent {
    /// As the change of a tag that it tells of; `None` for one that is of no tag.
    pub(super) fn into_move(self, package: &PackageName) -> Option<TagMove> {
        Some(TagMove {
            package: package.clone(),
            tag: self.tag?,
            version: self.version,
            previous: self.previous,
            kind: self.kind,
            rev: self.rev,
            moved_at: self.when,
            moved_by: self.who,
            message: self.message,
            protection: self.protection,
        })
    }
}

#[cfg(test)]
mod tests;
