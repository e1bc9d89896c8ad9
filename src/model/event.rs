//! What happened to a package.

use super::{Actor, Labels, Message, PackageName, Protection, TagName, Timestamp, Version, Word};
use std::fmt;

/// One entry of a package's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The package.
    pub package: PackageName,
    /// What happened.
    pub kind: EventKind,
    /// The tag that it happened to, if to one.
    pub tag: Option<TagName>,
    /// The version that it happened to, or that the tag was on after it.
    pub version: Option<Version>,
    /// The version that the tag was on before it.
    pub previous: Option<Version>,
    /// The labels that the version was added with, or that were added to it.
    pub labels: Labels,
    /// How the tag is protected after it.
    pub protection: Option<Protection>,
    /// Its place in its log: the releases of the package, or its tags, each have a log of their own.
    pub rev: u64,
    /// When, by the clock of who did it.
    pub at: Timestamp,
    /// Who did it.
    pub by: Actor,
    /// Why.
    pub message: Option<Message>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// A version was added.
    Add,
    /// A version was taken out of `latest`.
    Yank,
    /// That was taken back.
    Unyank,
    /// A version was deleted.
    Delete,
    /// Labels were added to a version.
    Label,
    /// A tag was put on a version.
    Move,
    /// A tag was put back to where it was before.
    Rollback,
    /// A tag was taken off.
    Untag,
    /// A tag was protected.
    Protect,
    /// That was taken back.
    Unprotect,
    /// A writer whose own outcome was unknown made sure that its late copies can't land; in the log of releases.
    ReleaseFence,
    /// The same, in the log of tags.
    TagFence,
    /// Something that a newer release of this program wrote into the log of releases. What it means is not known here.
    OtherOfReleases(Word),
    /// The same, in the log of tags.
    OtherOfTags(Word),
}

impl EventKind {
    /// Whether it is of the log of the package's tags; else it is of that of its releases.
    #[must_use]
    pub fn is_of_tags(self) -> bool {
        matches!(
            self,
            Self::Move
                | Self::Rollback
                | Self::Untag
                | Self::Protect
                | Self::Unprotect
                | Self::TagFence
                | Self::OtherOfTags(_)
        )
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::OtherOfReleases(word) | Self::OtherOfTags(word) => word.as_str(),
            Self::Add => "add",
            Self::Yank => "yank",
            Self::Unyank => "unyank",
            Self::Delete => "delete",
            Self::Label => "label",
            Self::Move => "move",
            Self::Rollback => "rollback",
            Self::Untag => "untag",
            Self::Protect => "protect",
            Self::Unprotect => "unprotect",
            Self::ReleaseFence | Self::TagFence => "fence",
        })
    }
}
