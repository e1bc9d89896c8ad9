//! The lock that writers of one machine take in turn. It saves them lost races; no guarantee depends on it.

use super::command;
use crate::fault::{Fault, FaultKind};
use std::{
    fs::{File, TryLockError},
    io,
    path::Path,
    time::Duration,
};

/// The maximum time that a process waits for the others.
const PATIENCE: Duration = Duration::from_secs(10);

/// The lock, held until it is dropped. It is the file's only handle, so that closing it releases the lock.
#[derive(Debug)]
pub(super) struct Locked(#[expect(dead_code, reason = "it is held")] Option<File>);

/// Waits for the lock on a file.
///
/// # Errors
/// [`FaultKind::Contended`] if others have it for too long.
pub(super) async fn lock(path: &Path, doing: &str) -> Result<Locked, Fault> {
    let disk = |error: io::Error| Fault::new(FaultKind::Disk, doing, error);
    let opened = File::options().create(true).append(true).open(path).or_else(|_| File::open(path));
    let file = match opened {
        Ok(file) => file,
        // Git will say that nothing can be written here.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(Locked(None)),
        Err(error) => return Err(disk(error)),
    };
    match file.try_lock() {
        Ok(()) => return Ok(Locked(Some(file))),
        // A file system without locks: then only the ref decides.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
            return Ok(Locked(None));
        }
        Err(_) => {}
    }
    // A thread that nobody waits for any more releases the lock as soon as it gets it.
    let waiting = tokio::task::spawn_blocking(move || file.lock().map(|()| Locked(Some(file))));
    let end = command::end().min(tokio::time::Instant::now() + PATIENCE);
    match tokio::time::timeout_at(end, waiting).await {
        Ok(Ok(locked)) => locked.map_err(disk),
        Ok(Err(stopped)) => Err(Fault::new(FaultKind::Unavailable, doing, stopped)),
        Err(_) => {
            let why = format!("another process holds `{}` for too long", path.display());
            Err(Fault::new(FaultKind::Contended, doing, why))
        }
    }
}

/// Takes the lock if it is free.
pub(super) fn try_lock(path: &Path) -> Option<Locked> {
    let file = File::options().create(true).append(true).open(path).ok()?;
    file.try_lock().ok()?;
    Some(Locked(Some(file)))
}
