//! Versions of packages and their state.

use super::{Actor, Blob, Labels, Message, PackageName, TagGates, Timestamp, Version, Word, words};

/// The state of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// The version may be tagged, downloaded, and be `latest`.
    Active,
    /// The version may be downloaded by number; it can't be tagged and is never `latest`.
    Yanked,
    /// The version reads as not found; its number is never reused.
    Deleted,
    /// A state that a newer release of this program added. The permitted operations are not known here.
    Other(Word),
}

words!(State { Active: "active", Yanked: "yanked", Deleted: "deleted" });

/// A change of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReleaseChange {
    /// Takes the version out of `latest`; it can still be downloaded by number. Refused while it is tagged.
    Yank,
    /// Reverses a yank.
    Unyank,
    /// Makes the version read as not found; its blob can be collected, and the version is gone permanently once it is.
    /// Refused while the version is tagged and, unless forced, while it is active and one rollback of a tag goes to it.
    Delete,
    /// Reverses a deletion, for as long as the blob is not collected: the number, the blob, the labels and the state
    /// before the deletion come back.
    Undelete,
    /// Adds labels. Refused if the version has one of them with another value.
    Label(Labels),
}

/// A version with all its metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The package.
    pub package: PackageName,
    /// The number.
    pub version: Version,
    /// The blob.
    pub blob: Blob,
    /// The labels.
    pub labels: Labels,
    /// The author's message.
    pub message: Option<Message>,
    /// The state.
    pub state: State,
    /// The time of the addition, by the clock of its author.
    pub added_at: Timestamp,
    /// The author.
    pub added_by: Actor,
    /// The tags on it when it was read, `latest` first, then by name. Read separately from the version itself, so the
    /// two are not one snapshot.
    pub tags: Vec<String>,
    /// The revision of the tag's last change, if the version was resolved from a tag. It grows with every change of the
    /// tag, so a deployer can refuse an instruction that is older than one it has seen (a fencing token).
    pub rev: Option<u64>,
    /// The standing gates of each tag of the package that has some, for this version as it was read. Only of a single
    /// version: empty in a list of versions.
    pub gates: Vec<TagGates>,
}
