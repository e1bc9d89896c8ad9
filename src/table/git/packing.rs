//! Combining packs. Each commit is a small pack of its own; many would slow down every read.

use super::{command::Git, lock::try_lock};
use std::path::Path;

/// The number of packs from which on they are combined.
pub(super) const MANY: usize = 32;

/// Returns the number of packs in a repository.
pub(super) fn packs(git_dir: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(git_dir.join("objects").join("pack")) else { return 0 };
    entries.flatten().filter(|entry| entry.file_name().as_encoded_bytes().ends_with(b".pack")).count()
}

/// Combines the smallest packs if there are many, such that each remaining one has at least twice the objects of all
/// smaller ones: the work grows as n log n with the number of commits. One process at a time does this; a failure
/// leaves the packs as they are.
pub(super) async fn combine(git: &Git, git_dir: &Path) {
    let geometric = ["repack", "--geometric=2", "-d", "-l", "-q", "-n"];
    run(git, git_dir, &geometric).await;
}

/// Combines all packs of a clone if there are many. A clone of which blobs are missing can only do it so.
pub(super) async fn combine_clone(git: &Git, git_dir: &Path) {
    run(git, git_dir, &["repack", "-a", "-d", "-q", "-n"]).await;
}

async fn run(git: &Git, git_dir: &Path, arguments: &[&str]) {
    if packs(git_dir) < MANY {
        return;
    }
    let Some(_lock) = try_lock(&git_dir.join("sacker-packing.lock")) else { return };
    if let Err(fault) = git.ok("combining packs", arguments, b"").await {
        tracing::debug!(source = %fault.source, "packs were not combined");
    }
}
