//! The tags of many packages, as they are or as they were.

use super::{Actor, Freeze, PackageName, Protection, State, TagName, Timestamp, Version};

/// A package and the positions of its tags.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PackageStatus {
    /// The package.
    pub package: PackageName,
    /// The present `latest`: the highest active version.
    pub latest: Option<Version>,
    /// The tags, by name. All versions are those of one instant.
    pub tags: Vec<TagStatus>,
    /// The freezes of the package when [`Client::status`](crate::ops::Client::status) began. Empty in a status of the past.
    pub freezes: Vec<Freeze>,
}

/// The position of one tag.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TagStatus {
    /// The tag.
    pub tag: TagName,
    /// The version that the tag is on, or was on at the time that was asked for. `None` only in a status of the past,
    /// for a tag that was on no version then and is on one now.
    pub version: Option<Version>,
    /// The revision of the tag's last change by then.
    pub rev: u64,
    /// The time since which the tag is on this version.
    pub since: Timestamp,
    /// The author of that move.
    pub by: Actor,
    /// The protection of the tag by then.
    pub protection: Option<Protection>,
    /// For a status of the past: the position at present.
    pub now: Option<TagNow>,
}

/// The present position of a tag that a status of the past shows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TagNow {
    /// The version that the tag is on now.
    pub version: Option<Version>,
    /// The protection of the tag now.
    pub protection: Option<Protection>,
    /// The present state of the version that the tag was on then: it may have been yanked or deleted since.
    pub state: Option<State>,
}

impl PackageStatus {
    /// Returns the position of a tag.
    #[must_use]
    pub fn tag(&self, name: &TagName) -> Option<&TagStatus> {
        self.tags.iter().find(|tag| tag.tag == *name)
    }

    /// Returns the number of versions from this one to the present `latest`: 0 if it is `latest` or above it. Versions
    /// that were yanked or deleted count, too.
    #[must_use]
    pub fn behind(&self, version: Version) -> u64 {
        self.latest.map_or(0, |latest| latest.get().saturating_sub(version.get()))
    }
}
