//! Opening a ledger and a store by their URLs.

use super::{
    client::Client,
    error::Error,
    observer::{Observer, Silent},
};
use crate::{
    aws::Aws,
    ledger,
    location::{self, LedgerUrl, StoreUrl, Uploading},
    model::Actor,
    retry::{Cancellation, RetryPolicy},
    store::Store,
};
use std::{num::NonZeroUsize, path::PathBuf, sync::Arc, time::Duration};

/// The deadline unless the builder sets another.
const DEADLINE: Duration = Duration::from_mins(1);

/// Settings of a [`Client`] that is to be opened. See [`Client::builder`].
#[derive(Debug)]
#[must_use = "`build` opens the client"]
pub struct ClientBuilder {
    ledger: Result<LedgerUrl, location::Error>,
    store: StoreSource,
    retry_policy: Option<RetryPolicy>,
    deadline: Duration,
    cancellation: Option<Cancellation>,
    aws: Option<Aws>,
    uploading: Uploading,
    temporary_directory: Option<PathBuf>,
    cache_directory: Option<PathBuf>,
    observer: Arc<dyn Observer>,
    author: Option<Actor>,
}

/// The store of a client.
#[derive(Debug)]
enum StoreSource {
    Url(Result<StoreUrl, location::Error>),
    Open(Arc<dyn Store>),
}

impl Client {
    /// Opens a ledger and a store by their URLs, with the defaults of [`ClientBuilder`]. [`crate::location`] lists the
    /// URLs.
    ///
    /// Nothing is made or checked yet; the first addition makes an embedded ledger and its store.
    ///
    /// # Cancellation
    /// May be dropped at any time.
    ///
    /// # Errors
    /// The errors of [`ClientBuilder::build`].
    pub async fn open<L, S>(ledger_url: L, store_url: S) -> Result<Self, Error>
    where
        L: TryInto<LedgerUrl, Error: Into<location::Error>>,
        S: TryInto<StoreUrl, Error: Into<location::Error>>,
    {
        Self::builder(ledger_url, store_url).build().await
    }

    /// Begins to open a ledger and a store by their URLs: text, or a [`LedgerUrl`] and a [`StoreUrl`].
    pub fn builder<L, S>(ledger_url: L, store_url: S) -> ClientBuilder
    where
        L: TryInto<LedgerUrl, Error: Into<location::Error>>,
        S: TryInto<StoreUrl, Error: Into<location::Error>>,
    {
        ClientBuilder::new(ledger_url, StoreSource::Url(store_url.try_into().map_err(Into::into)))
    }

    /// Begins to open a ledger by its URL, with a store that is open already, such as one of the caller's own.
    pub fn builder_with_store<L>(ledger_url: L, store: Arc<dyn Store>) -> ClientBuilder
    where
        L: TryInto<LedgerUrl, Error: Into<location::Error>>,
    {
        ClientBuilder::new(ledger_url, StoreSource::Open(store))
    }
}

impl ClientBuilder {
    fn new<L>(ledger_url: L, store: StoreSource) -> Self
    where
        L: TryInto<LedgerUrl, Error: Into<location::Error>>,
    {
        Self {
            ledger: ledger_url.try_into().map_err(Into::into),
            store,
            retry_policy: None,
            deadline: DEADLINE,
            cancellation: None,
            aws: None,
            uploading: Uploading::default(),
            temporary_directory: None,
            cache_directory: None,
            observer: Arc::new(Silent),
            author: None,
        }
    }

    /// Sets the author of each change whose request names none. Without it, such a change is refused with
    /// [`ledger::Error::NoAuthor`].
    pub fn author(self, author: Actor) -> Self {
        Self { author: Some(author), ..self }
    }

    /// Tolerates contention, throttling and outages for this time without progress, in each operation. The default is
    /// 60 s.
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Sets the request to stop that the operations obey. The default is one that nobody can make.
    pub fn cancellation(self, cancellation: Cancellation) -> Self {
        Self { cancellation: Some(cancellation), ..self }
    }

    /// Sets the whole retry policy, instead of [`deadline`](Self::deadline) and [`cancellation`](Self::cancellation).
    pub fn retry_policy(self, retry_policy: RetryPolicy) -> Self {
        Self { retry_policy: Some(retry_policy), ..self }
    }

    /// Sets the source of SDK clients. The default is AWS's standard configuration.
    #[cfg(feature = "aws")]
    pub fn aws(self, aws: Aws) -> Self {
        Self { aws: Some(aws), ..self }
    }

    /// Sets the number of parts of a large blob under way at once. By default the number adapts.
    pub fn jobs(mut self, jobs: NonZeroUsize) -> Self {
        self.uploading.jobs = Some(jobs);
        self
    }

    /// Sets the directory for the temporary files of streams that are added. The default is that of the system.
    pub fn temporary_directory(self, directory: impl Into<PathBuf>) -> Self {
        Self { temporary_directory: Some(directory.into()), ..self }
    }

    /// Sets a directory for the clones of git ledgers, and for what was last known of each. By default, a clone is in a
    /// temporary directory until the client is dropped.
    pub fn cache_directory(self, directory: impl Into<PathBuf>) -> Self {
        Self { cache_directory: Some(directory.into()), ..self }
    }

    /// Sets a directory in which interrupted uploads are remembered, so that another process can resume them. By
    /// default only this client does.
    pub fn uploads_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.uploading.folder = Some(directory.into());
        self
    }

    /// Sets the receiver of progress and warnings. By default nothing is reported.
    pub fn observer(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer, ..self }
    }

    /// Opens the ledger and the store. Nothing is made or checked yet.
    ///
    /// # Cancellation
    /// May be dropped at any time.
    ///
    /// # Errors
    /// [`Error::Url`] for a URL that names no place, or one that this build has no back end for; and with
    /// [`Error::Ledger`] or [`Error::Store`] the faults of [`location::open_store`].
    pub async fn build(self) -> Result<Client, Error> {
        let retry_policy = self
            .retry_policy
            .unwrap_or_else(|| RetryPolicy::new(self.deadline, self.cancellation.unwrap_or_default()));
        let aws = self.aws.unwrap_or_else(Aws::standard);
        let (ledger, jobs) = (self.ledger?, self.uploading.jobs);
        let store = match self.store {
            StoreSource::Url(url) => {
                let url = url?;
                let opening = location::open_store(&url, &aws, &retry_policy, self.uploading);
                opening.await.map_err(Error::Store)?
            }
            StoreSource::Open(store) => store,
        };
        let opening =
            location::open_ledger(&ledger, &aws, retry_policy.clone(), self.cache_directory.as_deref());
        let ledger = opening.await.map_err(ledger::Error::Fault)?;
        let scratch = self.temporary_directory.unwrap_or_else(std::env::temp_dir);
        let client = Client::new(ledger, store, retry_policy, scratch).with_observer(self.observer);
        let client = Client { author: self.author, jobs, ..client };
        Ok(client)
    }
}
