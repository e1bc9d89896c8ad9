//! The notice that nothing is configured, so that the embedded ledger is used: at most once a day.

use crate::durable;
use std::{fs, io::Write, os::unix::ffi::OsStrExt, path::Path, time::Duration};

/// How long a notice counts as given.
const DAY: Duration = Duration::from_hours(24);

/// The name of the file that says for which directory a notice was given, and by its time when.
const MARK: &str = "embedded-noticed";

/// Returns whether a change of the embedded ledger in `directory` is to be noticed: always where it is about to be
/// made, and else where the cache does not show a notice of the last day.
pub(super) fn is_due(directory: &Path, cache: Option<&Path>) -> bool {
    !directory.join("ledger/ledger.db").exists()
        || !cache.is_some_and(|cache| is_noticed(directory, &cache.join(MARK)).unwrap_or_default())
}

fn is_noticed(directory: &Path, mark: &Path) -> std::io::Result<bool> {
    // A time in the future is no time of a notice.
    let age = fs::metadata(mark)?.modified()?.elapsed().ok();
    Ok(age.is_some_and(|age| age < DAY) && fs::read(mark)? == directory.as_os_str().as_bytes())
}

/// Remembers that a notice was given. Where that can't be, the next change gives it again.
pub(super) fn noticed(directory: &Path, cache: Option<&Path>) {
    let Some(cache) = cache else { return };
    let write = || {
        durable::make_private(cache)?;
        let mut mark = durable::open_own(&cache.join(MARK))?;
        mark.set_len(0)?;
        mark.write_all(directory.as_os_str().as_bytes())
    };
    write().unwrap_or_else(|error: std::io::Error| tracing::debug!(%error, "the notice is not remembered"));
}
