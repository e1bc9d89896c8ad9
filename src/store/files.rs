//! Files and directories: what the standard library leaves to be done.

use crate::durable::flush_directory;
use std::{
    fs,
    io::{self, Read},
    os::unix::fs::DirBuilderExt,
    path::Path,
};

/// Makes a directory and those above it, durably. One that is there is fine.
pub(super) fn make_dir(dir: &Path) -> io::Result<()> {
    make(dir, 0o777)
}

/// As [`make_dir`], and nobody else may look into what is made.
pub(super) fn make_private_dir(dir: &Path) -> io::Result<()> {
    make(dir, 0o700)
}

fn make(dir: &Path, mode: u32) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let parent = match dir.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    make(parent, mode)?;
    match fs::DirBuilder::new().mode(mode).create(dir) {
        // Another process made it. Its entry may not be durable yet, so it is flushed all the same.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
        result => result?,
    }
    flush_directory(parent)
}

/// What is not there is no error.
pub(super) fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads what comes, past interruptions.
pub(super) fn read(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match from.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Runs what blocks on a thread where it may.
pub(super) async fn threaded<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that is shut down cancels it, and then nobody is there to be told.
            Err(_) => std::future::pending().await,
        },
    }
}
