//! Copying one blob from store to store.

use crate::{
    blocking::threaded,
    model::{Blob, PackageName, Version},
    ops::{
        client::Client,
        error::Error,
        fetch::Fetched,
        observer::{Observer, Silent},
    },
    store::{Content, Store, directory::DirectoryStore},
};
use std::{path::Path, sync::Arc};

impl Client {
    /// Returns a client of the same ledger whose store is a directory.
    pub(super) fn with_directory(&self, directory: &Path) -> Self {
        let store: Arc<dyn Store> = Arc::new(DirectoryStore::new(directory));
        Self { store, ..self.clone() }
    }

    /// Makes sure that this store has a blob, by copying it from another one. Returns true if it was copied.
    ///
    /// The bytes are kept in a temporary file in between, and hashed there.
    ///
    /// # Errors
    /// [`Error::NotCopied`] if neither store has it.
    pub(super) async fn copy_blob(
        &self,
        from: Option<&Self>,
        package: &PackageName,
        (version, blob): &(Version, Blob),
    ) -> Result<bool, Error> {
        let address = &blob.address;
        let doing = format!("looking for {address}");
        let there = self.retry_policy.run(&doing, || self.store.stat(address)).await?;
        if there.is_some_and(|there| there.size == blob.size) {
            return Ok(false);
        }
        let missing = |store: &Self| Error::NotCopied {
            package: package.clone(),
            version: *version,
            address: address.clone(),
            store: store.store.describe(),
        };
        let from = from.ok_or_else(|| missing(self))?;
        let observer: Arc<dyn Observer> = Arc::new(Silent);
        let kept = |source| Error::Spool { directory: self.scratch.clone(), source };
        let temporary =
            tempfile::Builder::new().prefix(".sacker-").tempfile_in(&self.scratch).map_err(kept)?;
        let mut file = temporary.as_file().try_clone().map_err(kept)?;
        match from.fetch_to_stream(blob, &mut file, &observer).await {
            Ok(Fetched::Whole) => {}
            Ok(Fetched::Absent) => return Err(missing(from)),
            Err(Error::Output { source, .. }) => return Err(kept(source)),
            Err(error) => return Err(error),
        }
        let path = temporary.path().to_owned();
        let content = threaded(move || Content::hash(&path, &|_| ())).await.map_err(kept)?;
        self.upload(address, &content, false, &observer).await?;
        Ok(true)
    }
}
