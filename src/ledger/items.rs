//! The ledger's items: where each is, what it holds, how it is read back.
//!
//! This is the whole schema (see `ARCHITECTURE.md` for the table of it). Numbers in sort keys have 16 digits, so
//! that their bytewise order is their numeric order up to 2^53.

use super::Error;
use crate::{
    model::{
        Actor, Address, Blob, Digest, FileName, Generation, Labels, Message, Mode, OpId, PackageName,
        Release, State, TagKind, TagMove, TagName, Timestamp, Version,
    },
    table::{Item, Key},
};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};

/// The number of the schema that this module reads and writes.
pub(super) const SCHEMA: u64 = 1;

/// How many partitions the directory of packages has.
pub(super) const DIRECTORIES: u8 = 4;

/// Below and above every name that an item of some kind can have, for queries.
pub(super) const ANY_VERSION: (&str, &str) = ("V#", "V#~");
pub(super) const ANY_TAG: (&str, &str) = ("t#", "t#~");
pub(super) const HIGHEST: &str = "~";

pub(super) fn releases(package: &PackageName) -> String {
    format!("P#{package}")
}

pub(super) fn tags(package: &PackageName) -> String {
    format!("T#{package}")
}

pub(super) fn meta_key() -> Key {
    Key::new("M", "M")
}

pub(super) fn head_key(log: &str) -> Key {
    Key::new(log, "H")
}

pub(super) fn version_key(package: &PackageName, number: u64) -> Key {
    Key::new(releases(package), format!("V#{number:016}"))
}

pub(super) fn release_event_key(package: &PackageName, rev: u64) -> Key {
    Key::new(releases(package), format!("A#{rev:016}"))
}

pub(super) fn tag_key(package: &PackageName, tag: &TagName) -> Key {
    Key::new(tags(package), format!("t#{tag}"))
}

pub(super) fn tag_event_key(package: &PackageName, rev: u64) -> Key {
    Key::new(tags(package), format!("E#{rev:016}"))
}

pub(super) fn idempotency_key(log: &str, key: &crate::model::Key) -> Key {
    Key::new(log, format!("K#{key}"))
}

pub(super) fn is_idempotency_key(key: &Key) -> bool {
    key.sk.starts_with("K#")
}

pub(super) fn blob_key(sha256: &Digest) -> Key {
    Key::new(format!("B#{sha256}"), "B")
}

pub(super) fn directory(number: u8) -> String {
    format!("D#{number}")
}

/// The directory's partition is chosen by the name's sha256, so that packages spread evenly over all of them.
pub(super) fn directory_key(package: &PackageName) -> Key {
    let first = Sha256::digest(package.as_str())[0];
    Key::new(directory(first % DIRECTORIES), package.as_str())
}

/// Reads a number of an item: up to 2^53, so that what is one more is a number, too. A higher one was written by hand.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = u64::deserialize(deserializer)?;
    if number > Version::MAX {
        return Err(serde::de::Error::custom(format_args!("{number} is more than 2^53")));
    }
    Ok(number)
}

fn number_if_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Option::<Number>::deserialize(deserializer).map(|number| number.map(|Number(number)| number))
}

#[derive(Deserialize)]
struct Number(#[serde(deserialize_with = "number")] u64);

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    number(deserializer).map(Timestamp::from_millis)
}

/// The ledger's own identity: schema number and a random id, made once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Meta {
    #[serde(deserialize_with = "number")]
    pub schema: u64,
    pub ledger: String,
    /// The table that it was made in, by which a copy can be told apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
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
    #[serde(deserialize_with = "number")]
    pub rev: u64,
    pub chain: String,
    #[serde(deserialize_with = "time")]
    pub when: Timestamp,
}

/// The head of a package's tags.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct TagHead {
    #[serde(deserialize_with = "number")]
    pub rev: u64,
    pub chain: String,
    #[serde(deserialize_with = "time")]
    pub when: Timestamp,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    pub op: OpId,
    #[serde(deserialize_with = "number")]
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
    #[serde(deserialize_with = "number")]
    pub rev: u64,
    pub chain: String,
}

/// What an event of a package's releases says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ReleaseEventKind {
    Yank,
    Unyank,
    Delete,
    Label,
    Fence,
}

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
    /// How it is protected, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protection: Option<String>,
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
    pub who: Actor,
    #[serde(deserialize_with = "time")]
    pub when: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    pub op: OpId,
    #[serde(deserialize_with = "number")]
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
    pub op: OpId,
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
}

/// Whether a blob's generation may be committed against, or may be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum BlobState {
    Kept,
    Condemned,
}

/// Writes a record as an item.
pub(super) fn encode(record: &impl Serialize) -> Item {
    match serde_json::to_value(record) {
        Ok(serde_json::Value::Object(item)) => item,
        // Every record above is a struct of strings, numbers and maps of them.
        other => unreachable!("a record is no item: {other:?}"),
    }
}

/// Reads a record back from an item.
pub(super) fn decode<T: DeserializeOwned>(key: &Key, item: &Item) -> Result<T, Error> {
    serde_json::from_value(serde_json::Value::Object(item.clone()))
        .map_err(|error| Error::Damaged { what: format!("the ledger's item {key}"), why: error.to_string() })
}

impl BlobFields {
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
        }
    }
}

impl VersionItem {
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
        }
    }
}

#[cfg(test)]
mod tests;
