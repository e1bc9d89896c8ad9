//! Reading the files of another program.

use crate::{
    blocking::threaded,
    fault::{Fault, FaultKind},
    ops::{client::Client, error::Error},
    retry::{Heartbeat, RetryPolicy},
    store::{
        Body,
        named::{NamedBytes, NamedFile, NamedFiles, NamedPage},
    },
};
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::NamedTempFile;
use tokio::sync::Mutex;

/// The number of bytes that are written at once.
const CHUNK: usize = 1 << 20;

/// A file of this machine that has the bytes.
pub(super) enum Fetched {
    /// The file itself.
    Local(PathBuf),
    /// A copy, which is removed when it is dropped.
    Copy(NamedTempFile),
}

impl Fetched {
    pub fn path(&self) -> &Path {
        match self {
            Self::Local(path) => path,
            Self::Copy(file) => file.path(),
        }
    }
}

/// Lists all files whose names begin with `prefix`, and what is no file, with the reasons.
pub(super) async fn listed(
    files: &dyn NamedFiles,
    prefix: &str,
    retry_policy: &RetryPolicy,
) -> Result<(Vec<NamedFile>, Vec<(String, String)>), Error> {
    let doing = format!("listing {}", files.describe());
    let (mut all, mut skipped, mut after) = (Vec::new(), Vec::new(), None::<String>);
    loop {
        let page = retry_policy.run(&doing, || files.list(prefix, after.as_deref())).await;
        let page = page.map_err(Error::Source)?;
        let NamedPage { files, skipped: more, next } = page;
        all.extend(files);
        skipped.extend(more);
        after = next;
        if after.is_none() {
            return Ok((all, skipped));
        }
    }
}

/// Reads a small file; `None` if there is none, or if it has more bytes than `most`.
pub(super) async fn read_small(
    files: &dyn NamedFiles,
    name: &str,
    most: u64,
    retry_policy: &RetryPolicy,
) -> Result<Option<Vec<u8>>, Error> {
    let doing = format!("reading {name} of {}", files.describe());
    let attempt = || async {
        match files.open(name, 0, None).await? {
            None => Ok::<_, Fault>(None),
            Some(NamedBytes::Local(path)) => {
                let read = threaded(move || {
                    let mut bytes = Vec::new();
                    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
                    Ok(bytes)
                });
                let read = read.await.map_err(|error: io::Error| disk(&doing, error))?;
                Ok(Some(read).filter(|read| read.len() as u64 <= most))
            }
            Some(NamedBytes::Remote(body)) if body.size > most => Ok(None),
            Some(NamedBytes::Remote(body)) => {
                let read: BytesMut = body.stream.try_collect().await?;
                Ok(Some(read.to_vec()))
            }
        }
    };
    retry_policy.run(&doing, attempt).await.map_err(Error::Source)
}

fn disk(doing: &str, error: io::Error) -> Fault {
    Fault::new(FaultKind::Disk, doing, error)
}

/// A copy that is being written.
struct Copying {
    file: Arc<File>,
    written: u64,
    etag: Option<String>,
}

impl Copying {
    /// Writes the bytes of an answer after those of the answers before.
    async fn append(&mut self, body: Body, heartbeat: &Heartbeat, doing: &str) -> Result<(), Fault> {
        let Body { etag, size, mut stream } = body;
        self.etag = Some(etag);
        let mut buffer = BytesMut::new();
        loop {
            let bytes = stream.try_next().await;
            if let Ok(Some(bytes)) = &bytes {
                heartbeat.beat();
                buffer.extend_from_slice(bytes);
            }
            let is_end = !matches!(bytes, Ok(Some(_)));
            if buffer.len() >= CHUNK || is_end {
                self.write(buffer.split().freeze()).await.map_err(|error| disk(doing, error))?;
            }
            match bytes? {
                Some(_) => {}
                None if self.written == size => return Ok(()),
                None => return Err(Fault::new(FaultKind::Unavailable, doing, "the answer was cut short")),
            }
        }
    }

    async fn write(&mut self, bytes: Bytes) -> io::Result<()> {
        let (file, at, length) = (Arc::clone(&self.file), self.written, bytes.len() as u64);
        threaded(move || file.write_all_at(&bytes, at)).await?;
        self.written += length;
        Ok(())
    }

    /// Begins again: the file has changed in the meantime.
    fn restart(&mut self) -> io::Result<()> {
        (self.written, self.etag) = (0, None);
        self.file.set_len(0)
    }
}

impl Client {
    /// Makes a file's bytes available on this machine; `None` if there is no such file. What has arrived before a fault
    /// is not requested again.
    pub(super) async fn fetch_named(
        &self,
        files: &dyn NamedFiles,
        name: &str,
    ) -> Result<Option<Fetched>, Error> {
        let doing = format!("reading {name} of {}", files.describe());
        let kept = |source| Error::Spool { directory: self.scratch.clone(), source };
        let temporary =
            tempfile::Builder::new().prefix(".sacker-").tempfile_in(&self.scratch).map_err(kept)?;
        let file = Arc::new(temporary.as_file().try_clone().map_err(kept)?);
        let copying = Mutex::new(Copying { file, written: 0, etag: None });
        let heartbeat = Heartbeat::new();
        let attempt = || async {
            let mut copying = copying.lock().await;
            let (from, etag) = (copying.written, copying.etag.clone());
            let bytes = match files.open(name, from, etag.as_deref()).await {
                Err(fault) if fault.kind == FaultKind::Contended => {
                    copying.restart().map_err(|error| disk(&doing, error))?;
                    return Err(fault);
                }
                bytes => bytes?,
            };
            match bytes {
                None => Ok(None),
                Some(NamedBytes::Local(path)) => Ok(Some(Some(path))),
                Some(NamedBytes::Remote(body)) => {
                    copying.append(body, &heartbeat, &doing).await?;
                    Ok(Some(None))
                }
            }
        };
        let fetched = self.retry_policy.run_while(&heartbeat, &doing, attempt).await;
        let fetched = fetched.map_err(Error::Source)?;
        Ok(fetched.map(|path| path.map_or(Fetched::Copy(temporary), Fetched::Local)))
    }
}
