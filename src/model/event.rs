//! The events of a package.

use super::{
    Actor, Gates, Labels, Message, Override, PackageName, Protection, TagName, Timestamp, Version, Word,
};
use std::fmt;

/// One entry of a package's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The package.
    pub package: PackageName,
    /// The kind of the event.
    pub kind: EventKind,
    /// The tag that it changed, if any.
    pub tag: Option<TagName>,
    /// The version that it changed, or that the tag was on after it.
    pub version: Option<Version>,
    /// The version that the tag was on before it.
    pub previous: Option<Version>,
    /// The labels that the version was added with, or that were added to it.
    pub labels: Labels,
    /// The protection of the tag after it.
    pub protection: Option<Protection>,
    /// The standing gates of the tag after it.
    pub gates: Gates,
    /// True if the standing gates can't be overridden.
    pub no_override: bool,
    /// The standing gates that it passed over, if it did.
    pub overridden: Option<Override>,
    /// The revision in its log: the releases of the package, and its tags, each have a log of their own.
    pub rev: u64,
    /// The time, by the clock of its author.
    pub at: Timestamp,
    /// The author.
    pub by: Actor,
    /// The reason.
    pub message: Option<Message>,
    /// The reason of the emergency, for a move that passed a freeze.
    pub emergency: Option<Message>,
}

/// The kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// A version was added.
    Add,
    /// A version was yanked: it is no longer `latest`.
    Yank,
    /// A version was unyanked.
    Unyank,
    /// A version was deleted.
    Delete,
    /// The deletion of a version was reversed.
    Undelete,
    /// Labels were added to a version.
    Label,
    /// A tag was put on a version.
    Move,
    /// A tag was rolled back to an earlier version.
    Rollback,
    /// A tag was removed from its version.
    Untag,
    /// A tag was protected.
    Protect,
    /// The protection of a tag was removed.
    Unprotect,
    /// A writer with an unknown outcome fenced the log of releases, so that its late copies can't land.
    ReleaseFence,
    /// A writer with an unknown outcome fenced the log of tags.
    TagFence,
    /// An event in the log of releases whose kind a newer release of this program added. Its meaning is not known here.
    OtherOfReleases(Word),
    /// An event in the log of tags whose kind a newer release of this program added.
    OtherOfTags(Word),
}

impl EventKind {
    /// Returns true for an event in the log of the package's tags; else it is in that of its releases.
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
            Self::Undelete => "undelete",
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
