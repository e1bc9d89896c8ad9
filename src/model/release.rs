//! What the ledger knows of versions.

use super::{Actor, Blob, Labels, Message, PackageName, Timestamp, Version, Word, words};

/// What may be done with a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It may be tagged, downloaded, and be `latest`.
    Active,
    /// It may be downloaded by number; it can't be tagged and is never `latest`.
    Yanked,
    /// It reads as not found; its number stays spent.
    Deleted,
    /// A state that a newer release of this program made. What may be done with it is not known here.
    Other(Word),
}

words!(State { Active: "active", Yanked: "yanked", Deleted: "deleted" });

/// What can be changed of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReleaseChange {
    /// Takes it out of `latest`; it can still be downloaded by number. Refused while it is tagged.
    Yank,
    /// Takes that back.
    Unyank,
    /// Makes it read as not found, permanently; its blob can be collected. Refused while it is tagged, and while it is
    /// active and one rollback of a tag goes to it.
    Delete,
    /// Adds labels. Refused if it has one of them with another value.
    Label(Labels),
}

/// All that is known of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The package.
    pub package: PackageName,
    /// Its number.
    pub version: Version,
    /// Its bytes.
    pub blob: Blob,
    /// Its labels.
    pub labels: Labels,
    /// What its author said of it.
    pub message: Option<Message>,
    /// What may be done with it.
    pub state: State,
    /// When it was added, by the clock of who added it.
    pub added_at: Timestamp,
    /// Who added it.
    pub added_by: Actor,
    /// The tags on it when it was read, `latest` first, then by name. Read apart from the version itself, so the
    /// two are not one snapshot.
    pub tags: Vec<String>,
    /// Where it was found by a tag: the revision at which that tag was last changed. It grows with every change of
    /// the tag, so a deployer can refuse an instruction that is older than one it has seen (a fencing token).
    pub rev: Option<u64>,
}
