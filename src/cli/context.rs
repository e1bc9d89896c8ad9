//! The context that a command runs in.

use super::{
    actor::Identity, embedded, environment::Environment, error::Failure, notices::Notices, options::Change,
    output::Output, places::Places,
};
use crate::{
    aws::Aws,
    ledger::Author,
    location::{self, Uploading},
    ops::{self, Client, Observer},
    retry::RetryPolicy,
    store::unopened::Unopened,
};
use std::{num::NonZeroUsize, path::PathBuf, sync::Arc};

/// The context that a command runs in.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub places: Places,
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
        self.note_unasked();
        let uploads = self.environment.cache().map(|cache| cache.join("uploads"));
        let Places { ledger, store, .. } = &self.places;
        let uploading = Uploading { folder: uploads, jobs };
        let opened = location::open(ledger, store, &self.aws, self.retry_policy.clone(), uploading).await;
        let (ledger, store) = opened.map_err(|fault| Failure::of_opening(&fault, &self.places))?;
        let client = Client::new(ledger, store, self.retry_policy.clone(), self.environment.temporary());
        Ok(match jobs {
            Some(jobs) => client.with_jobs(jobs),
            None => client,
        })
    }

    /// Opens only the ledger, for commands that never use the store, which need not exist then.
    pub async fn ledger(&self) -> Result<Client, Failure> {
        self.note_unasked();
        let opened = location::open_ledger(&self.places.ledger, &self.aws, self.retry_policy.clone()).await;
        let ledger = opened.map_err(|fault| Failure::of_opening(&fault, &self.places))?;
        Ok(Client::new(ledger, Arc::new(Unopened), self.retry_policy.clone(), self.environment.temporary()))
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
        Ok(Author { actor, message: change.message, key: change.key })
    }

    /// Returns the same as [`author`](Self::author), but does not wait for the actor: a request for it continues.
    pub async fn author_of_addition(
        &mut self,
        change: Change,
    ) -> Result<(Author, Option<ops::LateActor>), Failure> {
        let ledger = self.places.dynamodb();
        let (actor, late) = self.identity.begin(&self.environment, &self.aws, ledger).await?;
        Ok((Author { actor, message: change.message, key: change.key }, late))
    }
}
