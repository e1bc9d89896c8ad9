//! The owner of a store: the file `OWNER`, which is created whole, and replaced only under a lock.

use super::DirectoryStore;
use crate::{
    durable::{self, flush_directory},
    failpoint::{self, reach},
    store::{OWNER_MOST, files::found},
};
use std::{
    fs::File,
    io::{self, Read, Write},
    path::PathBuf,
};

impl DirectoryStore {
    fn owner_file(&self) -> PathBuf {
        self.dir.join("OWNER")
    }

    pub(super) fn read_owner(&self) -> io::Result<Option<String>> {
        let Some(file) = found(File::open(self.owner_file()))? else { return Ok(None) };
        let mut owner = Vec::new();
        file.take(OWNER_MOST).read_to_end(&mut owner)?;
        Ok(Some(String::from_utf8_lossy(&owner).trim_end().to_owned()))
    }

    pub(super) fn claim_blocking(&self, ledger: &str) -> io::Result<String> {
        if let Some(owner) = self.read_owner()? {
            return Ok(owner);
        }
        let mut temporary = self.temporary()?;
        temporary.write_all(ledger.as_bytes())?;
        durable::flush(temporary.as_file(), temporary.path())?;
        reach("owner-complete");
        // The file appears with all its text, and only if none exists.
        let owner = match durable::name(temporary, &self.owner_file(), false) {
            Ok(()) => ledger.to_owned(),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                self.read_owner()?.ok_or(error.error)?
            }
            Err(error) => return Err(error.error),
        };
        flush_directory(&self.dir)?;
        Ok(owner)
    }

    /// Returns the present owner; `None` if there is none.
    pub(super) fn replace_owner_blocking(&self, from: &str, to: &str) -> io::Result<Option<String>> {
        // NFS grants exclusive locks only on files open for writing.
        let file = match File::options().read(true).write(true).open(self.owner_file()) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => File::open(self.owner_file()),
            file => file,
        };
        let Some(file) = found(file)? else { return Ok(None) };
        // A process that replaces this file holds a lock on it, and reads the owner again under the lock: a replaced
        // file names another owner, and no former owner ever becomes the owner again.
        durable::uninterrupted(|| failpoint::errno("owner-lock").and_then(|()| file.lock()))?;
        let owner = self.read_owner()?;
        if owner.as_deref() != Some(from) {
            return Ok(owner);
        }
        let mut temporary = self.temporary()?;
        temporary.write_all(to.as_bytes())?;
        durable::flush(temporary.as_file(), temporary.path())?;
        reach("owner-replacing");
        durable::name(temporary, &self.owner_file(), true).map_err(|error| error.error)?;
        flush_directory(&self.dir)?;
        Ok(Some(to.to_owned()))
    }
}
