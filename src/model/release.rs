//! What the ledger knows of versions and tags.

use super::{
    Actor, Digest, FileName, Invalid, Labels, Message, PackageName, TagName, Timestamp, Version, Word, words,
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// How often the blob with some digest was collected before this object of it was stored.
pub type Generation = u64;

/// Where a blob's bytes are: its sha256, and which generation of it.
///
/// A generation that was condemned is never used again, so deleting it is safe however late the deletion arrives.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// The sha256 of the bytes.
    pub sha256: Digest,
    /// The generation.
    pub generation: Generation,
}

impl Address {
    /// How many generations an epoch has: more than any blob is ever collected times.
    const EPOCH: Generation = 1_000_000_000;

    /// The last epoch of which all generations are numbers that every JSON reader keeps exact.
    pub const LAST_EPOCH: u64 = (1 << 53) / Self::EPOCH - 1;

    /// The epoch that the generation belongs to: how many times its store had been adopted by another ledger.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        epoch(self.generation)
    }
}

/// The epoch that a generation belongs to.
pub(crate) fn epoch(generation: Generation) -> u64 {
    generation / Address::EPOCH
}

/// The first generation of an epoch.
#[must_use]
pub fn first_generation(epoch: u64) -> Generation {
    epoch.saturating_mul(Address::EPOCH)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.generation {
            0 => write!(f, "{}", self.sha256),
            generation => write!(f, "{}.{generation}", self.sha256),
        }
    }
}

impl FromStr for Address {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let Some((sha256, generation)) = text.split_once('.') else {
            return Ok(Self { sha256: text.parse()?, generation: 0 });
        };
        let canonical = |n: &Generation| *n > 0 && n.to_string() == generation;
        let generation = generation
            .parse()
            .ok()
            .filter(canonical)
            .ok_or_else(|| Invalid::new("blob address", text, "has no generation after the `.`"))?;
        Ok(Self { sha256: sha256.parse()?, generation })
    }
}

/// What is needed to fetch a blob and to write it as a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Where its bytes are.
    pub address: Address,
    /// How many bytes.
    pub size: u64,
    /// The name its file had, where it had one.
    pub filename: Option<FileName>,
    /// The permission bits its file had, where it had any.
    pub mode: Option<Mode>,
}

/// The permission bits of a file: 0 to 0777, printed as `0644`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "u32", into = "u32")]
pub struct Mode(u32);

impl From<u32> for Mode {
    /// Keeps the permission bits alone: set-user-ID, set-group-ID and sticky are never recorded nor restored.
    fn from(bits: u32) -> Self {
        Self(bits & 0o777)
    }
}

impl From<Mode> for u32 {
    fn from(mode: Mode) -> u32 {
        mode.0
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

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

/// What happened to a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TagKind {
    /// It was put on a version.
    Move,
    /// It was put back to where it was before.
    Rollback,
    /// It was taken off.
    Untag,
    /// It was protected.
    Protect,
    /// Its protection was taken away.
    Unprotect,
    /// A writer whose own outcome was unknown made sure that its late copies can't land.
    Fence,
    /// A newer release of this program wrote it. What it means is not known here.
    Other(Word),
}

words!(TagKind {
    Move: "move",
    Rollback: "rollback",
    Untag: "untag",
    Protect: "protect",
    Unprotect: "unprotect",
    Fence: "fence",
});

/// One change of one tag. Where nothing had to change, the tag as it stands, with `previous` equal to `version`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagMove {
    /// The package.
    pub package: PackageName,
    /// The tag.
    pub tag: TagName,
    /// What it is on now.
    pub version: Option<Version>,
    /// What it was on before.
    pub previous: Option<Version>,
    /// What happened.
    pub kind: TagKind,
    /// The revision of the package's tag log at which it happened: it grows with every change of any tag of the
    /// package, so it can serve as a fencing token.
    pub rev: u64,
    /// When, by the clock of who did it.
    pub moved_at: Timestamp,
    /// Who did it.
    pub moved_by: Actor,
    /// Why.
    pub message: Option<Message>,
    /// How it is protected.
    pub protection: Option<Protection>,
}

/// What keeps a tag from being moved by a slip. Whoever can move a tag can also take its protection away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protection {
    /// Once it is on a version, it stays there.
    WriteOnce,
    /// Whoever moves it has to give its name once more.
    Confirm,
    /// A newer release of this program made it. This one neither moves such a tag nor takes the protection away.
    Other(Word),
}

words!(Protection { WriteOnce: "write-once", Confirm: "confirm" });

/// The tags of a package that are on a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tagged {
    /// The highest active version.
    pub latest: Option<Version>,
    /// The last change of each tag that is on a version, ordered by tag.
    pub tags: Vec<TagMove>,
}

/// A package in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageSummary {
    /// The package.
    pub package: PackageName,
    /// The last number given.
    pub versions: Version,
    /// The highest active version.
    pub latest: Option<Version>,
    /// The size of `latest`, in bytes.
    pub size: Option<u64>,
    /// When its releases were last changed.
    pub changed_at: Timestamp,
}
