//! Whether a file that is to be written is there already, and giving it its permission bits.

use super::{error::Error, mode::FileMode, observer::Observer};
use crate::{
    blocking::threaded,
    durable, failpoint,
    model::{Blob, Digest, Mode, Sha256},
};
use std::{
    fs::{File, Metadata, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What a download may do to the file system.
#[derive(Debug, Clone, Copy)]
pub(super) struct Permission {
    pub force: bool,
    pub preserve_mode: bool,
}

/// The answer of [`is_there`].
pub(super) enum Present {
    Same(ModeGiven),
    No,
}

impl Present {
    pub fn reported(self, path: &Path, observer: &Arc<dyn Observer>) -> bool {
        match self {
            Self::Same(given) => {
                given.report(path, observer);
                true
            }
            Self::No => false,
        }
    }
}

/// Returns whether the file is there with the right bytes. Restores its permission bits if so.
///
/// # Errors
/// [`Error::Exists`] if it is a different one and may not be replaced.
pub(super) async fn is_there(
    path: PathBuf,
    directory: PathBuf,
    blob: Blob,
    permission: Permission,
) -> Result<Present, Error> {
    threaded(move || {
        let link = match std::fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Present::No),
            Err(error) => return Err(Error::output(path)(error)),
            Ok(metadata) => metadata.is_symlink(),
        };
        // A symbolic link is followed to compare, and is itself replaced, never what it points to.
        let present = match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() && metadata.len() == blob.size => {
                // One that a link leads to may be anyone's.
                let mode = || {
                    // If the umask can't be found out, the bits stay.
                    let find = || FileMode::find(blob.mode, permission.preserve_mode, &directory).ok();
                    if link { None } else { find()?.complete }
                };
                is_same(&path, &blob, mode).map_err(Error::output(&path))?
            }
            Ok(metadata) if metadata.is_file() => Present::No,
            Ok(_) => {
                let source = io::Error::other("it is not a regular file");
                return Err(Error::Output { path, source });
            }
            Err(_) => Present::No,
        };
        match present {
            Present::No if !permission.force => Err(Error::Exists(path)),
            present => Ok(present),
        }
    })
    .await
}

/// Returns whether a file holds the blob. If so it gets its permission bits: the file that was read, whatever has come
/// to be under its name meanwhile.
fn is_same(path: &Path, blob: &Blob, mode: impl Fn() -> Option<Mode>) -> io::Result<Present> {
    let file = File::open(path)?;
    if hash(&file)? != blob.address.sha256 {
        return Ok(Present::No);
    }
    Ok(Present::Same(mode().map_or(Ok(ModeGiven::Yes), |mode| give_mode(&file, mode))?))
}

fn hash(mut file: &File) -> io::Result<Digest> {
    let mut sha256 = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match durable::read_some(&mut file, &mut buffer)? {
            0 => return Ok(sha256.finish()),
            n => sha256.update(&buffer[..n]),
        }
    }
}

/// Whether a file has the permission bits that it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ModeGiven {
    Yes,
    /// The file system does not let us: it has no such bits, or the file is another user's.
    Refused(Mode),
}

impl ModeGiven {
    pub fn report(self, path: &Path, observer: &Arc<dyn Observer>) {
        if let Self::Refused(mode) = self {
            let path = path.display();
            observer.warn(&format!(
                "the permission bits of {path} can't be set to {mode}; it keeps those it has"
            ));
        }
    }
}

/// Sets a file's permission bits, where it has others.
pub(super) fn give_mode(file: &File, mode: Mode) -> io::Result<ModeGiven> {
    let has = |metadata: &Metadata| Mode::from(metadata.permissions().mode());
    if has(&file.metadata()?) == mode {
        return Ok(ModeGiven::Yes);
    }
    let set =
        failpoint::errno("chmod").and_then(|()| file.set_permissions(Permissions::from_mode(mode.into())));
    match set {
        Ok(()) => Ok(ModeGiven::Yes),
        Err(error) if is_refused(&error) => Ok(ModeGiven::Refused(mode)),
        Err(error) => Err(error),
    }
}

/// EPERM, EACCES, EROFS, ENOTSUP, EOPNOTSUPP or ENOSYS.
fn is_refused(error: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem, Unsupported};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem | Unsupported)
}
