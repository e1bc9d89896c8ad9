//! A store that retries transient failures, as every operation does.

use async_trait::async_trait;
use sacker::{
    fault::{Fault, FaultKind},
    model::{Address, Created, Setting, Timestamp},
    store::{Body, Content, Listing, Put, PutError, Sending, Stat, Store, Upload, Uploads},
};
use std::ops::Range;

/// The number of tries of each call.
const TRIES: usize = 5;

/// The store inside, each call of which is tried again after a transient fault that is no contention: a real server
/// may close a connection while a request is on its way. Contention is an answer, and is what the tests look for.
#[derive(Debug)]
pub struct RetryingStore<S>(pub S);

/// The fault of an error, if it has one.
trait Faulty {
    fn fault(&self) -> Option<&Fault>;
}

impl Faulty for Fault {
    fn fault(&self) -> Option<&Fault> {
        Some(self)
    }
}

impl Faulty for PutError {
    fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            Self::Changed(_) => None,
        }
    }
}

async fn again<T, E: Faulty, F: Future<Output = Result<T, E>>>(mut call: impl FnMut() -> F) -> Result<T, E> {
    for _ in 1..TRIES {
        let result = call().await;
        let fault = result.as_ref().err().and_then(Faulty::fault);
        if !fault.is_some_and(|fault| fault.kind.is_transient() && fault.kind != FaultKind::Contended) {
            return result;
        }
    }
    call().await
}

#[async_trait]
impl<S: Store> Store for RetryingStore<S> {
    fn describe(&self) -> String {
        self.0.describe()
    }

    async fn connect(&self) {
        self.0.connect().await;
    }

    async fn create(&self) -> Result<Created, Fault> {
        again(|| self.0.create()).await
    }

    async fn settings(&self) -> Result<Vec<Setting>, Fault> {
        again(|| self.0.settings()).await
    }

    async fn probe(&self, owner: &str) -> Result<Vec<Setting>, Fault> {
        again(|| self.0.probe(owner)).await
    }

    async fn owner(&self) -> Result<Option<String>, Fault> {
        again(|| self.0.owner()).await
    }

    async fn claim(&self, ledger: &str) -> Result<String, Fault> {
        again(|| self.0.claim(ledger)).await
    }

    async fn replace_owner(&self, from: &str, to: &str) -> Result<String, Fault> {
        again(|| self.0.replace_owner(from, to)).await
    }

    async fn stat(&self, at: &Address) -> Result<Option<Stat>, Fault> {
        again(|| self.0.stat(at)).await
    }

    async fn put(
        &self,
        at: &Address,
        content: &Content,
        expected: bool,
        sent: Sending<'_>,
    ) -> Result<Put, PutError> {
        again(|| self.0.put(at, content, expected, sent)).await
    }

    async fn get(&self, at: &Address, range: Range<u64>, etag: Option<&str>) -> Result<Option<Body>, Fault> {
        again(|| self.0.get(at, range.clone(), etag)).await
    }

    async fn delete(&self, at: &Address) -> Result<(), Fault> {
        again(|| self.0.delete(at)).await
    }

    async fn list(&self, after: Option<&str>) -> Result<Listing, Fault> {
        again(|| self.0.list(after)).await
    }

    fn lists_in_parts(&self) -> bool {
        self.0.lists_in_parts()
    }

    async fn list_part(&self, prefix: &str, after: Option<&str>) -> Result<Listing, Fault> {
        again(|| self.0.list_part(prefix, after)).await
    }

    async fn uploads(&self, after: Option<&str>) -> Result<Uploads, Fault> {
        again(|| self.0.uploads(after)).await
    }

    async fn last_written(&self, upload: &Upload) -> Result<Option<Timestamp>, Fault> {
        again(|| self.0.last_written(upload)).await
    }

    fn time(&self) -> Option<Timestamp> {
        self.0.time()
    }

    async fn abort(&self, upload: &Upload) -> Result<(), Fault> {
        again(|| self.0.abort(upload)).await
    }
}
