//! A ledger and the store that belongs to it.

use super::observer::{Observer, Silent};
use crate::{
    ledger::{Authored, Ledger},
    model::Actor,
    retry::RetryPolicy,
    store::Store,
};
use futures_util::future::{BoxFuture, Either, Shared, select};
use std::{borrow::Cow, num::NonZeroUsize, path::PathBuf, pin::pin, sync::Arc};

/// An actor that is being found out; `None` if that fails. The future should end soon.
pub type LateActor = Shared<BoxFuture<'static, Option<Actor>>>;

/// A ledger and the store that belongs to it: all operations.
///
/// [`Client::open`] and [`Client::builder`] make one. Cloning is cheap and shares connections, the budget of retries
/// and the [`Cancellation`](crate::retry::Cancellation). Every method may be called concurrently, from any number of
/// clones and processes.
///
/// # Cancellation
/// A future that only reads may be dropped at any time. A future that changes something may be dropped, too, and
/// leaves nothing half done; but dropped while its commit is under way, the caller does not learn the outcome. To
/// stop a change and learn its outcome, call [`Cancellation::cancel`](crate::retry::Cancellation::cancel) on the
/// client's cancellation and await the future: it ends early where nothing was committed yet, and otherwise reports
/// the outcome. With an idempotency key, a repeat of the change returns the outcome in any case.
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) store: Arc<dyn Store>,
    pub(super) retry_policy: RetryPolicy,
    pub(super) scratch: PathBuf,
    pub(super) jobs: Option<NonZeroUsize>,
    pub(super) author: Option<Actor>,
    pub(super) late_actor: Option<LateActor>,
    pub(super) observer: Arc<dyn Observer>,
}

impl Client {
    /// Combines a ledger and a store that are open already. The bytes of a stream are first written to a file in
    /// `scratch`.
    #[must_use]
    pub fn new(
        ledger: Arc<dyn Ledger>,
        store: Arc<dyn Store>,
        retry_policy: RetryPolicy,
        scratch: PathBuf,
    ) -> Self {
        let observer = Arc::new(Silent);
        Self { ledger, store, retry_policy, scratch, jobs: None, author: None, late_actor: None, observer }
    }

    /// Sets the number of parts of a download under way at once: no more, and fewer while the store throttles or
    /// fails. Otherwise the number adapts (see [`Concurrency`](crate::retry::Concurrency)).
    #[must_use]
    pub fn with_jobs(self, jobs: NonZeroUsize) -> Self {
        Self { jobs: Some(jobs), ..self }
    }

    /// Sets the author of each change whose request names none.
    #[must_use]
    pub fn with_author(self, author: Actor) -> Self {
        Self { author: Some(author), ..self }
    }

    /// Sets the receiver of progress and warnings.
    #[must_use]
    pub fn with_observer(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer, ..self }
    }

    /// Sets an actor of additions that is still being found out: an addition waits for it after the upload, and it
    /// replaces the actor of the request.
    #[must_use]
    pub fn with_late_actor(self, actor: LateActor) -> Self {
        Self { late_actor: Some(actor), ..self }
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

    /// The request, with the client's author where it names none.
    pub(super) fn signed<'a, R: Authored>(&self, request: &'a R) -> Cow<'a, R> {
        let mut request = Cow::Borrowed(request);
        if let Some(author) = &self.author
            && request.author_ref().actor.is_none()
        {
            request.to_mut().author_mut().actor = Some(author.clone());
        }
        request
    }

    /// Waits for an answer of the ledger, and connects to the store concurrently. Nothing waits for the store.
    pub(super) async fn while_connecting<T>(&self, request: impl Future<Output = T>) -> T {
        let connect = async {
            // The request goes first.
            tokio::task::yield_now().await;
            self.store.connect().await;
        };
        match select(pin!(request), pin!(connect)).await {
            Either::Left((answer, _)) => answer,
            Either::Right(((), request)) => request.await,
        }
    }
}
