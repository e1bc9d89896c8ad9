//! `undelete`: reverses a deletion, for as long as the blob is in the store.

use super::{client::Client, error::Error};
use crate::{
    failpoint::reach,
    ledger::{BlobStatus, ChangeRequest, Changed},
    model::{Blob, IdempotencyKey, State, VersionRange},
};
use futures_util::TryStreamExt;

impl Client {
    /// Reverses a deletion. The ledger's transaction is conditional on the state of the blob, so that no collection
    /// takes it. The store is asked first: a blob that the ledger keeps may have been removed by other means.
    pub(super) async fn undelete(&self, request: &ChangeRequest) -> Result<Changed, Error> {
        // The outcome of an earlier attempt does not depend on the store.
        let resumes = matches!(request.author.key, Some(IdempotencyKey::Resume { .. }));
        let blob = if resumes { None } else { self.deleted_blob(request).await? };
        if let Some(blob) = blob {
            self.must_be_owner().await?;
            let stat = || self.store.stat(&blob.address);
            let doing = format!("looking for {}", blob.address);
            let there = self.retry_policy.run(&doing, stat).await?;
            if there.is_none_or(|there| there.size != blob.size) {
                self.check_lost(request, &blob).await?;
            }
        }
        reach("undelete-blob-found");
        Ok(self.ledger.change(request).await?)
    }

    /// Returns the blob of the version; `None` if there is no such version, or it is not deleted.
    async fn deleted_blob(&self, request: &ChangeRequest) -> Result<Option<Blob>, Error> {
        let range = VersionRange { first: Some(request.version), last: Some(request.version) };
        let mut versions = self.ledger.versions_in(&request.package, range);
        let found = versions.try_next().await?.filter(|release| release.state == State::Deleted);
        Ok(found.map(|release| release.blob))
    }

    /// Checks that a blob that is not in the store is one that the ledger does not keep, so that the ledger gives the
    /// reason.
    async fn check_lost(&self, request: &ChangeRequest, blob: &Blob) -> Result<(), Error> {
        let statuses = self.ledger.blob_statuses(std::slice::from_ref(&blob.address)).await?;
        match statuses.first() {
            Some(BlobStatus::Needed | BlobStatus::Orphan) => Err(Error::Lost {
                package: request.package.clone(),
                version: request.version,
                address: blob.address.clone(),
            }),
            _ => Ok(()),
        }
    }
}
