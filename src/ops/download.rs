//! `download`: a file appears whole and verified, or not at all.

use super::{
    Client, Error, Observer,
    fetch::{Absent, part_size},
    partial::Partial,
    spool::blocking,
};
use crate::{
    durable,
    failpoint::reach,
    fault::FaultKind,
    model::{Blob, Digest, Mode, PackageName, Spec, Version},
};
use sha2::{Digest as _, Sha256};
use std::{
    fmt,
    fs::{File, Permissions},
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use tracing::debug;

/// Where a download goes.
pub enum Target {
    /// To a file in this directory, by its recorded name; by the last part of the package's name if none was recorded.
    Directory(PathBuf),
    /// To this file, or into it if it is a directory.
    Path(PathBuf),
    /// To a stream, in order. What was written before a mismatch is noticed stays written.
    Stream(Box<dyn Write + Send>),
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => f.debug_tuple("Directory").field(path).finish(),
            Self::Path(path) => f.debug_tuple("Path").field(path).finish(),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}

/// A download.
#[derive(Debug)]
pub struct Download {
    /// The package.
    pub package: PackageName,
    /// Which version of it.
    pub spec: Spec,
    /// Where to.
    pub target: Target,
    /// Whether to replace a different file.
    pub force: bool,
}

/// What was downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    /// The version that the spec meant.
    pub version: Version,
    /// Its blob.
    pub blob: Blob,
    /// The file; `None` for a stream.
    pub path: Option<PathBuf>,
    /// Whether the same bytes were there already.
    pub present: bool,
}

impl Client {
    /// Fetches a version's blob and verifies it. A file appears under its name whole, verified and durable, or not at
    /// all. The same bytes already there: done, with the permission bits restored, unless it is a symbolic link.
    ///
    /// # Errors
    /// [`Error::Ledger`] with `NotFound`; [`Error::Exists`] for a different file unless `force`; [`Error::Lost`] and
    /// [`Error::Damaged`] if the store does not hold what the ledger says; [`Error::Output`].
    pub async fn download(
        &self,
        download: Download,
        observer: &Arc<dyn Observer>,
    ) -> Result<Downloaded, Error> {
        let Download { package, spec, mut target, force } = download;
        let mut found = self.ledger.blob(&package, &spec).await?;
        // A blob that is missing may have been deleted, or collected and stored again, since the ledger was read.
        for retried in [false, true] {
            let (version, blob) = &found;
            let fetched = match &mut target {
                Target::Stream(sink) => {
                    let fetched = self.fetch_to_stream(blob, &mut **sink, observer).await?;
                    fetched.map(|()| (None, false))
                }
                Target::Directory(directory) => {
                    let path = directory.join(file_name(&package, blob));
                    self.download_to(blob, path, force, observer).await?
                }
                Target::Path(path) => {
                    let path =
                        if path.is_dir() { path.join(file_name(&package, blob)) } else { path.clone() };
                    self.download_to(blob, path, force, observer).await?
                }
            };
            if let Ok((path, present)) = fetched {
                return Ok(Downloaded { version: *version, blob: blob.clone(), path, present });
            }
            let now = if retried { found.clone() } else { self.ledger.blob(&package, &spec).await? };
            if now == found {
                break;
            }
            found = now;
        }
        let (version, blob) = found;
        Err(Error::Lost { package, version, address: blob.address })
    }

    async fn download_to(
        &self,
        blob: &Blob,
        path: PathBuf,
        force: bool,
        observer: &Arc<dyn Observer>,
    ) -> Result<Result<(Option<PathBuf>, bool), Absent>, Error> {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        if is_there(path.clone(), blob.clone(), force).await? {
            // It may have come another way, after a try that was interrupted.
            let (directory, blob) = (directory, blob.clone());
            let forgotten = blocking(move || Partial::forget(&directory, &blob)).await;
            forgotten.unwrap_or_else(|error| debug!(%error, "what an earlier try has left stays"));
            return Ok(Ok((Some(path), true)));
        }
        let (of, part) = (blob.clone(), part_size(blob.size));
        let opened = {
            let directory = directory.clone();
            blocking(move || Partial::open(&directory, &of, part)).await
        };
        let mut partial = Arc::new(opened.map_err(Error::output(&path))?);
        let resumed = partial.bytes() > 0;
        let mut fetched = self.fetch_to_file(blob, &partial, observer).await;
        if resumed && matches!(fetched, Err(Error::Damaged { .. })) {
            // What was there may be at fault: a power cut, say, that kept the mark of a part and not the part.
            debug_assert_eq!(Arc::strong_count(&partial), 1, "no part is under way any more");
            observer.warn("what an earlier try had left was not right; all of it is fetched again");
            let anew = Arc::get_mut(&mut partial).map(Partial::begin_anew);
            anew.transpose().map_err(Error::output(&path))?;
            fetched = self.fetch_to_file(blob, &partial, observer).await;
        }
        match fetched {
            Ok(Ok(())) => {}
            Ok(Err(absent)) => {
                partial.discard();
                return Ok(Err(absent));
            }
            Err(error) => {
                if !is_for_later(&error) {
                    partial.discard();
                }
                return Err(as_output(error, &path));
            }
        }
        let present = publish(&partial, directory, &path, blob, force).await?;
        Ok(Ok((Some(path), present)))
    }
}

/// Whether the same command may get on from here another time.
fn is_for_later(error: &Error) -> bool {
    matches!(error, Error::Store(fault) if fault.kind.is_transient() || fault.kind == FaultKind::Denied)
}

fn file_name(package: &PackageName, blob: &Blob) -> String {
    match &blob.filename {
        Some(name) => name.to_string(),
        None => package.as_str().rsplit('/').next().unwrap_or_default().to_owned(),
    }
}

/// Gives a complete file its name, durably. If dropped, it has the name or none: no thread holds on to it. Returns
/// whether someone else was faster, and the same bytes are there.
async fn publish(
    partial: &Partial,
    directory: PathBuf,
    path: &Path,
    blob: &Blob,
    force: bool,
) -> Result<bool, Error> {
    let (output, mode) = (|| Error::output(path), blob.mode);
    let file = Arc::clone(partial.file());
    let (failed, written) = (output(), partial.path().to_owned());
    let (cut, is_kept) = (partial.cut(), partial.is_kept());
    let durable = blocking(move || {
        cut?;
        if is_kept {
            // This takes a while. Until it is done the file has to be one that its owner can write to: who goes on with
            // it opens it so.
            durable::flush(&file, &written)?;
        }
        if let Some(mode) = mode {
            file.set_permissions(Permissions::from_mode(mode.into()))?;
        }
        durable::flush(&file, &written)
    });
    if let Err(error) = durable.await {
        partial.discard();
        return Err(failed(error));
    }
    reach("download-complete");
    let temporary = partial.take().map_err(output())?;
    match durable::name(temporary, path, force) {
        Ok(()) => {
            reach("download-named");
            let flush = blocking(move || durable::flush_directory(&directory));
            flush.await.map(|()| false).map_err(output())
        }
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            drop(error);
            let same = is_there(path.to_owned(), blob.clone(), false).await?;
            if same { Ok(true) } else { Err(Error::Exists(path.to_owned())) }
        }
        Err(error) => Err(output()(error.error)),
    }
}

/// Whether the file is there with the right bytes. Restores its permission bits if so.
///
/// # Errors
/// [`Error::Exists`] if it is a different one and may not be replaced.
async fn is_there(path: PathBuf, blob: Blob, force: bool) -> Result<bool, Error> {
    blocking(move || {
        let link = match std::fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(Error::output(path)(error)),
            Ok(metadata) => metadata.is_symlink(),
        };
        // A symbolic link is followed to compare, and is itself replaced, never what it points to.
        let same = match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => {
                metadata.len() == blob.size && is_same(&path, &blob, link).map_err(Error::output(&path))?
            }
            Ok(_) => {
                let source = io::Error::other("it is not a regular file");
                return Err(Error::Output { path, source });
            }
            Err(_) => false,
        };
        if same || force { Ok(same) } else { Err(Error::Exists(path)) }
    })
    .await
}

/// Whether a file holds the blob. If so it gets its permission bits: the file that was read, whatever has come to be
/// under its name meanwhile, and not one that a link leads to, which may be anyone's.
fn is_same(path: &Path, blob: &Blob, link: bool) -> io::Result<bool> {
    let file = File::open(path)?;
    if hash(&file)? != blob.address.sha256 {
        return Ok(false);
    }
    if let Some(mode) = blob.mode.filter(|_| !link)
        && Mode::from(file.metadata()?.permissions().mode()) != mode
    {
        file.set_permissions(Permissions::from_mode(mode.into()))?;
    }
    Ok(true)
}

fn hash(mut file: &File) -> io::Result<Digest> {
    let mut sha256 = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Digest::from(<[u8; 32]>::from(sha256.finalize()))),
            n => sha256.update(&buffer[..n]),
        }
    }
}

/// A failing disk is told of with the file that was to be written.
fn as_output(error: Error, path: &Path) -> Error {
    match error {
        Error::Store(fault) if fault.kind == FaultKind::Disk => match fault.source.downcast::<io::Error>() {
            Ok(source) => Error::Output { path: path.to_owned(), source: *source },
            Err(source) => Error::Output { path: path.to_owned(), source: io::Error::other(source) },
        },
        other => other,
    }
}
