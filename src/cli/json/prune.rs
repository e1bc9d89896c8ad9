//! The lines of `prune`.

use crate::{
    model::{PackageName, Version},
    ops::{PruneAction, PruneReason, PrunedVersion},
};
use serde::Serialize;

/// A version that `prune` keeps or deletes.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct PrunedLine<'a> {
    package: &'a PackageName,
    version: Version,
    action: &'static str,
    reasons: Vec<String>,
}

impl<'a> PrunedLine<'a> {
    pub fn of(version: &'a PrunedVersion) -> Self {
        Self {
            package: &version.package,
            version: version.version,
            action: pruned_word(version.action),
            reasons: version.reasons.iter().map(PruneReason::to_string).collect(),
        }
    }
}

/// Returns the word for the fate of a version.
pub(in crate::cli) fn pruned_word(action: PruneAction) -> &'static str {
    match action {
        PruneAction::Keep => "keep",
        PruneAction::Delete => "delete",
        PruneAction::Deleted => "deleted",
    }
}
