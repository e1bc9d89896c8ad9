//! What can be done with a ledger and a store together: one file an operation.
//!
//! The order of blob and ledger steps lives here. Nothing here prints or reads the environment: progress and warnings
//! go to an [`Observer`].

mod add;
mod adopt;
mod apply;
mod change;
mod download;
mod error;
mod fetch;
mod fsck;
mod gc;
mod history;
mod info;
mod init;
mod list;
mod listing;
mod memory;
mod mode;
mod partial;
mod protect;
mod rollback;
mod spool;
mod tag;
mod tags;
mod untag;
mod upload;
mod versions;
mod wait;

pub use add::{Add, AddInput};
pub use adopt::Adopted;
pub use download::{Download, Downloaded, Target};
pub use error::Error;
pub use fsck::{Checked, Fsck};
pub use gc::{Collect, Garbage};
pub use init::Initialised;
pub use list::{Listed, Packages};
pub use wait::{LAST_LOOK, POLL, Wait};

use crate::{ledger::Ledger, model::Actor, retry::Patience, store::Store};
use futures_util::future::{BoxFuture, Either, Shared, select};
use std::{fmt, num::NonZeroUsize, path::PathBuf, pin::pin, sync::Arc};

/// Who makes a change, where that is being found out; `None` if it can't be. It should end soon.
pub type LateActor = Shared<BoxFuture<'static, Option<Actor>>>;

/// A ledger and the store that belongs to it.
#[derive(Debug, Clone)]
pub struct Client {
    ledger: Arc<dyn Ledger>,
    store: Arc<dyn Store>,
    patience: Patience,
    scratch: PathBuf,
    jobs: Option<NonZeroUsize>,
    actor: Option<LateActor>,
}

impl Client {
    /// Uses this ledger and this store. What comes from a stream is first written to a file in `scratch`.
    #[must_use]
    pub fn new(ledger: Arc<dyn Ledger>, store: Arc<dyn Store>, patience: Patience, scratch: PathBuf) -> Self {
        Self { ledger, store, patience, scratch, jobs: None, actor: None }
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
    async fn while_connecting<T>(&self, asked: impl Future<Output = T>) -> T {
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

/// What takes a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Reading a file to hash it.
    Hashing,
    /// Sending a blob to the store.
    Uploading,
    /// Fetching a blob from the store.
    Downloading,
    /// Examining the ledger; counted in packages, not in bytes.
    Examining,
    /// Listing the store; counted in objects, not in bytes.
    Listing,
}

/// Is told how an operation gets on.
pub trait Observer: fmt::Debug + Send + Sync {
    /// A phase begins; so many bytes, or what else it is counted in, are to go through, where that is known.
    fn begin(&self, phase: Phase, bytes: Option<u64>);

    /// Some bytes of the phase need not go through: an earlier command, which was interrupted, has left them.
    fn resume(&self, bytes: u64);

    /// Some bytes went through. A try that is made again counts its bytes again.
    fn advance(&self, bytes: u64);

    /// The phase is over.
    fn end(&self);

    /// Something that a person should know.
    fn warn(&self, warning: &str);
}

/// An observer that does not care.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn begin(&self, _: Phase, _: Option<u64>) {}
    fn resume(&self, _: u64) {}
    fn advance(&self, _: u64) {}
    fn end(&self) {}
    fn warn(&self, _: &str) {}
}

/// A phase of an observer, which is over when this is dropped.
#[derive(Debug)]
struct Within(Arc<dyn Observer>);

impl Within {
    fn begin(observer: &Arc<dyn Observer>, phase: Phase, total: Option<u64>) -> Self {
        observer.begin(phase, total);
        Self(Arc::clone(observer))
    }

    fn advance(&self, by: u64) {
        self.0.advance(by);
    }
}

impl Drop for Within {
    fn drop(&mut self) {
        self.0.end();
    }
}
