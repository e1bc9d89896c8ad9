//! What the ledger knows of tags.

use super::{Actor, Message, PackageName, TagName, Timestamp, Version, Word, words};

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
