//! What survives a power cut: a file is flushed before it gets its name, and the directory after. Each step is told of
//! at the level TRACE, with which a test holds whoever publishes a file to this order.

use std::{fs::File, io, path::Path};
use tempfile::{NamedTempFile, PersistError};
use tracing::trace;

/// Flushes a file.
pub(crate) fn flush(file: &File, path: &Path) -> io::Result<()> {
    file.sync_all()?;
    trace!(path = %path.display(), "flushed");
    Ok(())
}

/// Gives a file that was flushed its name; over what is there only with `replace`. The directory is still to be flushed.
pub(crate) fn name(temporary: NamedTempFile, path: &Path, replace: bool) -> Result<(), PersistError> {
    let from = temporary.path().to_owned();
    let named = if replace { temporary.persist(path) } else { temporary.persist_noclobber(path) };
    named?;
    trace!(from = %from.display(), path = %path.display(), "named");
    Ok(())
}

/// Flushes a directory: what was named, made or removed in it.
pub(crate) fn flush_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()?;
    trace!(path = %directory.display(), "flushed");
    Ok(())
}
