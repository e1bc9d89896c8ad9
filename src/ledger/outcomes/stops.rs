//! The stops of a package's tags.

use crate::model::{PackageName, TagName, Version};
use std::collections::BTreeMap;

/// The versions that the tags of a package are on, and the *stops* of these tags: the versions that their next rollbacks
/// would put them on. Read with the revisions of both logs first, so that all of it is as of one instant if neither log
/// has changed since: that is a condition of each deletion by [`Ledger::prune`](crate::ledger::Ledger::prune).
///
/// A tag that was removed has stops, too: a rollback puts it back.
#[derive(Debug, Clone)]
pub struct Stops {
    pub(in crate::ledger) package: PackageName,
    /// The revs of the heads of the tag log and of the release log; 0 for a log without entries.
    pub(in crate::ledger) tags_rev: u64,
    pub(in crate::ledger) releases_rev: u64,
    pub(in crate::ledger) on: BTreeMap<Version, Vec<TagName>>,
    pub(in crate::ledger) of: BTreeMap<Version, Vec<Stop>>,
}

/// A version as the target of a rollback of a tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Stop {
    /// The number of rollbacks after which the tag is on the version. Versions that a rollback can't go to now are not
    /// counted.
    pub rollbacks: u16,
    /// The tag.
    pub tag: TagName,
}

impl Stops {
    /// Returns the tags that are on a version, except `latest`.
    #[must_use]
    pub fn on(&self, version: Version) -> &[TagName] {
        self.on.get(&version).map_or(&[], Vec::as_slice)
    }

    /// Returns the tags that rollbacks would put on a version, each with the least number of rollbacks.
    #[must_use]
    pub fn of(&self, version: Version) -> &[Stop] {
        self.of.get(&version).map_or(&[], Vec::as_slice)
    }

    /// Follows a deletion of a version that is no stop, which the ledger has just reported.
    pub(crate) fn after_deletion(&mut self) {
        self.releases_rev += 1;
    }
}
