//! What survives a power cut: a file is flushed before it gets its name, and the directory after. Each step is told of
//! at the level TRACE, with which a test holds whoever publishes a file to this order.

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

/// Writes some bytes to their place in a file that has nothing there yet. Where nothing but zeros comes, that stays a
/// hole; whoever is done sets the file's length.
pub(crate) fn write_sparsely(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    const ZEROS: [u8; 4096] = [0; 4096];
    if bytes.chunks(ZEROS.len()).all(|some| some == &ZEROS[..some.len()]) {
        return Ok(());
    }
    file.write_all_at(bytes, at)
}

/// Flushes a file. Where the file system can't, its bytes are as durable as it makes them.
pub(crate) fn flush(file: &File, path: &Path) -> io::Result<()> {
    sync(file, path, "fsync")
}

fn sync(file: &File, path: &Path, failpoint: &str) -> io::Result<()> {
    match uninterrupted(|| failpoint::errno(failpoint).and_then(|()| file.sync_all())) {
        Ok(()) => trace!(path = %path.display(), "flushed"),
        Err(error) if is_unsupported(&error) => {
            debug!(path = %path.display(), %error, "the file system flushes nothing here");
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

/// EINVAL, ENOTSUP, EOPNOTSUPP or ENOSYS: see [fsync(2)](https://man7.org/linux/man-pages/man2/fsync.2.html).
fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
}

/// Makes a call again while a signal interrupts it.
pub(crate) fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// Reads some bytes, at least one unless this is the end. A signal that interrupts it changes nothing.
pub(crate) fn read_some(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    uninterrupted(|| failpoint::errno("read").and_then(|()| file.read(buffer)))
}

/// Makes a directory, and those above it, that only this user may use. One that is there stays as it is.
pub(crate) fn make_private(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// Makes a directory and those above it, durably. One that is there is fine.
pub(crate) fn make_dir(dir: &Path) -> io::Result<()> {
    make(dir, 0o777)
}

/// As [`make_dir`], and nobody else may look into what is made.
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
        // Another process made it. Its entry may not be durable yet, so it is flushed all the same.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
        result => result?,
    }
    flush_directory(parent)
}

/// The options to open a file to read and write it, if no link leads to it. Nobody waits at the end of a pipe.
pub(crate) fn not_by_a_link() -> OpenOptions {
    let mut options = File::options();
    options.read(true).write(true).custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    options
}

/// Opens a file to read and write it, and makes it where it is not there. A link is not followed, and a file that has
/// another name as well is refused: what is written goes to this file and to no other.
///
/// # Errors
/// `InvalidInput` for what is not such a file.
pub(crate) fn open_own(path: &Path) -> io::Result<File> {
    let file = not_by_a_link().create(true).truncate(false).mode(0o600).open(path)?;
    let found = file.metadata()?;
    // It has no name any more if it was removed meanwhile.
    if found.is_file() && found.nlink() <= 1 {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file with one name"))
}

/// Returns true if files of this process in a directory have this owner: its user, or the one that the file system gives to
/// what it makes there, as one does that maps users (NFS, a container's volume).
pub(crate) fn is_own(directory: Option<&Path>, uid: u32) -> bool {
    let user = failpoint::number("uid").map_or_else(|| geteuid().as_raw(), i32::cast_unsigned);
    let given = || {
        let made = tempfile::Builder::new().prefix(".sacker-").tempfile_in(directory?).ok()?;
        Some(made.as_file().metadata().ok()?.uid())
    };
    uid == user || given() == Some(uid)
}

/// Makes sure that the file system of an open file has room for this many bytes more. One that does not say how large
/// it is has room.
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

/// Gives a file that was flushed its name; over what is there only with `replace`. The directory is still to be flushed.
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

/// Flushes a directory: what was named, made or removed in it.
pub(crate) fn flush_directory(directory: &Path) -> io::Result<()> {
    sync(&File::open(directory)?, directory, "fsync-directory")
}

/// Has what is written to a file brought to the disk while more of it is written, so that little is left to be flushed
/// in the end. It makes nothing durable.
#[derive(Debug)]
pub(crate) struct WriteBack<'a> {
    file: &'a File,
    begun: u64,
}

impl<'a> WriteBack<'a> {
    /// Too often would make many small writes of it.
    const STEP: u64 = 8 << 20;

    /// Of this file, from its beginning.
    pub fn of(file: &'a File) -> Self {
        Self { file, begun: 0 }
    }

    /// All up to `end` has been written, and will be read again only if it is still in memory.
    pub fn up_to(&mut self, end: u64) {
        if end - self.begun < Self::STEP {
            return;
        }
        begin_write_back(self.file, self.begun, end - self.begun);
        self.begun = end;
    }
}

/// Linux begins to write what it is told will not be needed, does not wait for that, and keeps what is not written yet.
#[cfg(target_os = "linux")]
fn begin_write_back(file: &File, at: u64, length: u64) {
    // Where it can't be done, all is written in the end.
    let _ = rustix::fs::fadvise(file, at, NonZeroU64::new(length), rustix::fs::Advice::DontNeed);
}

/// Nothing else says so without waiting.
#[cfg(not(target_os = "linux"))]
fn begin_write_back(_: &File, _: u64, _: u64) {}
