//! The notice that the embedded ledger is used because nothing is configured; given at most once a day.

use crate::durable;
use std::{fs, io::Write, os::unix::ffi::OsStrExt, path::Path, time::Duration};

/// The time for which a notice is not repeated.
const DAY: Duration = Duration::from_hours(24);

/// The file that records the last notice: its content is the directory, its modification time the time.
const MARK: &str = "embedded-noticed";

/// Returns true if a change of the embedded ledger in `directory` needs a notice: always when the ledger is about to
/// be created, else when the cache records no notice within the last day.
pub(super) fn is_due(directory: &Path, cache: Option<&Path>) -> bool {
    !directory.join("ledger/ledger.db").exists()
        || !cache.is_some_and(|cache| is_noticed(directory, &cache.join(MARK)).unwrap_or_default())
}

fn is_noticed(directory: &Path, mark: &Path) -> std::io::Result<bool> {
    // A modification time in the future doesn't count.
    let age = fs::metadata(mark)?.modified()?.elapsed().ok();
    Ok(age.is_some_and(|age| age < DAY) && fs::read(mark)? == directory.as_os_str().as_bytes())
}

/// Records that a notice was given. If that fails, the next change gives it again.
pub(super) fn noticed(directory: &Path, cache: Option<&Path>) {
    let Some(cache) = cache else { return };
    let write = || {
        durable::make_private(cache)?;
        let mut mark = durable::open_own(&cache.join(MARK))?;
        mark.set_len(0)?;
        mark.write_all(directory.as_os_str().as_bytes())
    };
    write().unwrap_or_else(|error: std::io::Error| tracing::debug!(%error, "can't record the notice"));
}
