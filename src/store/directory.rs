//! A store in a local directory, or in a mounted file system.
//!
//! `OWNER` and `sha256/` are laid out as in every store; `tmp/` holds unfinished writes. A blob is written to `tmp/`,
//! checked, flushed to the disk and then renamed, so a kill at any point leaves at most a file in `tmp/`, which a
//! later `put` removes when the file is a day old. Several processes may use one directory at once.
//!
//! No checksum is stored with a blob, so `put` reads and hashes an existing file under its address: a repeated add
//! costs a local read.

mod ahead;
mod listing;
mod owner;

use super::{
    Body, Content, Listing, Put, PutError, Sending, Sent, Stat, Store, Upload, Uploads,
    files::{found, read},
    sending::{ProgressSender, belongs, out_of_range, relay_progress, replaced_while_read, without_owner},
};
use crate::{
    blocking::threaded,
    durable::{self, flush_directory, make_dir, make_private_dir},
    failpoint::reach,
    fault::{Fault, FaultKind},
    model::{Address, Created, Sha256, Timestamp},
};
use ahead::Ahead;
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use std::{
    fs::{self, File, Metadata, Permissions},
    io,
    ops::Range,
    os::unix::fs::{FileExt, MetadataExt, PermissionsExt},
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};
use tempfile::NamedTempFile;
use tracing::debug;

/// A store in a directory. See the [module](self).
#[derive(Debug, Clone)]
pub struct DirectoryStore {
    dir: PathBuf,
    ahead: Arc<Mutex<Option<Ahead>>>,
}

/// The size of a read, and so the memory that a transfer takes, in bytes.
const CHUNK: usize = 1 << 20;

/// The age from which a temporary file counts as left by a killed process. A file that is being written is younger,
/// since its modification time is that of its last write.
const LEFT_OVER: Duration = Duration::from_hours(24);

impl DirectoryStore {
    /// Returns the store in `dir`, which need not exist: reads create nothing, and writes create what they need.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), ahead: Arc::default() }
    }

    fn blobs(&self) -> PathBuf {
        self.dir.join("sha256")
    }

    fn blob(&self, at: &Address) -> PathBuf {
        self.blobs().join(at.to_string())
    }

    fn temporaries(&self) -> PathBuf {
        self.dir.join("tmp")
    }

    /// Creates one of the store's own directories. A store directory that has to be created is private to this user,
    /// whose files may be private; to share it, create it, or change its mode, first.
    fn make(&self, own: PathBuf) -> io::Result<PathBuf> {
        make_private_dir(&self.dir)?;
        make_dir(&own)?;
        Ok(own)
    }

    fn doing(&self, what: impl std::fmt::Display) -> String {
        format!("{what} in {}", self.dir.display())
    }

    /// Creates a temporary file that is readable for everyone and read-only, as far as the umask permits.
    fn temporary(&self) -> io::Result<NamedTempFile> {
        let dir = self.make(self.temporaries())?;
        tempfile::Builder::new().permissions(Permissions::from_mode(0o444)).tempfile_in(dir)
    }

    fn clean_up(&self) {
        let Ok(entries) = fs::read_dir(self.temporaries()) else { return };
        for entry in entries.flatten() {
            let age = entry.metadata().and_then(|metadata| metadata.modified()).map(age);
            if age.is_ok_and(|age| age > LEFT_OVER) {
                debug!(path = %entry.path().display(), "removing the temporary file of a killed process");
                // Another process may have removed it already.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn put_blocking(
        &self,
        at: &Address,
        content: &Content,
        progress: &ProgressSender,
    ) -> Result<Put, PutError> {
        let target = self.blob(at);
        let failed = |error| disk(self.doing(format_args!("storing the blob {at}")), error);
        let there = match File::open(&target) {
            Ok(file) => {
                if holds(&file, content).map_err(failed)? {
                    // The process that wrote it may have died before it was durable, or have been another program.
                    durable::flush(&file, &target)
                        .and_then(|()| flush_directory(&self.blobs()))
                        .map_err(failed)?;
                    return Ok(Put::Present);
                }
                true
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(failed(error).into()),
        };
        self.make(self.blobs()).map_err(failed)?;
        self.clean_up();
        let temporary = self.temporary().map_err(failed)?;
        durable::room(temporary.as_file(), content.size()).map_err(failed)?;
        copy(content, temporary.as_file(), progress, &failed)?;
        durable::flush(temporary.as_file(), temporary.path()).map_err(failed)?;
        // Replaces any existing file: every process that renames to this name has checked the same bytes.
        reach("blob-complete");
        durable::name(temporary, &target, true).map_err(|error| failed(error.error))?;
        flush_directory(&self.blobs()).map_err(failed)?;
        if there {
            debug!(blob = %at, store = %self.describe(), "the stored blob was damaged and has been replaced");
        }
        Ok(if there { Put::Replaced } else { Put::Stored })
    }

    fn uploads_blocking(&self) -> io::Result<Uploads> {
        let mut uploads = Vec::new();
        for entry in found(fs::read_dir(self.temporaries()))?.into_iter().flatten() {
            let entry = entry?;
            // A file that was renamed or removed meanwhile is no longer an upload.
            let Some(metadata) = found(entry.metadata())? else { continue };
            if let (Ok(id), true) = (entry.file_name().into_string(), metadata.is_file()) {
                uploads.push(Upload { name: format!("tmp/{id}"), id, since: stat(&metadata).modified });
            }
        }
        Ok(Uploads { uploads, next: None })
    }
}

#[async_trait]
impl Store for DirectoryStore {
    fn describe(&self) -> String {
        format!("file://{}", self.dir.display())
    }

    async fn create(&self) -> Result<Created, Fault> {
        let dir = self.dir.clone();
        blocking(self.doing("creating the store"), move || {
            if dir.is_dir() {
                return Ok(Created::Present);
            }
            make_private_dir(&dir)?;
            Ok(Created::Made)
        })
        .await
    }

    async fn owner(&self) -> Result<Option<String>, Fault> {
        let store = self.clone();
        blocking(self.doing("reading the owner"), move || store.read_owner()).await
    }

    async fn claim(&self, ledger: &str) -> Result<String, Fault> {
        let (store, ledger) = (self.clone(), ledger.to_owned());
        blocking(self.doing("claiming the store"), move || store.claim_blocking(&ledger)).await
    }

    async fn replace_owner(&self, from: &str, to: &str) -> Result<String, Fault> {
        let (store, from, to) = (self.clone(), from.to_owned(), to.to_owned());
        let doing = self.doing("replacing the owner");
        let owner = blocking(doing, move || store.replace_owner_blocking(&from, &to)).await?;
        owner.ok_or_else(|| without_owner(self.describe()))
    }

    async fn stat(&self, at: &Address) -> Result<Option<Stat>, Fault> {
        let path = self.blob(at);
        let doing = self.doing(format_args!("checking for the blob {at}"));
        blocking(doing, move || Ok(found(fs::metadata(path))?.map(|metadata| stat(&metadata)))).await
    }

    async fn put(
        &self,
        at: &Address,
        content: &Content,
        _expected: bool,
        sent: Sending<'_>,
    ) -> Result<Put, PutError> {
        belongs(at, content)?;
        relay_progress(sent, |progress| {
            let (store, at, content) = (self.clone(), at.clone(), content.clone());
            threaded(move || store.put_blocking(&at, &content, &progress))
        })
        .await
    }

    async fn get(&self, at: &Address, range: Range<u64>, etag: Option<&str>) -> Result<Option<Body>, Fault> {
        let path = self.blob(at);
        let doing = self.doing(format_args!("reading the blob {at}"));
        let opened = blocking(doing.clone(), move || {
            let Some(file) = found(File::open(path))? else { return Ok(None) };
            let metadata = file.metadata()?;
            Ok(Some((file, metadata)))
        });
        let Some((file, metadata)) = opened.await? else { return Ok(None) };
        let body = Body {
            etag: self::etag(&metadata),
            size: metadata.len(),
            stream: chunks(file, range.clone(), doing.clone()),
        };
        match etag {
            Some(etag) if etag != body.etag => Err(replaced_while_read(doing)),
            _ if !range.is_empty() && range.end > body.size => Err(out_of_range(doing, range.end, body.size)),
            _ => Ok(Some(body)),
        }
    }

    async fn delete(&self, at: &Address) -> Result<(), Fault> {
        let (path, blobs) = (self.blob(at), self.blobs());
        let doing = self.doing(format_args!("deleting the blob {at}"));
        blocking(doing, move || match found(fs::remove_file(path))? {
            Some(()) => flush_directory(&blobs),
            None => Ok(()),
        })
        .await
    }

    async fn uploads(&self, _after: Option<&str>) -> Result<Uploads, Fault> {
        let store = self.clone();
        // At most one for each killed process, and every `put` removes old ones: few enough for one page.
        blocking(self.doing("listing temporary files"), move || store.uploads_blocking()).await
    }

    async fn abort(&self, upload: &Upload) -> Result<(), Fault> {
        let path = self.temporaries().join(&upload.id);
        let doing = self.doing(format_args!("removing the temporary file {}", upload.id));
        blocking(doing, move || found(fs::remove_file(path)).map(drop)).await
    }

    async fn list(&self, after: Option<&str>) -> Result<Listing, Fault> {
        let (store, after) = (self.clone(), after.map(str::to_owned));
        blocking(self.doing("listing the blobs"), move || store.list_blocking(after.as_deref())).await
    }
}

/// Copies a file, and checks that it still matches its checksums.
fn copy(
    content: &Content,
    to: &File,
    progress: &ProgressSender,
    failed: &impl Fn(io::Error) -> Fault,
) -> Result<(), PutError> {
    let changed = || PutError::Changed(content.path().to_owned());
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => changed(),
        _ => disk(format!("reading {}", content.path().display()), error).into(),
    };
    let mut from = File::open(content.path()).map_err(unreadable)?;
    let mut sha256 = Sha256::new();
    let mut size = 0;
    let mut buffer = vec![0; CHUNK];
    loop {
        let n = read(&mut from, &mut buffer).map_err(unreadable)?;
        size += n as u64;
        if n == 0 || size > content.size() {
            break;
        }
        sha256.update(&buffer[..n]);
        durable::write_sparsely(to, &buffer[..n], size - n as u64).map_err(failed)?;
        if progress.send(Sent::Now(n as u64)).is_err() {
            // The caller has gone, and this thread would delay the end of the process.
            return Err(failed(io::ErrorKind::Interrupted.into()).into());
        }
    }
    to.set_len(size).map_err(failed)?;
    let same = size == content.size() && sha256.finish() == *content.sha256();
    if same { Ok(()) } else { Err(changed()) }
}

/// Returns true if the file holds the content. Reads the file only if it has the right size.
fn holds(mut file: &File, content: &Content) -> io::Result<bool> {
    if file.metadata()?.len() != content.size() {
        return Ok(false);
    }
    let mut sha256 = Sha256::new();
    let mut buffer = vec![0; CHUNK];
    loop {
        match read(&mut file, &mut buffer)? {
            0 => return Ok(sha256.finish() == *content.sha256()),
            n => sha256.update(&buffer[..n]),
        }
    }
}

/// Streams a range of a file in chunks.
fn chunks(file: File, range: Range<u64>, doing: String) -> stream::BoxStream<'static, Result<Bytes, Fault>> {
    let file = Arc::new(file);
    stream::try_unfold((range, doing), move |(range, doing)| {
        let file = Arc::clone(&file);
        async move {
            if range.is_empty() {
                return Ok(None);
            }
            let length = usize::try_from(range.end - range.start).map_or(CHUNK, |left| left.min(CHUNK));
            let start = range.start;
            let chunk = threaded(move || {
                let mut chunk = BytesMut::zeroed(length);
                file.read_exact_at(&mut chunk, start).map(|()| chunk.freeze())
            });
            match chunk.await {
                Ok(chunk) => Ok(Some((chunk, (start + length as u64..range.end, doing)))),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    Err(Fault::new(FaultKind::Corrupt, doing, "it was cut short while it was read"))
                }
                Err(error) => Err(disk(doing, error)),
            }
        }
    })
    .boxed()
}

/// Returns a value that changes when a blob is replaced, which creates a new file, and when a file is written to by
/// another program.
fn etag(metadata: &Metadata) -> String {
    let modified = (metadata.mtime(), metadata.mtime_nsec());
    format!("{}-{}-{}.{:09}", metadata.ino(), metadata.len(), modified.0, modified.1)
}

fn stat(metadata: &Metadata) -> Stat {
    let modified = metadata.modified().ok().and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    let millis = modified.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
    Stat { size: metadata.len(), modified: Timestamp::from_millis(millis) }
}

fn age(modified: SystemTime) -> Duration {
    modified.elapsed().unwrap_or_default()
}

fn disk(doing: String, error: io::Error) -> Fault {
    let kind = match error.kind() {
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => FaultKind::Misconfigured,
        _ => FaultKind::Disk,
    };
    Fault::new(kind, doing, error)
}

async fn blocking<T: Send + 'static>(
    doing: String,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Fault> {
    threaded(work).await.map_err(|error| disk(doing, error))
}
