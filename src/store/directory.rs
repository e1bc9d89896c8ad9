//! A store in a directory of this machine, or of a file system that it mounts.
//!
//! `OWNER` and `sha256/` lie in it as in every store; `tmp/` holds what is being written. A blob is written there,
//! checked, flushed to the disk and then renamed, so that a kill at any point leaves at most a file in `tmp/`, which
//! a later `put` removes when it is a day old. Processes may use one directory at once.
//!
//! Nothing is kept beside a blob that would tell whether it is still right, so `put` reads and hashes the file that
//! it finds under its address: the price of a second add is that of a local read.

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

/// How much is read at once, and so the memory that a transfer takes.
const CHUNK: usize = 1 << 20;

/// When a temporary file is taken for one that a killed process left. One that is being written is younger: its
/// time is that of its last write.
const LEFT_OVER: Duration = Duration::from_hours(24);

impl DirectoryStore {
    /// The store in `dir`, which need not exist: what reads makes nothing, and what writes makes what it needs.
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

    /// Makes one of the store's own directories. The store itself, if it has to be made, is for its maker alone, whose
    /// files may be private; who shares it makes it, or opens it, first.
    fn make(&self, own: PathBuf) -> io::Result<PathBuf> {
        make_private_dir(&self.dir)?;
        make_dir(&own)?;
        Ok(own)
    }

    fn doing(&self, what: impl std::fmt::Display) -> String {
        format!("{what} in {}", self.dir.display())
    }

    /// A temporary file that everyone may read and nobody changes by accident, as far as the umask lets.
    fn temporary(&self) -> io::Result<NamedTempFile> {
        let dir = self.make(self.temporaries())?;
        tempfile::Builder::new().permissions(Permissions::from_mode(0o444)).tempfile_in(dir)
    }

    fn clean_up(&self) {
        let Ok(entries) = fs::read_dir(self.temporaries()) else { return };
        for entry in entries.flatten() {
            let age = entry.metadata().and_then(|metadata| metadata.modified()).map(age);
            if age.is_ok_and(|age| age > LEFT_OVER) {
                debug!(path = %entry.path().display(), "removing what a killed process left");
                // Another process may have been faster.
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
                    // Whoever wrote it may have died before it was durable, or have been another program.
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
        // Over whatever is there: everyone who renames to this name has checked the same bytes.
        reach("blob-complete");
        durable::name(temporary, &target, true).map_err(|error| failed(error.error))?;
        flush_directory(&self.blobs()).map_err(failed)?;
        if there {
            debug!(blob = %at, store = %self.describe(), "what was stored was damaged and has been replaced");
        }
        Ok(if there { Put::Replaced } else { Put::Stored })
    }

    fn uploads_blocking(&self) -> io::Result<Uploads> {
        let mut uploads = Vec::new();
        for entry in found(fs::read_dir(self.temporaries()))?.into_iter().flatten() {
            let entry = entry?;
            // One that was renamed or removed meanwhile is no upload any more.
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
        blocking(self.doing("making the store"), move || {
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
        let doing = self.doing(format_args!("looking for the blob {at}"));
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
        // At most one for each process that was killed, and swept by every `put`: few enough for a page.
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

/// Copies a file and makes sure that it is still what was hashed.
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
            // Nobody waits any more, and this thread would hold up the end of the process.
            return Err(failed(io::ErrorKind::Interrupted.into()).into());
        }
    }
    to.set_len(size).map_err(failed)?;
    let same = size == content.size() && sha256.finish() == *content.sha256();
    if same { Ok(()) } else { Err(changed()) }
}

/// Whether a file holds a content. Reads it, if it has the right size.
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

/// A range of a file, a chunk at a time.
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

/// Changes when a blob is replaced, which makes a new file, and when one is written to by hand.
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
