//! The interface of a store, each method by the file that does it.

use super::{calls::call, client::HdfsStore, listing, owner, put, read, settings, temporary};
use crate::{
    fault::{Fault, FaultKind},
    model::{Address, Created, Setting, Timestamp},
    store::{
        Body, Content, Listing, Put, PutError, Sending, Stat, Store, Upload, Uploads,
        sending::{belongs, relay_progress},
    },
};
use async_trait::async_trait;
use std::ops::Range;

#[async_trait]
impl Store for HdfsStore {
    fn describe(&self) -> String {
        self.place.clone()
    }

    async fn create(&self) -> Result<Created, Fault> {
        let doing = || self.doing("creating the store");
        match self.status(self.folder(), doing).await? {
            Some(status) if status.isdir => Ok(Created::Present),
            Some(_) => Err(Fault::new(FaultKind::Misconfigured, doing(), "it is a file")),
            None => {
                // Private to this user, as the blobs may be; to share it, change its mode.
                call(doing, self.client.mkdirs(self.folder(), 0o700, true)).await?;
                Ok(Created::Made)
            }
        }
    }

    async fn settings(&self) -> Result<Vec<Setting>, Fault> {
        settings::settings(self).await
    }

    async fn probe(&self, owner: &str) -> Result<Vec<Setting>, Fault> {
        settings::probe(self, owner).await
    }

    async fn owner(&self) -> Result<Option<String>, Fault> {
        Ok(owner::read(self).await?.map(|(owner, _)| owner))
    }

    async fn claim(&self, ledger: &str) -> Result<String, Fault> {
        owner::claim(self, ledger).await
    }

    async fn replace_owner(&self, from: &str, to: &str) -> Result<String, Fault> {
        owner::replace(self, from, to).await
    }

    async fn stat(&self, at: &Address) -> Result<Option<Stat>, Fault> {
        let doing = || self.doing(format_args!("checking for the blob {at}"));
        let found = self.status(&self.blob(at).1, doing).await?;
        if found.is_none() {
            // Without its folder the store is not empty, but missing.
            self.root_status(doing).await?;
        }
        Ok(found.map(|status| read::stat(&status)))
    }

    async fn put(
        &self,
        at: &Address,
        content: &Content,
        _expected: bool,
        sent: Sending<'_>,
    ) -> Result<Put, PutError> {
        belongs(at, content)?;
        relay_progress(sent, |progress| put::put(self, at, content, progress)).await
    }

    async fn get(&self, at: &Address, range: Range<u64>, etag: Option<&str>) -> Result<Option<Body>, Fault> {
        read::get(self, at, range, etag).await
    }

    async fn delete(&self, at: &Address) -> Result<(), Fault> {
        let doing = || self.doing(format_args!("deleting the blob {at}"));
        if !call(doing, self.client.delete(&self.blob(at).1, false)).await? {
            self.root_status(doing).await?;
        }
        Ok(())
    }

    async fn list(&self, after: Option<&str>) -> Result<Listing, Fault> {
        listing::page(self, "", after).await
    }

    fn lists_in_parts(&self) -> bool {
        true
    }

    async fn list_part(&self, prefix: &str, after: Option<&str>) -> Result<Listing, Fault> {
        listing::page(self, prefix, after).await
    }

    async fn uploads(&self, _after: Option<&str>) -> Result<Uploads, Fault> {
        temporary::all(self).await
    }

    async fn last_written(&self, upload: &Upload) -> Result<Option<Timestamp>, Fault> {
        temporary::last_written(self, &upload.id).await
    }

    async fn abort(&self, upload: &Upload) -> Result<(), Fault> {
        temporary::abort(self, &upload.id).await
    }
}
