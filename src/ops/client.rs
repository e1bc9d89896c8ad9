//! A ledger and the store that belongs to it.

use crate::{ledger::Ledger, model::Actor, retry::RetryPolicy, store::Store};
use futures_util::future::{BoxFuture, Either, Shared, select};
use std::{num::NonZeroUsize, path::PathBuf, pin::pin, sync::Arc};

/// Who makes a change, where that is being found out; `None` if it can't be. It should end soon.
pub type LateActor = Shared<BoxFuture<'static, Option<Actor>>>;

/// A ledger and the store that belongs to it.
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) store: Arc<dyn Store>,
    pub(super) retry_policy: RetryPolicy,
    pub(super) scratch: PathBuf,
    pub(super) jobs: Option<NonZeroUsize>,
    pub(super) actor: Option<LateActor>,
}

impl Client {
    /// Uses this ledger and this store. What comes from a stream is first written to a file in `scratch`.
    #[must_use]
    pub fn new(
        ledger: Arc<dyn Ledger>,
        store: Arc<dyn Store>,
        retry_policy: RetryPolicy,
        scratch: PathBuf,
    ) -> Self {
        Self { ledger, store, retry_policy, scratch, jobs: None, actor: None }
    }

    /// With so many parts of a download under way at once: no more, and fewer while the store throttles or fails. Otherwise
    /// the number adapts (see [`Concurrency`](crate::retry::Concurrency)).
    #[must_use]
    pub fn with_jobs(self, jobs: NonZeroUsize) -> Self {
        Self { jobs: Some(jobs), ..self }
    }

    /// With an actor of additions that is being found out: it is waited for after the upload, and takes the place of the one
    /// in the request.
    #[must_use]
    pub fn with_actor(self, actor: LateActor) -> Self {
        Self { actor: Some(actor), ..self }
    }

    /// The ledger.
    #[must_use]
    pub fn ledger(&self) -> &dyn Ledger {
        &*self.ledger
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Waits for what the ledger is asked, and has the store connected to meanwhile. Nothing waits for the store.
    pub(super) async fn while_connecting<T>(&self, asked: impl Future<Output = T>) -> T {
        let connect = async {
            // What is asked goes first.
            tokio::task::yield_now().await;
            self.store.connect().await;
        };
        match select(pin!(asked), pin!(connect)).await {
            Either::Left((answer, _)) => answer,
            Either::Right(((), asked)) => asked.await,
        }
    }
}
