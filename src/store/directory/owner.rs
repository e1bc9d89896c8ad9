//! Who a store belongs to: the file `OWNER`, which appears whole, and is replaced only by who has seen it.

use super::DirectoryStore;
use crate::{
    failpoint::reach,
    store::files::{found, sync_dir},
};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::PathBuf,
};

impl DirectoryStore {
    fn owner_file(&self) -> PathBuf {
        self.dir.join("OWNER")
    }

    pub(super) fn read_owner(&self) -> io::Result<Option<String>> {
        Ok(found(fs::read_to_string(self.owner_file()))?.map(|owner| owner.trim_end().to_owned()))
    }

    pub(super) fn claim_blocking(&self, ledger: &str) -> io::Result<String> {
        if let Some(owner) = self.read_owner()? {
            return Ok(owner);
        }
        let mut temporary = self.temporary()?;
        temporary.write_all(ledger.as_bytes())?;
        temporary.as_file().sync_all()?;
        reach("owner-complete");
        // It appears with all its text, and only if there is none.
        let owner = match temporary.persist_noclobber(self.owner_file()) {
            Ok(_) => ledger.to_owned(),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                self.read_owner()?.ok_or(error.error)?
            }
            Err(error) => return Err(error.error),
        };
        sync_dir(&self.dir)?;
        Ok(owner)
    }

    /// The owner as it is now; `None` if there is none.
    pub(super) fn replace_owner_blocking(&self, from: &str, to: &str) -> io::Result<Option<String>> {
        let Some(file) = found(File::open(self.owner_file()))? else { return Ok(None) };
        // Whoever replaces this file holds a lock on it, and looks again under the lock whether it is still in its
        // place: one that was replaced says something else, and no text ever comes back.
        file.lock()?;
        let owner = self.read_owner()?;
        if owner.as_deref() != Some(from) {
            return Ok(owner);
        }
        let mut temporary = self.temporary()?;
        temporary.write_all(to.as_bytes())?;
        temporary.as_file().sync_all()?;
        reach("owner-replacing");
        temporary.persist(self.owner_file()).map_err(|error| error.error)?;
        sync_dir(&self.dir)?;
        Ok(Some(to.to_owned()))
    }
}
