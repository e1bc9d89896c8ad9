//! Durable file operations: a file is flushed before it gets its name, and the directory after. Each step is logged at
//! the level TRACE, so that a test can check this order for every published file.

use crate::failpoint;
use rustix::{fs::OFlags, process::geteuid};
#[cfg(target_os = "linux")]
use std::num::NonZeroU64;
use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt},
    path::Path,
};
use tempfile::{NamedTempFile, PersistError};
use tracing::{debug, trace};

/// Writes bytes at their place in a file that has nothing there yet. A range of only zeros stays a hole; the caller
/// sets the file's length at the end.
pub(crate) fn write_sparsely(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    const ZEROS: [u8; 4096] = [0; 4096];
    if bytes.chunks(ZEROS.len()).all(|some| some == &ZEROS[..some.len()]) {
        return Ok(());
    }
    file.write_all_at(bytes, at)
}

/// Flushes a file. If the file system can't, the bytes are as durable as it makes them.
pub(crate) fn flush(file: &File, path: &Path) -> io::Result<()> {
    sync(file, path, "fsync")
}

fn sync(file: &File, path: &Path, failpoint: &str) -> io::Result<()> {
    match uninterrupted(|| failpoint::errno(failpoint).and_then(|()| file.sync_all())) {
        Ok(()) => trace!(path = %path.display(), "flushed"),
        Err(error) if is_unsupported(&error) => {
            debug!(path = %path.display(), %error, "the file system does not support flushing");
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

/// EINVAL, ENOTSUP, EOPNOTSUPP or ENOSYS: see [fsync(2)](https://man7.org/linux/man-pages/man2/fsync.2.html).
fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
}

/// Repeats a call while a signal interrupts it.
pub(crate) fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// Reads some bytes, at least one unless this is the end. A signal that interrupts it has no effect.
pub(crate) fn read_some(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    uninterrupted(|| failpoint::errno("read").and_then(|()| file.read(buffer)))
}

/// Creates a directory and its parents, accessible only to this user. An existing one is not changed.
pub(crate) fn make_private(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// Creates a directory and its parents, durably. An existing one is allowed.
pub(crate) fn make_dir(dir: &Path) -> io::Result<()> {
    make(dir, 0o777)
}

/// Does the same as [`make_dir`], and makes new directories inaccessible to other users.
pub(crate) fn make_private_dir(dir: &Path) -> io::Result<()> {
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
    match DirBuilder::new().mode(mode).create(dir) {
        // Another process created it. Its entry may not be durable yet, so it is flushed all the same.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
        result => result?,
    }
    flush_directory(parent)
}

/// Returns the options to open a file for reading and writing without following a link or blocking on a pipe.
pub(crate) fn not_by_a_link() -> OpenOptions {
    let mut options = File::options();
    options.read(true).write(true).custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    options
}

/// Opens a file for reading and writing, and creates it if it is missing. A link is not followed, and a file that has
/// another name as well is refused: the data goes to this file and to no other.
///
/// # Errors
/// `InvalidInput` for anything but such a file.
pub(crate) fn open_own(path: &Path) -> io::Result<File> {
    let file = not_by_a_link().create(true).truncate(false).mode(0o600).open(path)?;
    let found = file.metadata()?;
    // The file has no name any more if it was removed in the meantime.
    if found.is_file() && found.nlink() <= 1 {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file with exactly one name"))
}

/// Returns true if files of this process in a directory have this owner: its user, or the one that the file system
/// assigns to new files, if it maps users (NFS, a container's volume).
pub(crate) fn is_own(directory: Option<&Path>, uid: u32) -> bool {
    let user = failpoint::number("uid").map_or_else(|| geteuid().as_raw(), i32::cast_unsigned);
    let given = || {
        let made = tempfile::Builder::new().prefix(".sacker-").tempfile_in(directory?).ok()?;
        Some(made.as_file().metadata().ok()?.uid())
    };
    uid == user || given() == Some(uid)
}

/// Checks that the file system of an open file has space for this many more bytes. A file system that does not report
/// its size passes.
///
/// # Errors
/// `StorageFull`, with both numbers.
pub(crate) fn room(file: &File, needed: u64) -> io::Result<()> {
    let free = match failpoint::number("free") {
        Some(free) => u64::try_from(free).unwrap_or_default(),
        None => match rustix::fs::fstatvfs(file) {
            Ok(system) if system.f_blocks > 0 => system.f_bavail.saturating_mul(system.f_frsize),
            _ => return Ok(()),
        },
    };
    if needed <= free {
        return Ok(());
    }
    let why = format!("No space left on device: {needed} bytes are needed, and {free} are free");
    Err(io::Error::new(io::ErrorKind::StorageFull, why))
}

/// Gives a flushed file its name; replaces an existing file only with `replace`. The directory must still be flushed.
pub(crate) fn name(temporary: NamedTempFile, path: &Path, replace: bool) -> Result<(), PersistError> {
    let from = temporary.path().to_owned();
    if let Err(error) = failpoint::errno("name") {
        return Err(PersistError { error, file: temporary });
    }
    let named = if replace { temporary.persist(path) } else { temporary.persist_noclobber(path) };
    named?;
    trace!(from = %from.display(), path = %path.display(), "named");
    Ok(())
}

/// Returns the directory that a path names a file in.
pub(crate) fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Flushes a directory, so that names that were added or removed in it are durable.
pub(crate) fn flush_directory(directory: &Path) -> io::Result<()> {
    sync(&File::open(directory)?, directory, "fsync-directory")
}

/// Starts writing a file's data to the disk while more of it is written, so that little is left to flush at the end. It
/// makes nothing durable.
#[derive(Debug)]
pub(crate) struct WriteBack<'a> {
    file: &'a File,
    begun: u64,
}

impl<'a> WriteBack<'a> {
    /// A smaller step would cause many small writes.
    const STEP: u64 = 8 << 20;

    /// Begins at the start of this file.
    pub fn of(file: &'a File) -> Self {
        Self { file, begun: 0 }
    }

    /// Records that all bytes up to `end` have been written. They need not stay in memory.
    pub fn up_to(&mut self, end: u64) {
        if end - self.begun < Self::STEP {
            return;
        }
        begin_write_back(self.file, self.begun, end - self.begun);
        self.begun = end;
    }
}

/// Starts write-back by advising Linux that the data will not be needed: Linux begins to write it without blocking, and
/// keeps it until it is written.
#[cfg(target_os = "linux")]
fn begin_write_back(file: &File, at: u64, length: u64) {
    // If the advice fails, all data is written at the end.
    let _ = rustix::fs::fadvise(file, at, NonZeroU64::new(length), rustix::fs::Advice::DontNeed);
}

/// Does nothing: other systems have no call for this that does not wait.
#[cfg(not(target_os = "linux"))]
fn begin_write_back(_: &File, _: u64, _: u64) {}
