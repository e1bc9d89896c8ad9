//! The context that a command runs in.

use super::{
    actor::Identity, config::Origin, embedded, environment::Environment, error::Failure, notices::Notices,
    options::Change, output::Output, places::Places,
};
use crate::{
    aws::Aws,
    ledger::Author,
    location::{self, LedgerUrl, StoreUrl},
    ops::{self, Client, ClientBuilder, Observer},
    retry::RetryPolicy,
    store::{named::NamedFiles, unopened::Unopened},
};
use serde_json::{Map, Value};
use std::{num::NonZeroUsize, path::PathBuf, sync::Arc};

/// The context that a command runs in.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub places: Places,
    /// The origins of the ledger and of the store.
    pub origins: [Origin; 2],
    pub retry_policy: RetryPolicy,
    pub observer: Arc<dyn Observer>,
    pub notices: Arc<Notices>,
    pub environment: Environment,
    pub output: &'a mut Output,
    /// The embedded default's directory, if the command changes it and nothing is configured.
    pub unasked: Option<PathBuf>,
    pub aws: Aws,
    pub identity: Identity,
}

impl Context<'_> {
    /// Opens the ledger and the store.
    pub async fn client(&self) -> Result<Client, Failure> {
        self.client_with(None).await
    }

    /// Opens the ledger and the store; at most `jobs` parts of a blob are transferred at once.
    pub async fn client_with(&self, jobs: Option<NonZeroUsize>) -> Result<Client, Failure> {
        let builder = Client::builder(self.places.ledger.clone(), self.places.store.clone());
        let builder = match self.environment.cache() {
            Some(cache) => builder.uploads_directory(cache.join("uploads")),
            None => builder,
        };
        self.open(match jobs {
            Some(jobs) => builder.jobs(jobs),
            None => builder,
        })
        .await
    }

    /// Opens another ledger and its store.
    pub async fn client_of(&self, ledger: LedgerUrl, store: StoreUrl) -> Result<Client, Failure> {
        self.open(Client::builder(ledger, store)).await
    }

    /// Opens the files of another program.
    pub async fn named_files(&self, url: &StoreUrl) -> Result<Arc<dyn NamedFiles>, Failure> {
        let opened = location::open_files(url, &self.aws, &self.retry_policy).await;
        opened.map_err(|fault| self.failed("importing")(ops::Error::Source(fault)))
    }

    /// Reads the table of another program.
    pub async fn rows(&self, url: &LedgerUrl) -> Result<Vec<Map<String, Value>>, Failure> {
        let read = location::read_rows(url, &self.aws, &self.retry_policy).await;
        read.map_err(|fault| self.failed("importing")(ops::Error::Source(fault)))
    }

    /// Opens only the ledger, for commands that never use the store, which need not exist then.
    pub async fn ledger(&self) -> Result<Client, Failure> {
        self.open(Client::builder_with_store(self.places.ledger.clone(), Arc::new(Unopened))).await
    }

    async fn open(&self, builder: ClientBuilder) -> Result<Client, Failure> {
        self.note_unasked();
        let builder = builder
            .retry_policy(self.retry_policy.clone())
            .temporary_directory(self.environment.temporary())
            .observer(Arc::clone(&self.observer));
        let builder = match self.environment.cache() {
            Some(cache) => builder.cache_directory(cache),
            None => builder,
        };
        #[cfg(feature = "aws")]
        let builder = builder.aws(self.aws.clone());
        builder.build().await.map_err(|error| Failure::of_opening(&error, &self.places))
    }

    fn note_unasked(&self) {
        let Some(directory) = &self.unasked else { return };
        let cache = self.environment.cache();
        if embedded::is_due(directory, cache.as_deref()) {
            let shown = directory.display();
            let text = format!("nothing is configured; using the embedded ledger and store under {shown}");
            if self.notices.note(&text) {
                embedded::noticed(directory, cache.as_deref());
            }
        }
    }

    /// Adds the activity that an operation failed in to the operation's error.
    pub fn failed<'a>(&'a self, doing: &'a str) -> impl Fn(ops::Error) -> Failure + 'a {
        move |error| Failure::of_operation(&error, doing, &self.places)
    }

    /// Returns a change's actor, message and key. A client must have been built before.
    pub async fn author(&mut self, change: Change) -> Result<Author, Failure> {
        let ledger = self.places.dynamodb();
        let actor = self.identity.actor(&self.environment, &self.aws, ledger).await?;
        Ok(Author { message: change.message, key: change.key, ..Author::new(actor) })
    }

    /// Returns the same as [`author`](Self::author), but does not wait for the actor: a request for it continues.
    pub async fn author_of_addition(
        &mut self,
        change: Change,
    ) -> Result<(Author, Option<ops::LateActor>), Failure> {
        let ledger = self.places.dynamodb();
        let (actor, late) = self.identity.begin(&self.environment, &self.aws, ledger).await?;
        Ok((Author { message: change.message, key: change.key, ..Author::new(actor) }, late))
    }
}
