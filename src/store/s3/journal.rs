//! The journal of the multipart uploads that this client began, so that it can resume them: a small file for each.
//!
//! A client resumes only its own uploads: those that S3 lists for a key may be another client's, in progress. For the
//! same reason an entry is locked while it is in use: another process that adds the same blob meanwhile begins its
//! own upload, and neither breaks the other's.

use crate::{durable, failpoint, model::Digest};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// A multipart upload that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Upload {
    /// The bucket.
    pub bucket: String,
    /// The key of the intended object.
    pub key: String,
    /// The id that S3 gave the upload.
    pub id: String,
    /// The size of the whole object, in bytes.
    pub size: u64,
    /// The size of every part but the last, in bytes.
    pub part_size: u64,
}

/// The entry of one object, locked for the life of this value. The lock of a killed process is released.
#[derive(Debug)]
pub(super) struct Entry {
    path: PathBuf,
    file: File,
}

impl Entry {
    /// Returns the path of the entry of an object on a server.
    pub fn path(dir: &Path, endpoint: &str, bucket: &str, key: &str) -> PathBuf {
        // An endpoint contains no space, and a bucket's name no slash.
        dir.join(format!("{}.json", Digest::of(format!("{endpoint} {bucket}/{key}").as_bytes())))
    }

    /// Opens the entry; `None` if another process holds its lock. Blocks, but never for the lock.
    pub fn open(path: PathBuf) -> io::Result<Option<Self>> {
        loop {
            if let Some(dir) = path.parent() {
                durable::make_private(dir)?;
            }
            failpoint::errno("journal-open")?;
            let file = durable::open_own(&path)?;
            match failpoint::errno("journal-lock").map_err(TryLockError::Error).and_then(|()| file.try_lock())
            {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // The previous holder of the lock may have removed the file between the open and the lock.
            match fs::metadata(&path) {
                Ok(there) if there.ino() == file.metadata()?.ino() => return Ok(Some(Self { path, file })),
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }

    /// Returns the recorded upload. An entry that can't be read counts as empty.
    pub fn recall(&self) -> Option<Upload> {
        let mut text = String::new();
        (&self.file).rewind().ok()?;
        (&self.file).take(1 << 16).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Records an upload, durably, and replaces the previous record.
    ///
    /// The file is written in place: only the holder of the lock reads it, and an incomplete record, after a kill,
    /// counts as empty.
    pub fn remember(&self, upload: &Upload) -> io::Result<()> {
        let text = serde_json::to_vec(upload)?;
        failpoint::errno("journal-write")?;
        self.file.set_len(0)?;
        (&self.file).rewind()?;
        (&self.file).write_all(&text)?;
        durable::flush(&self.file, &self.path)
    }

    /// Removes the record and the entry.
    pub fn forget(&self) -> io::Result<()> {
        // Emptied too, for processes that have the file open already.
        self.file.set_len(0)?;
        fs::remove_file(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(id: &str) -> Upload {
        Upload {
            bucket: "bucket".to_owned(),
            key: "sha256/0".to_owned(),
            id: id.to_owned(),
            size: 20 << 20,
            part_size: 16 << 20,
        }
    }

    #[test]
    fn an_upload_is_remembered_until_it_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let path = Entry::path(&dir.path().join("uploads"), "http://a", "bucket", "sha256/0");
        let open = || Entry::open(path.clone()).unwrap().unwrap();
        assert_eq!(open().recall(), None);
        open().remember(&upload("a long one")).unwrap();
        open().remember(&upload("b")).unwrap();
        assert_eq!(open().recall(), Some(upload("b")));
        open().forget().unwrap();
        assert!(!path.exists());
        assert_eq!(open().recall(), None);
    }

    #[test]
    fn an_entry_in_use_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = Entry::path(dir.path(), "http://a", "bucket", "sha256/0");
        let entry = Entry::open(path.clone()).unwrap().unwrap();
        assert!(Entry::open(path.clone()).unwrap().is_none());
        entry.forget().unwrap();
        // A new file: the locked file is no longer the entry.
        assert!(Entry::open(path).unwrap().is_some());
    }

    #[test]
    fn a_damaged_entry_reads_as_absent() {
        let dir = tempfile::tempdir().unwrap();
        let path = Entry::path(dir.path(), "http://a", "bucket", "sha256/0");
        for text in [&b"{\"bucket\":\"buc"[..], b"\xff\xfe", b"null", b"{}"] {
            fs::write(&path, text).unwrap();
            let entry = Entry::open(path.clone()).unwrap().unwrap();
            assert_eq!(entry.recall(), None);
            entry.remember(&upload("a")).unwrap();
            assert_eq!(entry.recall(), Some(upload("a")));
        }
    }

    #[test]
    fn objects_have_entries_of_their_own() {
        let path = |endpoint, bucket, key| Entry::path(Path::new("uploads"), endpoint, bucket, key);
        assert_ne!(path("http://a", "a", "sha256/0"), path("http://a", "b", "sha256/0"));
        assert_ne!(path("http://a", "a", "sha256/0"), path("http://a", "a", "sha256/0.1"));
        assert_ne!(path("http://a", "a", "sha256/0"), path("http://b", "a", "sha256/0"));
    }
}
