//! Reasons to keep a version whose deletion was decided on the stops of the package's tags.

use crate::ledger::schema::{Head, VersionItem};

/// The reasons to keep a version whose deletion was decided on the stops of the package's tags.
#[derive(Debug, Clone, Copy)]
pub(in crate::ledger) struct Guard<'a> {
    /// The rev of the release log as of which the stops were read.
    pub releases_rev: u64,
    /// The name of the label that keeps a version.
    pub label: Option<&'a str>,
    /// True if the version is a stop.
    pub is_stop: bool,
}

/// The reason of a guard to keep a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ledger) enum Kept {
    Latest,
    Labelled,
    Stop,
}

/// The answer of a guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    Kept(Kept),
    /// The release log has changed since the stops were read.
    Later,
}

impl Guard<'_> {
    /// Looks for a reason to keep the version.
    pub(super) fn look(self, version: &VersionItem, head: &Head) -> Found {
        if head.rev != self.releases_rev {
            return Found::Later;
        }
        let has = |name: &str| {
            version.labels.iter().chain(version.more_labels.iter()).any(|(label, _)| label == name)
        };
        let kept = match (head.latest == Some(version.n), self.label.is_some_and(has), self.is_stop) {
            (true, ..) => Kept::Latest,
            (_, true, _) => Kept::Labelled,
            (.., true) => Kept::Stop,
            _ => return Found::Nothing,
        };
        Found::Kept(kept)
    }
}
