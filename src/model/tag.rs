//! Tags and their changes.

use super::{Actor, Gates, Message, Override, PackageName, TagName, Timestamp, Version, Word, words};

/// The kind of a change of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TagKind {
    /// The tag was put on a version.
    Move,
    /// The tag was rolled back to an earlier version.
    Rollback,
    /// The tag was removed from its version.
    Untag,
    /// The tag was protected.
    Protect,
    /// The protection was removed.
    Unprotect,
    /// A writer with an unknown outcome fenced the log, so that its late copies can't land.
    Fence,
    /// A kind that a newer release of this program added. Its meaning is not known here.
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

/// One change of one tag. If nothing had to change: the present state of the tag, with `previous` equal to `version`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagMove {
    /// The package.
    pub package: PackageName,
    /// The tag.
    pub tag: TagName,
    /// The version after the change.
    pub version: Option<Version>,
    /// The version before the change.
    pub previous: Option<Version>,
    /// The kind of the change.
    pub kind: TagKind,
    /// The revision of the package's tag log at the change. It grows with every change of any tag of the package, so it
    /// can serve as a fencing token.
    pub rev: u64,
    /// The time of the change, by the clock of its author.
    pub moved_at: Timestamp,
    /// The author.
    pub moved_by: Actor,
    /// The reason.
    pub message: Option<Message>,
    /// The protection after the change.
    pub protection: Option<Protection>,
    /// The standing gates after the change. Not empty if and only if the protection has gates.
    pub gates: Gates,
    /// True if the standing gates can't be overridden.
    pub no_override: bool,
    /// The standing gates that this change passed over, if it did.
    pub overridden: Option<Override>,
}

/// Protection of a tag against accidental moves. Anyone who can move a tag can also remove its protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protection {
    /// The tag stays on its first version.
    WriteOnce,
    /// A move must repeat the name of the tag.
    Confirm,
    /// A move forward must pass the standing gates of the tag.
    Gates,
    /// Both [`WriteOnce`](Self::WriteOnce) and [`Gates`](Self::Gates).
    WriteOnceGates,
    /// Both [`Confirm`](Self::Confirm) and [`Gates`](Self::Gates).
    ConfirmGates,
    /// A protection that a newer release of this program added. This release neither moves such a tag nor removes the
    /// protection.
    Other(Word),
}

words!(Protection {
    WriteOnce: "write-once",
    Confirm: "confirm",
    Gates: "gates",
    WriteOnceGates: "write-once-gates",
    ConfirmGates: "confirm-gates",
});

impl Protection {
    /// Returns true if the tag has standing gates.
    #[must_use]
    pub fn has_gates(self) -> bool {
        matches!(self, Self::Gates | Self::WriteOnceGates | Self::ConfirmGates)
    }

    /// Returns the protection without the gates: write-once, confirm, or none.
    #[must_use]
    pub fn without_gates(self) -> Option<Self> {
        match self {
            Self::Gates => None,
            Self::WriteOnceGates => Some(Self::WriteOnce),
            Self::ConfirmGates => Some(Self::Confirm),
            other => Some(other),
        }
    }

    /// Returns the protection that has gates in addition to `other`.
    #[must_use]
    pub fn gates_and(other: Option<Self>) -> Self {
        match other {
            None | Some(Self::Gates) => Self::Gates,
            Some(Self::WriteOnce | Self::WriteOnceGates) => Self::WriteOnceGates,
            Some(Self::Confirm | Self::ConfirmGates) => Self::ConfirmGates,
            Some(Self::Other(word)) => Self::Other(word),
        }
    }
}

/// The tags of a package that are on a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tagged {
    /// The highest active version.
    pub latest: Option<Version>,
    /// The last change of each tag that is on a version, ordered by tag.
    pub tags: Vec<TagMove>,
}
