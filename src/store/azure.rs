//! A store in Azure Blob Storage: block blobs `OWNER` and `sha256/…` in a container.
//!
//! The crate `object_store` finds the credentials and signs the requests. The requests themselves are made here, since
//! that crate sends no checksums, makes no containers, and commits blocks without a condition. Each body is sent with
//! its CRC-64, which Azure compares before it stores anything: the polynomial is that of CRC-64/NVME, so the hashing
//! pass has it already.
//!
//! A blob of more than one part is sent in blocks, which are named by their number and checksum, and appears when the
//! list of its blocks is committed. Uncommitted blocks are found and reused by the next `put` of the same blob, can't
//! be listed, and are removed by Azure after a week.

mod answers;
mod blocks;
mod compare;
mod container;
mod credentials;
mod owner;
mod read;
mod requests;
mod settings;
mod single;

use super::{
    Body, Content, Listing, PART_SIZE, Put, PutError, Sending, Stat, Store,
    sending::{belongs, relay_progress},
};
use crate::{
    aws::Aws,
    clock::ServerTime,
    fault::Fault,
    model::{Address, Created, Setting, Timestamp},
};
use async_trait::async_trait;
use requests::Service;
use std::{fmt, num::NonZeroUsize, ops::Range};

/// A store in a container. See the [module](self).
#[derive(Clone)]
pub struct AzureStore {
    service: Service,
    place: String,
    container: String,
    /// The prefix of every name, empty or with a `/` at its end.
    prefix: String,
    jobs: Option<NonZeroUsize>,
    time: ServerTime,
}

impl fmt::Debug for AzureStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureStore").field("place", &self.place).finish_non_exhaustive()
    }
}

impl AzureStore {
    /// Returns the store under `prefix` in a container, with the credentials of the environment: see
    /// `docs/stores/azure.md`. `endpoint` is the address of a service other than Azure's own. Sends no request.
    ///
    /// # Errors
    /// [`FaultKind::Misconfigured`](crate::fault::FaultKind) for an address, a key or certificates that can't be used.
    pub async fn new(
        aws: &Aws,
        account: &str,
        container: &str,
        prefix: &str,
        endpoint: Option<&str>,
    ) -> Result<Self, Fault> {
        Self::with(aws, account, container, prefix, endpoint, |builder| builder).await
    }

    /// Does the same as [`new`](Self::new) with this key of the account.
    ///
    /// # Errors
    /// The errors of [`new`](Self::new).
    pub async fn with_key(
        aws: &Aws,
        account: &str,
        container: &str,
        prefix: &str,
        endpoint: Option<&str>,
        key: &str,
    ) -> Result<Self, Fault> {
        Self::with(aws, account, container, prefix, endpoint, |builder| builder.with_access_key(key)).await
    }

    async fn with(
        aws: &Aws,
        account: &str,
        container: &str,
        prefix: &str,
        endpoint: Option<&str>,
        more: impl FnOnce(
            object_store::azure::MicrosoftAzureBuilder,
        ) -> object_store::azure::MicrosoftAzureBuilder,
    ) -> Result<Self, Fault> {
        let place = format!("azure://{account}/{container}/{prefix}").trim_end_matches('/').to_owned();
        let time = ServerTime::default();
        let service = Service::new(aws, account, endpoint, time.clone(), more).await?;
        let slash = if prefix.is_empty() { "" } else { "/" };
        let prefix = format!("{prefix}{slash}");
        Ok(Self { service, place, container: container.to_owned(), prefix, jobs: None, time })
    }

    /// Sets the number of blocks in transfer at once: never more, and fewer while the store throttles or fails. By
    /// default the number adapts (see [`Concurrency`](crate::retry::Concurrency)).
    #[must_use]
    pub fn with_jobs(self, jobs: NonZeroUsize) -> Self {
        Self { jobs: Some(jobs), ..self }
    }

    fn doing(&self, what: impl fmt::Display) -> String {
        format!("{what} in {}", self.place)
    }

    /// Returns the path of a blob in the account.
    fn path(&self, name: impl fmt::Display) -> String {
        format!("{}/{}{name}", self.container, self.prefix)
    }

    fn blob(&self, at: &Address) -> String {
        self.path(format_args!("sha256/{at}"))
    }
}

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
