//! `download`: a file appears whole and verified, or not at all.

use super::{
    client::Client,
    error::Error,
    fetch::{Fetched, part_size},
    mode::FileMode,
    observer::Observer,
    partial::Partial,
    present::{ModeGiven, Permission, give_mode, is_there},
};
use crate::{
    blocking::threaded,
    durable,
    failpoint::reach,
    fault::{Fault, FaultKind},
    model::{Blob, Mode, PackageName, Spec, Version},
};
use std::{
    fmt,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};
use tracing::debug;

/// The destination of a download.
pub enum Target {
    /// To a file in this directory, by its recorded name; by the last part of the package's name if none was recorded.
    Directory(PathBuf),
    /// To this file, or into it if it is a directory.
    Path(PathBuf),
    /// To a stream, in order. What was written before a mismatch is noticed stays written.
    Stream(Box<dyn Write + Send>),
}

impl Target {
    /// Returns true if the file is there already. Most often it is the right one, as on hosts that look again and again
    /// if a tag has moved: then the store is not asked.
    fn is_there(&self) -> bool {
        matches!(self, Self::Path(path) if path.is_file())
    }
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
#[non_exhaustive]
pub struct Download {
    /// The package.
    pub package: PackageName,
    /// The version of it.
    pub spec: Spec,
    /// The destination.
    pub target: Target,
    /// Replace a different file.
    pub force: bool,
    /// Give the file exactly the permission bits that were recorded, whatever the umask.
    pub preserve_mode: bool,
}

impl Download {
    /// The blob of the version that `spec` means, without replacing a different file.
    #[must_use]
    pub fn new(package: PackageName, spec: Spec, target: Target) -> Self {
        Self { package, spec, target, force: false, preserve_mode: false }
    }

    /// Replaces a different file.
    #[must_use]
    pub fn force(self, force: bool) -> Self {
        Self { force, ..self }
    }

    /// Gives the file exactly the permission bits that were recorded, whatever the umask.
    #[must_use]
    pub fn preserve_mode(self, preserve_mode: bool) -> Self {
        Self { preserve_mode, ..self }
    }
}

/// The result of a download.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Downloaded {
    /// The version that the spec meant.
    pub version: Version,
    /// Its blob.
    pub blob: Blob,
    /// The file; `None` for a stream.
    pub path: Option<PathBuf>,
    /// True if the same bytes were there already.
    pub present: bool,
}

/// The destination of a fetched blob.
enum Landed {
    File {
        path: PathBuf,
        /// True if the same bytes were there already.
        present: bool,
    },
    Streamed,
    /// Nowhere: the store does not have it.
    Absent,
}

impl Client {
    /// Fetches a version's blob and verifies it. A file appears under its name whole, verified and durable, or not at
    /// all. It gets the recorded permission bits, less those of this process's umask unless `preserve_mode`. The same
    /// bytes already there: done, with the permission bits restored, unless it is a symbolic link.
    ///
    /// # Cancellation
    /// May be dropped at any time. What was fetched of a file stays in an unnamed or temporary file where the next
    /// download of the same blob to that directory can resume; a stream has received a part of the bytes.
    ///
    /// # Errors
    /// [`Error::Ledger`] with `NotFound`; [`Error::Exists`] for a different file unless `force`; [`Error::Lost`] and
    /// [`Error::Damaged`] if the store does not hold what the ledger says; [`Error::Output`].
    pub async fn download(&self, download: Download) -> Result<Downloaded, Error> {
        let observer = &self.observer;
        let Download { package, spec, mut target, force, preserve_mode } = download;
        let permission = Permission { force, preserve_mode };
        let lookup = self.ledger.blob(&package, &spec);
        let mut found = if target.is_there() { lookup.await? } else { self.while_connecting(lookup).await? };
        // A blob that is missing may have been deleted, or collected and stored again, since the ledger was read.
        for retried in [false, true] {
            let (version, blob) = &found;
            let landed = match &mut target {
                Target::Stream(sink) => match self.fetch_to_stream(blob, &mut **sink, observer).await? {
                    Fetched::Whole => Landed::Streamed,
                    Fetched::Absent => Landed::Absent,
                },
                Target::Directory(directory) => {
                    let path = directory.join(file_name(&package, blob));
                    self.download_to(blob, path, permission, observer).await?
                }
                Target::Path(path) => {
                    let path =
                        if path.is_dir() { path.join(file_name(&package, blob)) } else { path.clone() };
                    self.download_to(blob, path, permission, observer).await?
                }
            };
            let (path, present) = match landed {
                Landed::Streamed => (None, false),
                Landed::File { path, present } => (Some(path), present),
                Landed::Absent => {
                    let now = if retried { found.clone() } else { self.ledger.blob(&package, &spec).await? };
                    if now == found {
                        break;
                    }
                    found = now;
                    continue;
                }
            };
            return Ok(Downloaded { version: *version, blob: blob.clone(), path, present });
        }
        let (version, blob) = found;
        Err(Error::Lost { package, version, address: blob.address })
    }

    async fn download_to(
        &self,
        blob: &Blob,
        path: PathBuf,
        permission: Permission,
        observer: &Arc<dyn Observer>,
    ) -> Result<Landed, Error> {
        let Permission { force, preserve_mode } = permission;
        let directory = durable::directory_of(&path).to_owned();
        let found = is_there(path.clone(), directory.clone(), blob.clone(), permission);
        if found.await?.reported(&path, observer) {
            // It may have come another way, after a try that was interrupted.
            let (directory, blob) = (directory, blob.clone());
            let forgotten = threaded(move || Partial::forget(&directory, &blob)).await;
            forgotten.unwrap_or_else(|error| debug!(%error, "what an earlier try has left stays"));
            return Ok(Landed::File { path, present: true });
        }
        let (of, part) = (blob.clone(), part_size(blob.size));
        let opened = {
            let directory = directory.clone();
            threaded(move || {
                let mode = FileMode::find(of.mode, preserve_mode, &directory)?;
                Ok((Partial::open(&directory, &of, part, mode.partial)?, mode.complete))
            })
        };
        let (partial, mode) = opened.await.map_err(Error::output(&path))?;
        let mut partial = Arc::new(partial);
        let resumed = partial.bytes() > 0;
        let mut fetched = self.fetch_to_file(blob, &partial, observer).await;
        if resumed && matches!(fetched, Err(Error::Damaged { .. })) {
            // What was there may be at fault: a power cut, say, that kept the mark of a part and not the part.
            debug_assert_eq!(Arc::strong_count(&partial), 1, "no part is under way any more");
            observer.warn("what an earlier try had left was not right; all of it is fetched again");
            let restart = Arc::get_mut(&mut partial).map(Partial::restart);
            restart.transpose().map_err(Error::output(&path))?;
            fetched = self.fetch_to_file(blob, &partial, observer).await;
        }
        match fetched {
            Ok(Fetched::Whole) => {}
            Ok(Fetched::Absent) => {
                partial.discard();
                return Ok(Landed::Absent);
            }
            Err(error) => {
                // On a full disk the parts that an earlier run left still save the next run their transfer.
                if !(is_for_later(&error) || resumed && is_full(&error)) {
                    partial.discard();
                }
                return Err(as_output(error, &path));
            }
        }
        if publish(&partial, directory.clone(), &path, mode, force, observer).await? {
            return Ok(Landed::File { path, present: false });
        }
        let permission = Permission { force: false, preserve_mode };
        let same = is_there(path.clone(), directory, blob.clone(), permission).await?;
        if same.reported(&path, observer) {
            Ok(Landed::File { path, present: true })
        } else {
            Err(Error::Exists(path))
        }
    }
}

/// Returns true if a repeat of the download may continue from here.
fn is_for_later(error: &Error) -> bool {
    matches!(error, Error::Store(fault) if fault.kind.is_transient() || fault.kind == FaultKind::Denied)
}

/// Returns true if the disk has no room.
fn is_full(error: &Error) -> bool {
    let Error::Store(Fault { kind: FaultKind::Disk, source, .. }) = error else { return false };
    source.downcast_ref::<io::Error>().is_some_and(|source| source.kind() == io::ErrorKind::StorageFull)
}

fn file_name(package: &PackageName, blob: &Blob) -> String {
    match &blob.filename {
        Some(name) => name.to_string(),
        None => package.as_str().rsplit('/').next().unwrap_or_default().to_owned(),
    }
}

/// Gives a complete file its name, durably. If dropped, it has the name or none: no thread holds on to it. Returns
/// whether it got the name: without `force` it does not where something else has it by now.
async fn publish(
    partial: &Partial,
    directory: PathBuf,
    path: &Path,
    mode: Option<Mode>,
    force: bool,
    observer: &Arc<dyn Observer>,
) -> Result<bool, Error> {
    let output = || Error::output(path);
    let file = Arc::clone(partial.file());
    let (failed, written) = (output(), partial.path().to_owned());
    let (cut, is_kept) = (partial.cut(), partial.is_kept());
    let durable = threaded(move || {
        cut?;
        if is_kept {
            // This takes a while. Until it is done the file has to be one that its owner can write to: a run that resumes
            // it opens it so.
            durable::flush(&file, &written)?;
        }
        let given = mode.map_or(Ok(ModeGiven::Yes), |mode| give_mode(&file, mode));
        durable::flush(&file, &written)?;
        given
    });
    match durable.await {
        Ok(given) => given.report(path, observer),
        Err(error) => {
            partial.discard();
            return Err(failed(error));
        }
    }
    reach("download-complete");
    let temporary = partial.take().map_err(output())?;
    match durable::name(temporary, path, force) {
        Ok(()) => {
            reach("download-named");
            let flush = threaded(move || durable::flush_directory(&directory));
            flush.await.map(|()| true).map_err(output())
        }
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(output()(error.error)),
    }
}

/// Reports a failing disk with the file that was to be written.
fn as_output(error: Error, path: &Path) -> Error {
    match error {
        Error::Store(fault) if fault.kind == FaultKind::Disk => match fault.source.downcast::<io::Error>() {
            Ok(source) => Error::Output { path: path.to_owned(), source: *source },
            Err(source) => Error::Output { path: path.to_owned(), source: io::Error::other(source) },
        },
        other => other,
    }
}
