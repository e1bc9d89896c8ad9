//! The interface of a store, each method by the file that does it.

use super::{blocks, client::AzureStore, container, owner, read, settings, single};
use crate::{
    fault::Fault,
    model::{Address, Created, Setting, Timestamp},
    store::{
        Body, Content, Listing, PART_SIZE, Put, PutError, Sending, Stat, Store,
        sending::{belongs, relay_progress},
    },
};
use async_trait::async_trait;
use std::ops::Range;

#[async_trait]
impl Store for AzureStore {
    fn describe(&self) -> String {
        self.place.clone()
    }

    async fn create(&self) -> Result<Created, Fault> {
        container::create(self).await
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
        read::stat(self, at).await
    }

    async fn put(
        &self,
        at: &Address,
        content: &Content,
        expected: bool,
        sent: Sending<'_>,
    ) -> Result<Put, PutError> {
        belongs(at, content)?;
        let path = self.blob(at);
        relay_progress(sent, |progress| async {
            if content.size() <= PART_SIZE {
                single::put(self, &path, content, expected, progress).await
            } else {
                blocks::put(self, &path, content, progress).await
            }
        })
        .await
    }

    async fn get(&self, at: &Address, range: Range<u64>, etag: Option<&str>) -> Result<Option<Body>, Fault> {
        read::get(self, at, range, etag).await
    }

    async fn delete(&self, at: &Address) -> Result<(), Fault> {
        container::delete(self, at).await
    }

    async fn list(&self, after: Option<&str>) -> Result<Listing, Fault> {
        container::page(self, "", after).await
    }

    fn lists_in_parts(&self) -> bool {
        true
    }

    async fn list_part(&self, prefix: &str, after: Option<&str>) -> Result<Listing, Fault> {
        container::page(self, prefix, after).await
    }

    fn time(&self) -> Option<Timestamp> {
        self.time.earliest()
    }
}
