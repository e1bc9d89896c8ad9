//! The file that a download writes until it is complete. The next run resumes an interrupted file.
//!
//! The file is `.sacker-<sha256>.part` in the directory of the target, so that a run that downloads the same blob to the
//! same place finds it. It holds the blob's bytes, each part at its place. After the blob's end it holds the progress: a
//! header with the size of a part, and a byte for each part, set once the bytes of that part are written. So a kill at
//! any point costs only the parts in progress. The progress is cut off when the blob is complete and verified; a file
//! without it is complete and was only not named yet.
//!
//! Nothing in the file is trusted: the result must have the blob's sha256, or all of the blob is fetched again. The file
//! is locked while it is in use. A run that finds the file locked, or that finds anything other than a plain file of its
//! own user, uses a file with a random name, which is removed with the download; so does the download of a blob of one
//! part, since one part can't be resumed.

use crate::{durable, failpoint, model::Blob};
use std::{
    fs::{self, File, Metadata, Permissions, TryLockError},
    io,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};
use tempfile::{NamedTempFile, TempPath};
use tracing::debug;

/// The begin of the header.
const MAGIC: [u8; 8] = *b"sacker1\n";

/// The length of the header: [`MAGIC`], and the size of a part in bytes.
const HEADER: usize = 16;

/// The number of times that something else may come between before a random name is used. Each time means that someone else has just
/// given the file its name, or has removed it.
const ROUNDS: usize = 3;

/// A file that is being downloaded. When dropped it is gone, unless it has a part that another try can resume from.
#[derive(Debug)]
pub(super) struct Partial {
    temporary: Mutex<Option<NamedTempFile>>,
    path: PathBuf,
    file: Arc<File>,
    size: u64,
    part: u64,
    /// True for each part that was there when the file was opened. `None` for a file with a random name.
    there: Option<Vec<bool>>,
    keep: AtomicBool,
}

impl Partial {
    /// Opens or makes the file in which a blob is to come together, in parts of `part` bytes. Blocks, but never for
    /// the lock.
    ///
    /// It has at most the permission bits `mode` while it is written, whether it is new or an earlier run left it.
    pub fn open(directory: &Path, blob: &Blob, part: u64, mode: u32) -> io::Result<Self> {
        if blob.size > part {
            match Self::own(directory, blob, part, mode) {
                Ok(Some(partial)) => return Ok(partial),
                Ok(None) => debug!("an interrupted download can't be resumed: its file is in use"),
                Err(error) => debug!(%error, "an interrupted download can't be resumed"),
            }
        }
        let temporary = tempfile::Builder::new()
            .prefix(".sacker-")
            .suffix(".part")
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(directory)?;
        let partial = Self::of(temporary, blob, part, None)?;
        // If it can't be as long as the ledger says, then either the store will deny that it is, or a write will fail.
        let _ = partial.file.set_len(partial.size);
        Ok(partial)
    }

    fn of(temporary: NamedTempFile, blob: &Blob, part: u64, there: Option<Vec<bool>>) -> io::Result<Self> {
        Ok(Self {
            path: temporary.path().to_owned(),
            file: Arc::new(temporary.as_file().try_clone()?),
            temporary: Mutex::new(Some(temporary)),
            size: blob.size,
            part,
            there,
            keep: AtomicBool::new(false),
        })
    }

    /// Returns the file that can be resumed; `None` if another process uses it, or if something else is in its place.
    fn own(directory: &Path, blob: &Blob, part: u64, mode: u32) -> io::Result<Option<Self>> {
        let path = path(directory, blob);
        for _ in 0..ROUNDS {
            let Some((file, metadata)) = locked(&path, Some(mode))? else { continue };
            let Some(metadata) = metadata else { return Ok(None) };
            // It may have its final bits already, so that it may be executable.
            if metadata.mode() & 0o7666 & !mode != 0 {
                // It was begun for a version that more people may read, and who has it open reads on.
                fs::remove_file(&path)?;
                continue;
            }
            let temporary = NamedTempFile::from_parts(file, TempPath::try_from_path(&path)?);
            let mut partial = Self::of(temporary, blob, part, Some(Vec::new()))?;
            match partial.recall(metadata.len())? {
                Some(there) if there.contains(&true) => {
                    partial.keep = AtomicBool::new(true);
                    partial.there = Some(there);
                }
                _ => partial.restart()?,
            }
            return Ok(Some(partial));
        }
        Ok(None)
    }

    /// Removes what an earlier try has left, now that it is of no use, unless it is in use.
    pub fn forget(directory: &Path, blob: &Blob) -> io::Result<()> {
        let path = path(directory, blob);
        match locked(&path, None)? {
            Some((_file, Some(_))) => fs::remove_file(path),
            _ => Ok(()),
        }
    }

    /// The file, to be written to and read from.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Returns true if another try could resume it, if this one is killed.
    pub fn is_kept(&self) -> bool {
        self.there.is_some()
    }

    /// The length of each part but the last, in bytes.
    pub fn part_size(&self) -> u64 {
        self.part
    }

    /// Returns true if a part, by its number from 0, was there when this was opened or restarted.
    pub fn has(&self, part: u64) -> bool {
        let part = usize::try_from(part).unwrap_or(usize::MAX);
        self.there.as_ref().and_then(|there| there.get(part)).copied().unwrap_or_default()
    }

    /// The number of bytes that were there when this was opened or restarted.
    pub fn bytes(&self) -> u64 {
        let there = self.there.iter().flatten().zip(0..);
        there.filter(|(there, _)| **there).map(|(_, part)| self.part.min(self.size - part * self.part)).sum()
    }

    /// Writes some bytes to their place. Where nothing but zeros comes, a hole is left.
    pub fn write(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        durable::write_sparsely(&self.file, bytes, at)
    }

    /// Remembers that a part has landed: all its bytes have been written.
    pub fn landed(&self, part: u64) -> io::Result<()> {
        if self.there.is_some() {
            self.file.write_all_at(&[1], self.size + HEADER as u64 + part)?;
            self.keep.store(true, Relaxed);
        }
        Ok(())
    }

    /// Throws away all that is there.
    pub fn restart(&mut self) -> io::Result<()> {
        *self.keep.get_mut() = false;
        self.file.set_len(0)?;
        if self.there.is_none() {
            return self.file.set_len(self.size);
        }
        if let Some(there) = &mut self.there {
            let parts = usize::try_from(self.size.div_ceil(self.part)).map_err(io::Error::other)?;
            let mut end = [&MAGIC[..], &self.part.to_le_bytes()].concat();
            end.resize(HEADER + parts, 0);
            self.file.write_all_at(&end, self.size)?;
            *there = vec![false; parts];
        }
        Ok(())
    }

    /// Cuts off what is not the blob's, once all of that is there.
    pub fn cut(&self) -> io::Result<()> {
        self.file.set_len(self.size)
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the file, once, as one that is gone when dropped, to be given its name.
    ///
    /// # Errors
    /// `NotFound` if someone has removed it: what is under its name now may be another's, and not whole.
    pub fn take(&self) -> io::Result<NamedTempFile> {
        let taken = self.is_in_place().then(|| self.temporary().take()).flatten();
        taken.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "it was removed while it was written"))
    }

    fn temporary(&self) -> MutexGuard<'_, Option<NamedTempFile>> {
        self.temporary.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_in_place(&self) -> bool {
        let of = |metadata: Metadata| (metadata.dev(), metadata.ino());
        let own = self.file.metadata().map(of);
        own.is_ok_and(|own| fs::symlink_metadata(&self.path).map(of).is_ok_and(|there| there == own))
    }

    /// Gone when dropped, whatever has landed.
    pub fn discard(&self) {
        self.keep.store(false, Relaxed);
    }

    /// Returns true for each part that is in a file of this length; `None` if the file can't be resumed.
    fn recall(&self, length: u64) -> io::Result<Option<Vec<bool>>> {
        let parts = usize::try_from(self.size.div_ceil(self.part)).map_err(io::Error::other)?;
        if length == self.size {
            return Ok(Some(vec![true; parts]));
        }
        if length != self.size + (HEADER + parts) as u64 {
            return Ok(None);
        }
        let mut end = vec![0; HEADER + parts];
        self.file.read_exact_at(&mut end, self.size)?;
        let (header, marks) = end.split_at(HEADER);
        let header_is_right =
            header[..MAGIC.len()] == MAGIC && header[MAGIC.len()..] == self.part.to_le_bytes();
        Ok(header_is_right.then(|| marks.iter().map(|mark| *mark == 1).collect()))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let keep = *self.keep.get_mut() || !self.is_in_place();
        if let Some(temporary) = &mut *self.temporary() {
            temporary.disable_cleanup(keep);
        }
    }
}

fn path(directory: &Path, blob: &Blob) -> PathBuf {
    directory.join(format!(".sacker-{}.part", blob.address.sha256))
}

/// Opens and locks the file with this name. If there is none it is made, if `make` says with which permission bits.
/// `None` if it came to be there or vanished meanwhile, or is not there; its metadata are `None` if it is not to be
/// touched.
fn locked(path: &Path, make: Option<u32>) -> io::Result<Option<(File, Option<Metadata>)>> {
    let mut options = durable::not_by_a_link();
    let mut is_new = false;
    let file = match (options.open(path), make) {
        (Ok(file), _) => file,
        (Err(error), Some(mode)) if error.kind() == io::ErrorKind::NotFound => {
            match options.create_new(true).mode(mode).open(path) {
                Ok(file) => {
                    is_new = true;
                    file
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        (Err(error), None) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        (Err(error), _) => return Err(error),
    };
    let metadata = file.metadata()?;
    // Not a hard link to another file either, nor one that its owner could write to meanwhile.
    let is_own = metadata.is_file()
        && metadata.nlink() == 1
        && (is_new || durable::is_own(path.parent(), metadata.uid()));
    match failpoint::errno("flock").map_err(TryLockError::Error).and_then(|()| file.try_lock()) {
        _ if !is_own => return Ok(Some((file, None))),
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Some((file, None))),
        Err(TryLockError::Error(error)) => {
            // Without locks, a file that was kept can't be distinguished from a file in use.
            if is_new {
                let _ = fs::remove_file(path);
            }
            return Err(error);
        }
    }
    // The process that had the lock before may have named or removed the file before it was locked here.
    match fs::symlink_metadata(path) {
        Ok(there) if (there.dev(), there.ino()) == (metadata.dev(), metadata.ino()) => {
            // As it is now: until it was locked it was someone else's to write to.
            let metadata = file.metadata()?;
            Ok(Some((file, Some(metadata))))
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Address, Digest};

    #[test]
    fn one_that_was_removed_is_not_taken_for_what_is_there_now() {
        let directory = tempfile::tempdir().unwrap();
        let address = Address { sha256: Digest::from([7; 32]), generation: 0 };
        for size in [10, 30] {
            let blob = Blob { address: address.clone(), size, filename: None, mode: None };
            let partial = Partial::open(directory.path(), &blob, 10, 0o600).unwrap();
            let path = partial.path().to_owned();
            fs::remove_file(&path).unwrap();
            assert_eq!(partial.take().unwrap_err().kind(), io::ErrorKind::NotFound);
            fs::write(&path, "another's").unwrap();
            assert_eq!(partial.take().unwrap_err().kind(), io::ErrorKind::NotFound);
            drop(partial);
            assert_eq!(fs::read(&path).unwrap(), b"another's");
            fs::remove_file(&path).unwrap();
            let partial = Partial::open(directory.path(), &blob, 10, 0o600).unwrap();
            drop(partial.take().unwrap());
            assert_eq!(directory.path().read_dir().unwrap().count(), 0);
        }
    }
}
