//! The client: where the store is, and how its requests are made.

use super::requests::Service;
use crate::{aws::Aws, clock::ServerTime, fault::Fault, model::Address};
use std::{fmt, num::NonZeroUsize};

/// A store in a container. See the [module](super).
#[derive(Clone)]
pub struct AzureStore {
    pub(super) service: Service,
    pub(super) place: String,
    pub(super) container: String,
    /// The prefix of every name, empty or with a `/` at its end.
    pub(super) prefix: String,
    pub(super) jobs: Option<NonZeroUsize>,
    pub(super) time: ServerTime,
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

    pub(super) fn doing(&self, what: impl fmt::Display) -> String {
        format!("{what} in {}", self.place)
    }

    /// Returns the path of a blob in the account.
    pub(super) fn path(&self, name: impl fmt::Display) -> String {
        format!("{}/{}{name}", self.container, self.prefix)
    }

    pub(super) fn blob(&self, at: &Address) -> String {
        self.path(format_args!("sha256/{at}"))
    }
}
